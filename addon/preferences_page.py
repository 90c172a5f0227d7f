"""The add-on's page in the preferences, and the engine's state wherever it is shown. Imports bpy; changes nothing."""

from __future__ import annotations

from typing import Any

import bpy

from . import machine, preferences, setup, weights
from .languages import say
from .languages.sentences import told
from .lines import draw_text

WIDE = 560  # px of a text in the preferences


def draw_preferences(layout: bpy.types.UILayout, chosen: Any) -> None:
    """Engine, networks, cache; then where things lie."""
    layout.use_property_split = True
    draw_setup(layout)
    python = preferences.engine_python()
    if python is not None:
        draw_text(layout, say("Engine: {path}", path=python), "CHECKMARK", WIDE)
        work = setup.current()
        if work is not None and work.result:
            draw_text(layout, say("Proven on {device}", device=work.result.get("device", "?")))
    if preferences.engine_is_ours():
        row = layout.row()
        row.operator("unflatten.setup", text=say("Update or repair"), icon="FILE_REFRESH", translate=False)
        row.operator("unflatten.move_engine", text=say("Move"), icon="FILE_FOLDER", translate=False)
        row.operator("unflatten.remove_engine", text=say("Remove"), icon="TRASH", translate=False)
    layout.prop(chosen, "device")
    size = machine.size_seen(preferences.store_folder())
    row = layout.row()
    row.prop(chosen, "store", placeholder=str(preferences.user_folder("store")))
    row.operator("unflatten.clean", text=say("Clean") if size is None else f"{say('Clean')} ({size / 1e9:.2f} GB)", icon="TRASH", translate=False)
    layout.prop(chosen, "engine_folder", placeholder=str(preferences.user_folder("engine")))
    for name in ("engine_python", "base_python", "kit"):
        layout.prop(chosen, name)
    draw_weights(layout)


def draw_weights(layout: bpy.types.UILayout) -> None:
    """Each pretrained network with its size and licence: nothing is fetched without consent."""
    header, body = layout.panel("unflatten_weights", default_closed=True)
    header.label(text=say("Pretrained networks"), translate=False)
    if not body:
        return
    draw_text(body, say("None is shipped, and nothing needs one. Each is fetched only after you agree to its licence."), width=WIDE)
    for entry in weights.table().values():
        box = body.box()
        row = box.split(factor=0.62)
        row.label(text=told(entry.purpose), icon="CHECKMARK" if entry.installed else "BLANK1", translate=False)
        buttons = row.row()
        if entry.can_be_fetched:
            buttons.operator("unflatten.fetch_weights", text=say("Fetch"), icon="IMPORT", translate=False).network = entry.name
        buttons.operator("unflatten.import_weights", text=say("Import a copy"), icon="FILEBROWSER", translate=False).network = entry.name
        row = box.row()
        row.label(text=f"{entry.size / 1e6:.0f} MB", icon="BLANK1", translate=False)
        row.label(text=told(entry.licence), translate=False)
        if not entry.commercial:
            row.label(text=say("Not for commercial work"), icon="ERROR", translate=False)


def draw_setup(layout: bpy.types.UILayout) -> None:
    """The engine's state where it is not simply there."""
    work = setup.current()
    if setup.busy():
        layout.progress(factor=work.part, text=work.told())
        layout.operator("unflatten.setup_cancel", icon="CANCEL")
    elif work is not None and work.failure:
        box = layout.box()
        for text, icon in ((work.failure.what, "ERROR"), (work.failure.why, "NONE"), (work.failure.remedy, "NONE")):
            draw_text(box, told(text), icon)
        box.operator("unflatten.setup", icon="FILE_REFRESH")
    elif preferences.engine_python() is None:
        box = layout.box()
        draw_text(box, say("The engine is not set up yet."), "INFO")
        if bpy.app.online_access or preferences.get().kit:
            box.operator("unflatten.setup", icon="IMPORT")
        else:
            draw_text(box, say("It comes from the internet once; or choose an offline kit in the preferences."))
            box.operator("extensions.userpref_allow_online", text=say("Allow online access"), icon="INTERNET", translate=False)
            box.operator("preferences.addon_show", text=say("Choose an offline kit"), icon="FILE_FOLDER", translate=False).module = preferences.PACKAGE

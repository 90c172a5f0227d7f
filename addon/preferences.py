"""The add-on's preferences: where the engine is, on what it runs, where results are kept. Imports bpy and environment."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from . import environment
from .languages import CONTEXT

ROOT = Path(__file__).resolve().parent.parent  # holds engine/
PACKAGE = __package__.rpartition(".")[0]


class UNFLATTEN_AP_preferences(bpy.types.AddonPreferences):
    """Shown in Edit > Preferences > Add-ons."""

    bl_idname = PACKAGE

    engine_folder: StringProperty(
        name="Engine folder", translation_context=CONTEXT,
        subtype="DIR_PATH", description="Where the engine's Python is made; empty for the add-on's own folder",
    )
    engine_python: StringProperty(
        name="Own Python", translation_context=CONTEXT,
        subtype="FILE_PATH", description="A Python that holds the engine's packages already, in place of the one made here",
    )
    base_python: StringProperty(
        name="Made with", translation_context=CONTEXT,
        subtype="FILE_PATH", description="Python 3.11 to 3.13 that the engine is made with; empty for Blender's own",
    )
    kit: StringProperty(
        name="Offline kit", translation_context=CONTEXT, subtype="DIR_PATH", description="Folder of packages for machines without network",
    )
    store: StringProperty(
        name="Cache folder", translation_context=CONTEXT, subtype="DIR_PATH", description="Where results are kept; empty for the add-on's own folder",
    )
    device: EnumProperty(name="Device", translation_context=CONTEXT, items=[
        ("auto", "Automatic", "The graphics card where the engine finds one, else the processor"),
        ("cpu", "Processor", "The CPU"),
        ("cuda", "Graphics card", "An NVIDIA card with CUDA"),
    ])

    def draw(self, context: bpy.types.Context) -> None:
        """Drawn by preferences_page.py."""
        from . import preferences_page

        preferences_page.draw_preferences(self.layout, self)


class _Defaults:
    """The same when the add-on runs from a script, where Blender keeps no preferences for it."""

    engine_folder = engine_python = base_python = kit = store = ""
    device = "auto"


def get() -> UNFLATTEN_AP_preferences | _Defaults:
    """The preferences."""
    entry = bpy.context.preferences.addons.get(PACKAGE)
    return entry.preferences if entry and entry.preferences else _Defaults()


def user_folder(name: str) -> Path:
    """A folder in the extension's own place for user files."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, path=name))
    except ValueError:  # not installed as an extension
        return Path(bpy.utils.user_resource("DATAFILES", path=f"unflatten/{name}"))


def path_of(name: str) -> Path | None:
    """A folder or file that the user has chosen, or None."""
    chosen = getattr(get(), name)
    return Path(bpy.path.abspath(chosen)) if chosen else None


def engine_folder() -> Path:
    """Where the engine's environment is or will be."""
    return path_of("engine_folder") or user_folder("engine")


def remember_engine(folder: Path) -> None:
    """The engine stands here from now on."""
    entry = bpy.context.preferences.addons.get(PACKAGE)
    if entry and entry.preferences:
        entry.preferences.engine_folder = str(folder)


def engine_python() -> Path | None:
    """The Python that runs the engine, or None before the set-up. A checkout's own .venv counts too."""
    own = path_of("engine_python")
    if own:
        return own
    folder = engine_folder()
    if (folder / environment.STAMP).is_file() and environment.python_of(folder).exists():  # one that is being made, or was left half-made, is none
        return environment.python_of(folder)
    checkout = environment.python_of(ROOT / ".venv")
    return checkout if checkout.exists() else None


def engine_is_ours() -> bool:
    """Whether the add-on has made what it uses, and so may repair, move and remove it."""
    return not get().engine_python and (engine_folder() / environment.STAMP).is_file()


_override = ""


def override_store(folder: str) -> None:
    """Keep results elsewhere for the rest of this session: the command line's `--store`."""
    global _override
    _override = folder


def store_folder() -> Path:
    """Where results are kept."""
    chosen = _override or get().store
    return Path(bpy.path.abspath(chosen)) if chosen else user_folder("store")


def register() -> None:
    """Make the preferences."""
    bpy.utils.register_class(UNFLATTEN_AP_preferences)


def unregister() -> None:
    """Take them away."""
    bpy.utils.unregister_class(UNFLATTEN_AP_preferences)

"""What a hand would do, inside a Blender with a window: install, open, recover, import, look, undo. Writes pictures and facts.json.

`blender --factory-startup --enable-event-simulate --python drive.py -- JOB.json`; tests/gui/test_windows.py starts it and judges the facts.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

JOB = json.loads(Path(sys.argv[sys.argv.index("--") + 1]).read_text(encoding="utf-8"))
OUT = Path(JOB["out"])
MODULE = "bl_ext.user_default.unflatten"
FACTS: dict[str, Any] = {"blender": bpy.app.version_string, "pictures": []}
BUTTON = 52  # px from the top of the sidebar to the middle of "Recover"


class Pulse:
    """How long Blender leaves its own timers waiting: what an artist feels as a stutter."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._last = time.perf_counter()
        bpy.app.timers.register(self._beat, persistent=True)

    def _beat(self) -> float:
        now = time.perf_counter()
        self.gaps.append(now - self._last)
        self._last = now
        return 0.005

    def take(self) -> dict[str, float]:
        """Milliseconds since the last question: median, 99th percentile, longest; how many."""
        gaps, self.gaps = sorted(self.gaps) or [0.0], []
        return {"median": gaps[len(gaps) // 2] * 1e3, "p99": gaps[int(0.99 * (len(gaps) - 1))] * 1e3, "max": gaps[-1] * 1e3, "beats": len(gaps)}


class Share:
    """What the add-on itself takes of Blender's time, however slowly windows are drawn: the processor's time of each call from outside."""

    def __init__(self) -> None:
        from bl_ext.user_default.unflatten.addon import desk, jobs, live, report

        self.took: dict[str, list[float]] = {}
        for panel in bpy.types.Panel.__subclasses__():
            if panel.__name__.startswith("UNFLATTEN_"):
                panel.draw = self._timed_draw(panel.draw)
        bpy.types.STATUSBAR_HT_header.remove(desk.draw_status)
        bpy.types.STATUSBAR_HT_header.append(self._timed("status bar", desk.draw_status))
        jobs.tick = self._timed("timer", jobs.tick)  # `enqueue` looks it up anew
        for module, name in ((report, "report card"), (live, "progress")):
            bpy.types.SpaceClipEditor.draw_handler_remove(module._handle, "WINDOW")
            module._handle = bpy.types.SpaceClipEditor.draw_handler_add(self._timed(name, module.draw), (), "WINDOW", "POST_PIXEL")

    def _timed(self, name: str, call: Any) -> Any:
        took = self.took.setdefault(name, [])

        def run(*given: Any) -> Any:
            began = time.thread_time()
            try:
                return call(*given)
            finally:
                took.append((time.thread_time() - began) * 1e3)

        return run

    def _timed_draw(self, call: Any) -> Any:
        timed = self._timed("panels", call)

        def draw(self: Any, context: Any) -> None:  # Blender counts the arguments
            timed(self, context)

        return draw

    def take(self) -> dict[str, dict[str, float]]:
        """Milliseconds of the processor since the last question: median, 99th percentile, longest; how many."""
        told = {}
        for name, took in self.took.items():
            if took:
                ordered = sorted(took)
                told[name] = {"median": ordered[len(ordered) // 2], "p99": ordered[int(0.99 * (len(ordered) - 1))], "max": ordered[-1], "calls": len(ordered)}
                took.clear()
        return told


def picture(name: str) -> None:
    """What the screen shows; Xvfb keeps it in a file."""
    shutil.copyfile(JOB["screen"], OUT / f"{name}.xwd")
    FACTS["pictures"].append(name)


def editor(kind: str = "CLIP_EDITOR") -> bpy.types.Area:
    """The largest editor of a kind."""
    return max((area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == kind), key=lambda it: it.width * it.height)


def within(area: bpy.types.Area, region: str = "WINDOW") -> Any:
    """The context of a region of an editor."""
    return bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=area, region=next(it for it in area.regions if it.type == region),
    )


def click(x: int, y: int) -> Iterator[float]:
    """Move there, press, release."""
    window = bpy.context.window_manager.windows[0]
    window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
    yield 0.3
    window.event_simulate(type="LEFTMOUSE", value="PRESS", x=x, y=y)
    yield 0.1
    window.event_simulate(type="LEFTMOUSE", value="RELEASE", x=x, y=y)
    yield 0.1


def show_sidebar() -> Iterator[float]:
    """Our tab of the Movie Clip Editor's sidebar."""
    area = editor()
    area.spaces.active.show_region_ui = True
    yield 0.5
    next(it for it in area.regions if it.type == "UI").active_panel_category = "Unflatten"
    area.tag_redraw()
    yield 1.0


def names() -> list[str]:
    """What the scene holds."""
    return sorted(it.name for it in bpy.context.scene.objects)


def install() -> Iterator[float]:
    """The zip, as dropping it onto the window does."""
    FACTS["installed"] = sorted(bpy.ops.extensions.package_install_files(filepath=JOB["zip"], repo="user_default", enable_on_install=True))
    bpy.context.preferences.addons[MODULE].preferences.engine_python = JOB["python"]
    bpy.context.preferences.view.show_splash = False
    startup = Path(bpy.utils.system_resource("SCRIPTS")) / "startup/bl_app_templates_system/VFX/startup.blend"
    bpy.ops.workspace.append_activate(idname="Motion Tracking", filepath=str(startup))
    yield 0.5
    bpy.context.window_manager.windows[0].workspace = bpy.data.workspaces["Motion Tracking"]
    yield 0.5


def open_clip() -> Iterator[float]:
    """The clip in the editor, beside our sidebar."""
    path = Path(JOB["clip"])
    yield from show_sidebar()
    picture("1_nothing_open")
    with within(editor()):  # what a drop onto the editor calls: it asks the file handlers
        FACTS["dropped"] = sorted(bpy.ops.wm.drop_import_file("INVOKE_DEFAULT", directory=f"{path.parent}/", files=[{"name": path.name}]))
    yield 0.5
    clip = bpy.data.movieclips[0]
    FACTS["shown"] = editor().spaces.active.clip == clip
    clip.unflatten.use_range, clip.unflatten.last = True, JOB["frames"]
    clip.unflatten.frames.size = 320
    clip.unflatten.want_mattes = True
    yield 1.0
    picture("2_clip_open")


def timed(steps: Iterator[Any]) -> Iterator[Any]:
    """The same steps, each with the processor's time in FACTS."""
    took = FACTS.setdefault("import_steps_ms", [])
    while True:
        began = time.thread_time()  # what the add-on takes, however busy the machine is
        step = next(steps, None)
        took.append(round((time.thread_time() - began) * 1e3, 1))
        if step is None:
            return
        yield step


def press_recover() -> Iterator[float]:
    """The large button of the sidebar."""
    ui = next(it for it in editor().regions if it.type == "UI")
    yield from click(ui.x + ui.width // 2 - 20, ui.y + ui.height - BUTTON)


def stop_over_the_footage() -> Iterator[float]:
    """Start, and press the button over the footage once a picture shows."""
    from bl_ext.user_default.unflatten.addon import jobs, live

    yield from press_recover()
    clip, began = bpy.data.movieclips[0], time.monotonic()
    while (jobs.of(clip) is None or jobs.of(clip).preview is None) and time.monotonic() - began < 120:
        yield 0.1
    yield 2.0
    picture("3_running")
    area = editor()
    window = next(it for it in area.regions if it.type == "WINDOW")
    x, y = live.place_in(area, window).button
    yield from click(int(window.x + x), int(window.y + y))
    while jobs.of(clip) is not None and not jobs.of(clip).finished and time.monotonic() - began < 150:
        yield 0.1
    job = jobs.of(clip)
    FACTS["stopped"] = job.status if job else "the click found no button"
    FACTS["preview"] = [job.preview.stage, list(job.preview.pixels.shape)] if job and job.preview else []
    yield 1.0


def recover(pulse: Pulse, share: Share) -> Iterator[float]:
    """One click, and waiting."""
    from bl_ext.user_default.unflatten.addon import imports, jobs

    real = imports.import_all
    imports.import_all = lambda *given: timed(real(*given))

    pulse.take()
    share.take()
    yield from press_recover()
    clip, began = bpy.data.movieclips[0], time.monotonic()
    before = jobs.of(clip) if jobs.of(clip) is not None and jobs.of(clip).finished else None
    while jobs.of(clip) is before or not jobs.of(clip).finished:
        if time.monotonic() - began > 300 or (jobs.of(clip) is before and time.monotonic() - began > 10):
            break
        yield 0.1
    job = jobs.of(clip)
    FACTS["status"] = job.status if job is not before else "the click found no button"
    FACTS["seconds"], FACTS["while_running"], FACTS["own_while_running"] = time.monotonic() - began, pulse.take(), share.take()
    FACTS["failures"] = [failure.what for failure in job.failures] if job else []
    while "mask" not in " ".join(entry.name for entry in clip.unflatten.made) and time.monotonic() - began < 320:
        yield 0.1
    yield 2.0
    FACTS["while_importing"], FACTS["own_while_importing"], FACTS["objects"] = pulse.take(), share.take(), names()
    picture("4_recovered")


def look() -> Iterator[float]:
    """The scene as the camera sees it, the report card in the middle of the shot."""
    bpy.context.scene.frame_set(JOB["frames"] // 2)
    view = editor("VIEW_3D").spaces.active
    view.shading.type, view.region_3d.view_perspective = "MATERIAL", "CAMERA"
    yield 12.0  # shaders
    picture("5_through_the_camera")
    yield from play()
    yield from level()
    yield from rigs()
    for language in ("ja_JP", "zh_HANS"):
        bpy.context.preferences.view.language = language
        bpy.context.preferences.view.use_translate_interface = True
        yield 1.5
        picture(f"7_{language}")
    bpy.context.preferences.view.language = "en_US"
    yield 1.0


def play() -> Iterator[float]:
    """Every frame in turn, as playback shows them: the processor's time of the scene, and of everything with drawing."""
    scene, took, whole, shading = bpy.context.scene, [], [], editor("VIEW_3D").spaces.active.shading
    shading.type = "SOLID"
    yield 2.0
    for number in range(1, JOB["frames"] + 1):
        began, all_began = time.thread_time(), time.perf_counter()
        scene.frame_set(number)
        took.append((time.thread_time() - began) * 1e3)
        bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
        whole.append((time.perf_counter() - all_began) * 1e3)
        yield 0.01
    FACTS["playback_ms"] = {"scene": sorted(took)[len(took) // 2], "with_drawing": sorted(whole)[len(whole) // 2]}
    scene.frame_set(JOB["frames"] // 2)
    shading.type = "MATERIAL"
    yield 3.0


def level() -> Iterator[float]:
    """Three clicks on the footage are the floor; then back, by the keys."""
    clip, area = bpy.data.movieclips[0], editor()
    root = clip.unflatten.made["root"].object
    window = next(it for it in area.regions if it.type == "WINDOW")
    before = [list(row) for row in root.matrix_world]
    with within(area):
        bpy.ops.unflatten.floor("INVOKE_DEFAULT")
    for across, down in ((0.35, 0.9), (0.65, 0.9), (0.5, 0.75)):
        x, y = window.view2d.view_to_region(across, 1 - down, clip=False)
        yield from click(window.x + x, window.y + y)
        yield 0.3
    yield 0.5
    after = [list(row) for row in root.matrix_world]
    FACTS["floor_moved"] = max(abs(a - b) for one, other in zip(before, after) for a, b in zip(one, other))
    FACTS["floor_reports"] = [report.message for report in bpy.context.window_manager.reports][-3:] if hasattr(bpy.context.window_manager, "reports") else []


def rigs() -> Iterator[float]:
    """An object on the recovered ground, by a click on the footage."""
    area = editor()
    window = next(it for it in area.regions if it.type == "WINDOW")
    with within(area):
        bpy.ops.unflatten.insert("INVOKE_DEFAULT", use_active=False)
    x, y = window.view2d.view_to_region(0.5, 0.15, clip=False)
    yield from click(window.x + x, window.y + y)
    began = time.monotonic()
    while "sample.mp4 insert" not in names() and time.monotonic() - began < 30:
        yield 0.3
    yield 3.0
    picture("6_inserted")


def show_preferences() -> Iterator[float]:
    """The add-on's own page, in the place of the footage."""
    area = editor()
    area.type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Unflatten"
    yield 0.5
    with within(area):
        bpy.ops.preferences.addon_expand(module=MODULE)
    area.tag_redraw()
    yield 2.0
    picture("8_preferences")


def undo() -> Iterator[float]:
    """Back before the rig, then before the import, and forward again, by the keys."""
    window, view = bpy.context.window_manager.windows[0], editor("VIEW_3D")
    view.spaces.active.shading.type = "SOLID"  # drawn quickly
    seen = [state()]
    yield 3.0
    window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=view.x + view.width // 2, y=view.y + view.height // 2)
    for back in (True, True, True, False, False, False):  # the object, the floor, the import, and forward again
        began = time.monotonic()
        for value in ("PRESS", "RELEASE"):
            window.event_simulate(type="Z", value=value, ctrl=True, shift=not back)
            yield 0.4
        while state() == seen[-1] and time.monotonic() - began < 30:
            yield 0.3
        yield 1.0
        seen.append(state())
    FACTS["undo"] = seen


def state() -> list[Any]:
    """Whether the import and the object are there, and how the world is turned."""
    there = names()
    root = bpy.context.scene.objects.get("Unflatten sample.mp4")
    return ["sample.mp4 camera" in there, "sample.mp4 insert" in there, [round(value, 4) for row in root.matrix_world for value in row] if root else []]


def script() -> Iterator[float]:
    """Everything, in order."""
    pulse = Pulse()
    yield 1.0
    yield from install()
    share = Share()
    for part in (open_clip(), stop_over_the_footage(), recover(pulse, share), look(), undo(), show_preferences()):
        yield from part


def tick() -> float | None:
    """Called by Blender's timer: one step, then the pause that it asks for."""
    try:
        return next(STEPS)
    except StopIteration:
        pass
    except Exception:
        FACTS["error"] = traceback.format_exc()
    (OUT / "facts.json").write_text(json.dumps(FACTS, indent=1), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)


STEPS = script()
bpy.app.timers.register(tick, first_interval=1.0, persistent=True)

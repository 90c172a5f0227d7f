"""The demo inside Blender: results into a scene through the add-on's own operators, two objects put into the shot, pictures of it.

    python scene.py --out FOLDER [--clip CLIP] [--film 0]      with the `bpy` module
    blender -b --factory-startup -P scene.py -- --out FOLDER   with a real Blender

FOLDER/results is what `python -m engine --out FOLDER/results` wrote; without --clip, its summary names the clip.
Makes FOLDER/scene.blend, FOLDER/stills/{side,insert}.png, FOLDER/film.mp4 and FOLDER/stills/scene.json (what was done, for the sheet).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import bpy

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

import side_view  # noqa: E402
import spots  # noqa: E402

FILM_WIDTH, STILL_WIDTH = 480, 640


def load_extension() -> None:
    """The repository root as the package `unflatten`, registered as Blender would."""
    spec = importlib.util.spec_from_file_location("unflatten", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    module = importlib.util.module_from_spec(spec)
    sys.modules["unflatten"] = module
    spec.loader.exec_module(module)
    module.register()


def open_results(clip_path: Path, results: Path) -> bpy.types.MovieClip:
    """The clip, with everything that was recovered from it, imported by the operator that the button calls."""
    from unflatten.addon.importers import place

    clip = place.load_clip(str(clip_path))
    bpy.ops.unflatten.import_results(clip=clip.name, folder=str(results))
    return clip


def set_width(scene: bpy.types.Scene, size: tuple[int, int], width: int) -> None:
    """A render of that width with the clip's proportions, even on both sides as H.264 wants it."""
    width = min(width, size[0])
    scene.render.resolution_x, scene.render.resolution_percentage = width // 2 * 2, 100
    scene.render.resolution_y = round(width * size[1] / size[0] / 2) * 2


def set_quality(scene: bpy.types.Scene, samples: int) -> None:
    """Cycles, few samples, denoised, few bounces."""
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.use_adaptive_sampling = samples, True, False
    scene.cycles.max_bounces, scene.render.use_persistent_data = 3, True


def insert_objects(clip: bpy.types.MovieClip, scene: bpy.types.Scene, chosen: spots.Choice) -> list[str]:
    """A pawn behind what stands in the shot, a monkey in front of everything; returns what was put in."""
    from unflatten.addon.rigs import insertion, surface

    done = []
    for where, build, what in ((chosen.behind, spots.pawn, "behind"), (chosen.front, spots.monkey, "in front")):
        spot = surface.find_spot(clip, scene, *where.pixel) if where else None
        if spot is not None:
            target = build(where.height, chosen.towards)
            insertion.insert(clip, scene, spot, target)
            done.append(what)
    shadow = clip.unflatten.made["shadow"].object if done else None
    if shadow is not None:  # one catcher for both
        shadow.scale = [3 * chosen.reach] * 3
    return done


def film(scene: bpy.types.Scene, path: Path, step: int) -> None:
    """The shot with the inserted objects as H.264."""
    from unflatten.addon import versions

    versions.write_video(scene)
    scene.frame_step, scene.render.fps = step, max(1, round(scene.render.fps / step))
    scene.render.filepath, scene.render.use_file_extension = str(path), True
    bpy.ops.render.render(animation=True)


def still(scene: bpy.types.Scene, path: Path) -> None:
    """The current frame as a PNG."""
    from unflatten.addon import versions

    versions.write_images(scene)
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def work(given: argparse.Namespace) -> dict[str, Any]:
    """Everything, in order; what cannot be done is told and left out."""
    out, results = given.out.resolve(), given.out.resolve() / "results"
    stills = out / "stills"
    stills.mkdir(parents=True, exist_ok=True)
    clip_path = given.clip or Path(json.loads((results / "summary.json").read_text(encoding="utf-8"))["clip"])
    clip = open_results(clip_path.resolve(), results)
    scene = bpy.context.scene
    size = (scene.render.resolution_x, scene.render.resolution_y)  # as the import has set it: upright, with square pixels
    told = {"clip": str(clip_path), "inserted": []}
    if not (results / "camera" / "camera.npz").is_file() or not (results / "depth" / "depth.json").is_file():
        bpy.ops.wm.save_as_mainfile(filepath=str(out / "scene.blend"))
        return told
    chosen = spots.choose(results)
    scene.frame_set(chosen.frame + scene.frame_start - chosen.first)
    told["frame"] = chosen.frame
    for role in ("points", "depth points", "cloud"):  # aids for the eye, not for the picture
        if (made := clip.unflatten.made.get(role)) and made.object:
            made.object.hide_render = True
    side_view.render(clip, scene, chosen.extent, stills / "side.png", still)
    set_quality(scene, 6)
    set_width(scene, (size[0] - 2, size[1]), FILM_WIDTH)  # another size than the clip's: the add-on then scales the plate to the render
    told["inserted"] = insert_objects(clip, scene, chosen)
    bpy.ops.wm.save_as_mainfile(filepath=str(out / "scene.blend"))
    if not told["inserted"]:
        return told
    if given.film:
        film(scene, out / "film.mp4", given.film)
    set_quality(scene, 24)
    set_width(scene, size, STILL_WIDTH)
    scene.frame_set(chosen.frame + scene.frame_start - chosen.first)
    still(scene, stills / "insert.png")
    return told


def main() -> None:
    """Read the arguments, work, tell how long it took."""
    given = sys.argv[sys.argv.index("--") + 1:] if "--" in sys.argv else sys.argv[1:]
    parser = argparse.ArgumentParser(prog="scene.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--film", type=int, default=2, help="every so many frames make the film; 0 for none")
    wanted = parser.parse_args(given)
    began = time.monotonic()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    load_extension()
    told = work(wanted)
    (wanted.out / "stills" / "scene.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    put = " and ".join(told["inserted"]) or "nothing"
    print(f"  {'Blender':<18} {time.monotonic() - began:7.1f} s  Blender {bpy.app.version_string}: scene.blend; inserted {put}", flush=True)


main()

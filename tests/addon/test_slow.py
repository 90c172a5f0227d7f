"""Slow motion in Blender: a scene of its own whose camera, depth, tracks and masks stand where the truth is at fractional times."""

from __future__ import annotations

import shutil
import struct
import wave

import bpy
import numpy as np
import pytest
from shots import SIZE, make_shot, write_frames, write_image
from test_depth import distances, evaluated


@pytest.fixture
def made(unflatten, scene, tmp_path):
    """A shot of 4 frames and its slow motion of 13, at times 1, 1.25, ... 4, as `--out` lays them; and what was imported."""
    from unflatten.addon.importers import everything, place

    fine = make_shot(tmp_path / "fine", 1, 13)
    whole = make_shot(tmp_path / "whole", 1, 4)
    slow = tmp_path / "whole" / "slowmo"
    write_frames(fine, slow)
    write_tone(slow / "sound.flac.wav", 13 * 1001 / 24000)
    (slow / "sound.flac.wav").rename(slow / "sound.flac")  # Blender looks at what a file holds, and this environment codes no FLAC
    np.savez(slow / "times.npz", time=1 + np.arange(13) / 4, before=0, after=0, fraction=0.0, fps=np.array([24000, 1001]))
    shutil.copy(tmp_path / "fine" / "camera" / "camera.npz", slow / "camera.npz")
    shutil.copytree(tmp_path / "fine" / "depth", slow / "depth")
    shutil.copytree(tmp_path / "fine" / "mattes" / "person" / "alpha", slow / "alpha" / "person")
    shutil.copy(tmp_path / "fine" / "mattes" / "person" / "contours.json", slow / "alpha" / "person")
    spots = np.array([[0.2, 1.0, 1.7], [-0.5, 2.0, 1.0]])
    seen = np.concatenate([fine.project(row, spots) for row in range(13)])
    np.savez(slow / "tracks.npz", track=np.tile([3, 5], 13), frame=np.repeat(np.arange(1, 14), 2), xy=seen)
    clip = place.load_clip(str(whole.folder / "frames" / "000001.png"))
    clip.unflatten.slow_strip = True

    def run():
        list(everything.import_all(clip, scene, _found(whole.folder), ("camera", "slowmo")))
        memory = clip.unflatten.made["slow motion"]
        return clip, memory.clip, memory.scene

    return fine, spots, run


def _found(folder):
    from unflatten.addon import results

    found = results.of_folder(folder)
    assert {"camera", "slowmo", "retimed"} <= found.keys()
    return found


def shown(block):
    """The block as the scene that is looked at has it at this frame; 4.2 does not write it back without a window of its own."""
    return block.evaluated_get(bpy.context.evaluated_depsgraph_get())


def test_a_scene_of_its_own(made, scene):
    fine, _, run = made
    clip, slow, stage = run()
    assert stage != scene and (stage.frame_start, stage.frame_end) == (1, 13) and stage.active_clip == slow
    assert stage.render.fps / stage.render.fps_base == pytest.approx(24000 / 1001) and stage.render.resolution_x == fine.size[0]
    assert (scene.frame_start, scene.frame_end, scene.active_clip) == (1, 4, clip)
    bpy.context.window_manager.windows[0].scene = stage
    for frame, source in ((1, 1.0), (6, 2.25), (13, 4.0)):
        stage.frame_set(frame)
        assert shown(stage)["source_frame"] == pytest.approx(source)
    assert clip.unflatten.made["points"].object.name in stage.objects  # the same points, no copy
    assert not {item.name for item in scene.objects} & {f"{slow.name} camera", f"{slow.name} depth"}


def test_everything_stands_at_the_truth_between_frames(made):
    from unflatten.addon.nodes import modifier

    fine, spots, run = made
    clip, slow, stage = run()
    window = bpy.context.window_manager.windows[0]
    window.scene = stage
    surface = slow.unflatten.made["depth"].object
    modifier.set_inputs(surface.modifiers[0], {"Step": 1, "Steepest": 90.0})
    for row in (0, 6, 11):
        found, _ = evaluated(stage, surface, row + 1)
        assert len(found) == SIZE[0] * SIZE[1]
        assert distances(fine.positions(row)[1:-1, 1:-1].reshape(-1, 3)[::29], found).max() < 1e-4
        assert np.allclose(np.array(shown(stage.camera).matrix_world)[:3, 3], fine.poses[row][:3, 3], atol=1e-5)
        tracks = slow.tracking.objects[0].tracks
        at = np.array([track.markers.find_frame(row + 1).co for track in tracks])
        truth = fine.project(row, spots)
        assert np.abs(at * fine.size - np.c_[truth[:, 0], fine.size[1] - truth[:, 1]]).max() < 1e-3
    mask = slow.unflatten.made["mask person"].mask
    assert (mask.frame_start, mask.frame_end) == (1, 13)
    assert slow.unflatten.made["alpha person"].image.source == "SEQUENCE"


def test_again_updates_in_place(made, tmp_path):
    from unflatten.addon import versions

    _, _, run = made
    _, slow, stage = run()
    counts = [len(kind) for kind in (bpy.data.scenes, bpy.data.objects, bpy.data.movieclips, bpy.data.masks, slow.tracking.objects[0].tracks)]
    folder = tmp_path / "whole" / "slowmo"
    with np.load(folder / "times.npz") as content:
        np.savez(folder / "times.npz", **{**content, "fps": np.array([50, 1])})
    _, again, same = run()
    assert (again, same) == (slow, stage) and stage.render.fps / stage.render.fps_base == 50
    assert counts == [len(kind) for kind in (bpy.data.scenes, bpy.data.objects, bpy.data.movieclips, bpy.data.masks, slow.tracking.objects[0].tracks)]
    strips = {strip.type: strip for strip in versions.strips_of(stage)}
    assert len(strips["IMAGE"].elements) == 13 and strips["IMAGE"].frame_final_duration == 13
    assert len(versions.strips_of(stage)) == len(strips) == 1 + bpy.app.build_options.audaspace  # some builds know no sound
    assert "SOUND" not in strips or strips["SOUND"].channel != strips["IMAGE"].channel


def write_tone(path, seconds):
    """A tone as 16-bit WAV."""
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 48000, 0, "NONE", ""))
        out.writeframes((8000 * np.sin(np.arange(round(48000 * seconds)) / 20)).astype("<i2").tobytes())


def write_layers(path, layers):
    """Float layers [H, W] by name as an EXR without compression: this environment has no library for it."""
    high, wide = next(iter(layers.values())).shape
    names = sorted(layers)
    box, text = struct.pack("<4i", 0, 0, wide - 1, high - 1), str.encode
    listed = b"".join(text(name) + b"\0" + struct.pack("<2I2I", 2, 0, 1, 1) for name in names) + b"\0"
    head = struct.pack("<2I", 20000630, 2)
    for name, kind, value in (
        ("channels", "chlist", listed), ("compression", "compression", b"\0"), ("dataWindow", "box2i", box), ("displayWindow", "box2i", box),
        ("lineOrder", "lineOrder", b"\0"), ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)), ("screenWindowWidth", "float", struct.pack("<f", 1)),
    ):
        head += text(name) + b"\0" + text(kind) + b"\0" + struct.pack("<I", len(value)) + value
    head += b"\0"
    row = 8 + 4 * wide * len(names)
    table = struct.pack(f"<{high}Q", *(len(head) + 8 * high + row * y for y in range(high)))
    rows = b"".join(struct.pack("<2I", y, row - 8) + b"".join(layers[n][y].astype("<f4").tobytes() for n in names) for y in range(high))
    path.write_bytes(head + table + rows)


def test_vectors_blur_along_the_motion(unflatten, scene, tmp_path):
    """A white block, vectors of 8 px to the right: the blurred picture is smeared across, and not down."""
    from unflatten.addon import versions
    from unflatten.addon.importers import place, slow

    block = np.zeros((64, 96, 4), np.float32)
    block[..., 3], block[20:40, 46:50] = 1, 1
    still = np.zeros((64, 96), np.float32)
    for number in (1, 2):
        write_image(tmp_path / f"{number:06d}.png", block, "PNG")
        write_layers(tmp_path / f"{number:06d}.exr", {f"Motion.Vector.{name}": still - (8 if name in "XZ" else 0) for name in "XYZW"})
    clip = place.load_clip(str(tmp_path / "000001.png"))
    blur = slow.offer_blur(scene, clip, tmp_path)
    assert slow.offer_blur(scene, clip, tmp_path) == blur
    tree, result, _ = versions.compositor(scene)
    assert versions.shown(result) is None  # offered, not forced
    tree.links.new(blur.outputs[0], result)
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x, scene.render.resolution_y = 96, 64
    scene.view_settings.view_transform, scene.render.filepath = "Standard", str(tmp_path / "out.png")
    scene.camera = bpy.data.objects.new("eye", bpy.data.cameras.new("eye"))
    scene.collection.objects.link(scene.camera)
    versions.write_images(scene)
    bpy.ops.render.render(write_still=True)
    made = bpy.data.images.load(str(tmp_path / "out.png"))
    seen = np.array(made.pixels[:]).reshape(64, 96, 4)[::-1, :, 0]
    assert seen[30, 44:46].min() > 0.3 and seen[30, 50:52].min() > 0.3 and seen[30, :43].max() < 0.02
    assert np.diff(seen[30, 44:47]).min() > 0 and seen[19, 48] < 0.02 and seen[20, 48] > 0.9

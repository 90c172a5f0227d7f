"""Side by side: our solve against pycolmap's SIFT pipelines and Blender's tracker, on shots with truth. Run from the repository's root:

    python tests/bench/camera.py orbit handheld kitti --frames 40 --size 640 --peers sift,blender [--keep FOLDER]

A shot is one of the made ones, kitti, 7scenes, or the folder of a clip in 1_static or 2_dynamic, of which no truth is known.
Prints one table row per shot and method: errors of path and turn (in brackets against a better truth: 7scenes' depth frames registered to
each other, see kinect.py, and kitti's stored path from where its turn was measured), focal error, frames placed, CPU-seconds a frame
(children included; ours: of the solve alone, then of frames, flow and movers), and whether a bad answer was warned of. With --keep, what is
already in FOLDER is not made again; delete FOLDER/SHOT/solve after a change of the engine. Peers are sift, blender, blender-few, with
a quarter of the markers, and blender-often, which looks for new ones three times as often.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine import device  # noqa: E402

device.one_thread_products()  # as the engine does, before numpy comes
device.keep_memory()

import kinect  # noqa: E402
import numpy as np  # noqa: E402

from engine.camera import outcome  # noqa: E402
from engine.contract.job import Request  # noqa: E402
from engine.contract.options import Flow, Frames, Movers, Solve  # noqa: E402
from engine.failures import Failure  # noqa: E402
from engine.metrics.trajectory import compare  # noqa: E402
from engine.stage import Inputs, Report  # noqa: E402
from engine.stages import flow, frames, movers, solve  # noqa: E402

FOOTAGE = ROOT.parent / "shared" / "clips"
CLIPS = FOOTAGE / "3_gt"
# Blender's tracker by the distance of its markers in parts of the width, and the frames from one look for new ones to the next.
TRACKERS = {"blender": (0.04, 12), "blender-few": (0.08, 12), "blender-often": (0.04, 4)}
STORED = "kitti", "7scenes"  # whose true path comes from another sensor
TURNS = 11  # frame from which on kitti's stored turn was measured; before, its rate stays the same to 0.001 degrees
FAR, ASTRAY = 2.0, 10.0  # % of the path and of the focal length from which an answer is a bad one
SIFT = """
import json, resource, sys, pycolmap
frames, folder = sys.argv[1:3]
pycolmap.logging.minloglevel = 3
reader = pycolmap.ImageReaderOptions(); reader.camera_model = "SIMPLE_RADIAL"
extract = pycolmap.FeatureExtractionOptions(); extract.use_gpu = False; extract.sift.max_num_features = 2048
pycolmap.extract_features(folder + "/sift.db", frames, camera_mode=pycolmap.CameraMode.SINGLE, reader_options=reader, extraction_options=extract)
match = pycolmap.FeatureMatchingOptions(); match.use_gpu = False
pairs = pycolmap.SequentialPairingOptions(); pairs.overlap = 5
pycolmap.match_sequential(folder + "/sift.db", matching_options=match, pairing_options=pairs)
spent = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
both = spent()
for name, run in (("incremental", pycolmap.incremental_mapping), ("global", pycolmap.global_mapping)):
    start = spent()
    if name == "global": pycolmap.calibrate_view_graph(folder + "/sift.db")
    maps = run(folder + "/sift.db", frames, folder)
    best = max(maps.values(), key=lambda m: m.num_reg_images(), default=None)
    posed = [] if best is None else [i for i in best.images.values() if i.has_pose]
    out = {i.name[:6]: [i.cam_from_world().matrix().tolist(), float(best.cameras[i.camera_id].params[0])] for i in posed}
    json.dump({"seconds": both + spent() - start, "found": out}, open(folder + "/" + name + ".json", "w"))
"""


def cpu() -> float:
    """CPU-seconds of this process and its finished children."""
    return sum(use.ru_utime + use.ru_stime for use in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def run(stage, options, root: Path, name: str, clip: str = "", last: int | None = None, **inputs: Path) -> Path:
    """One stage in a folder of its own."""
    room = root / name
    room.mkdir(parents=True, exist_ok=True)
    stage.run(Inputs(Request(clip=clip, wants=("camera",), store="", last=last), inputs), options, Report(name, lambda m: None, lambda *a: None), room)
    return room


def shot(name: str, count: int, size: int, root: Path) -> tuple[str, dict[int, tuple[np.ndarray, float]], int]:
    """The clip, true pose and focal length (px at the clip's own width) by frame number, and that width."""
    if name == "kitti":
        poses = np.loadtxt(CLIPS / "pose_kitti_a" / "poses.txt").reshape(-1, 3, 4)
        poses = np.concatenate([poses, np.tile([[[0, 0, 0, 1.0]]], (len(poses), 1, 1))], 1)
        return str(CLIPS / "pose_kitti_a" / "image_l"), {k: (pose, 707.0912) for k, pose in enumerate(poses)}, 1226
    if name == "7scenes":
        folder = CLIPS / "depthpose_7scenes_redkitchen"
        truth = {int(p.name[6:12]): (np.loadtxt(p), 525.0) for p in sorted(folder.glob("*.pose.txt"))}
        return str(folder / "frame-%06d.color.jpg"), truth, 640
    for folder in (FOOTAGE / "1_static" / name, FOOTAGE / "2_dynamic" / name):
        if folder.is_dir():
            films = [path for path in sorted(folder.iterdir()) if path.suffix in (".mp4", ".mov", ".avi")]
            return str(films[0] if films else next((folder / "video").rglob("*.*")).parent), {}, size
    made = root / "made"
    order = [sys.executable, "-m", "engine.synth", name, "--out", str(made), "--frames", str(count), "--size", f"{size}x{size * 9 // 16}", "--no-between"]
    if not (made / "camera.npz").is_file():
        subprocess.run(order, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with np.load(made / "camera.npz") as file:
        truth = {int(n): (pose, float(f[0])) for n, pose, f in zip(file["frame"], file["world_from_camera"], file["focal"])}
    return str(made / "clip.mp4"), truth, size


Poses = dict[int, tuple[np.ndarray, float]]  # by frame number: world_from_camera [4, 4], focal length in px


@functools.cache
def better(name: str) -> dict[int, np.ndarray]:
    """True poses by frame number that are nearer the truth than the stored ones of STORED; of other shots none."""
    if name not in STORED:
        return {}
    stored = {number: pose for number, (pose, _) in shot(name, 0, 0, Path())[1].items()}
    if name == "7scenes":
        return kinect.seven_scenes(CLIPS / "depthpose_7scenes_redkitchen", stored)
    return {number: pose for number, pose in stored.items() if number >= TURNS}


def row(name: str, method: str, poses: Poses, truth: Poses, factor: float, total: int, cost: str, says: str = "", doubted: bool | None = None) -> None:
    """One line of the table; `doubted` says whether the answer was given with a warning, None where a method cannot say."""
    both = sorted(set(poses) & set(truth))
    if len(both) < 3:
        print(f"| {name} | {method} | - | - | - | {len(poses)} / {total} | {cost} | {says} | - |", flush=True)
        return
    error = compare(
        np.array([poses[n][0] for n in both]),
        np.array([truth[n][0] for n in both]),
        np.array([poses[n][1] for n in both]),
        np.array([truth[n][1] * factor for n in both]),
    )
    still = np.ptp([truth[n][0][:3, 3] for n in both], axis=0).max() < 1e-6
    ate = float("nan") if still else error.ate_percent
    bad = ate > FAR or error.focal_percent > ASTRAY
    verdict = "-" if doubted is None else "right" if not bad else "warned" if doubted else "**WRONG**"
    far, turn = f"{ate:.3f}", f"{error.rotation_degrees:.3f}"
    if known := [n for n in both if n in better(name)]:
        again = compare(np.array([poses[n][0] for n in known]), np.array([better(name)[n] for n in known]))
        far, turn = f"{far} ({again.ate_percent:.3f})", f"{turn} ({again.rotation_degrees:.3f})"
    print(
        f"| {name} | {method} | {far} | {turn} | {error.focal_percent:.2f} | {len(both)} / {total} | {cost} | {says} | {verdict} |",
        flush=True,
    )


def main() -> None:
    """Measure every shot asked for."""
    ask = argparse.ArgumentParser()
    ask.add_argument("shots", nargs="+")
    ask.add_argument("--frames", type=int, default=40)
    ask.add_argument("--size", type=int, default=640)
    ask.add_argument("--peers", default="sift,blender")
    ask.add_argument("--keep", type=Path)
    given = ask.parse_args()
    print("| shot | method | ATE % of path | turn, degrees | focal % | placed | CPU-s a frame | says | judged |\n|---|---|---|---|---|---|---|---|---|")
    for name in (Path(shot).name for shot in given.shots):
        with contextlib.nullcontext(given.keep / name) if given.keep else tempfile.TemporaryDirectory() as folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            measure(name, given.frames, given.size, [peer for peer in given.peers.split(",") if peer], Path(folder))


def measure(name: str, count: int, size: int, peers: list[str], root: Path) -> None:
    """One shot, ours and the peers."""
    clip, truth, width = shot(name, count, size, root)
    last = count - (name in ("kitti", "7scenes"))
    pictures, before = once(root, "frames", lambda: run(frames, Frames(size=size), root, "frames", clip=clip, last=last))
    flows, flowing = once(root, "flow", lambda: run(flow, Flow(), root, "flow", frames=pictures))
    masks, telling = once(root, "movers", lambda: run(movers, Movers(), root, "movers", frames=pictures, flow=flows))
    about = json.loads((pictures / "clip.json").read_text())
    total, factor = len(about["frames"]), about["size"][0] / width
    ours(name, root, truth, factor, total, before + flowing + telling)
    for peer in peers:
        theirs(name, peer, root, truth, factor, total)


def once(root: Path, name: str, make: Callable[[], object]) -> tuple[Path, float]:
    """What `make` lays into root/name, made only where it is not there yet, and the CPU-seconds that took."""
    note = root / name / "cpu.json"
    if not note.is_file():
        start = cpu()
        make()
        note.write_text(json.dumps(cpu() - start))
    return root / name, float(json.loads(note.read_text()))


def ours(name: str, root: Path, truth: Poses, factor: float, total: int, before: float) -> None:
    """The row of our own solve; `before` are the CPU-seconds of frames, flow and movers."""
    try:
        room, seconds = once(root, "solve", lambda: run(solve, Solve(), root, "solve", frames=root / "frames", movers=root / "movers"))
    except Failure as failure:
        row(name, "ours", {}, truth, factor, total, f"+ {before / total:.3f}", f"refused: {failure.code}")
        return
    got = outcome.read(room)
    camera, about = got.camera, got.report
    mine = {int(n): (pose, float(f[0])) for n, pose, f, good in zip(camera.frame, camera.world_from_camera, camera.focal, camera.solved) if good}
    says = (
        f"{about['verdict']}, {about['motion']}, {about['lens']}, focal +- {about['focal'].get('sigma_percent')} %, "
        f"path +- {about.get('path_sigma_percent')} %, {about['error']['mean']:.2f} px"
    )
    row(name, "ours", mine, truth, factor, total, f"{seconds / total:.3f} + {before / total:.3f}", says, about["verdict"] != "good")


def theirs(name: str, peer: str, root: Path, truth: Poses, factor: float, total: int) -> None:
    """The rows of a peer: sift with its two ways of mapping, or one of TRACKERS."""
    room = root / peer
    if peer in TRACKERS:
        ways = {"blender": "Blender's tracker, {:.0%}, every {}".format(*TRACKERS[peer])}
        script = [str(ROOT / ".venv-blender/bin/python"), str(ROOT / "tests/bench/blender_tracker.py")]
        order = [*script, str(root / "frames"), str(room / "blender.json"), *map(str, TRACKERS[peer])]
    else:
        ways = {way: f"pycolmap SIFT, {way}" for way in ("incremental", "global")}
        order = [sys.executable, "-c", SIFT, str(root / "frames"), str(room)]

    def make() -> None:
        room.mkdir(exist_ok=True)
        (room / "sift.db").unlink(missing_ok=True)
        subprocess.run(order, check=False, capture_output=True)

    _, seconds = once(root, peer, make)
    for way, method in ways.items():
        told = room / f"{way}.json"
        answer = json.loads(told.read_text()) if told.is_file() else {}
        found = {}
        for number, (matrix, focal) in answer.get("found", {}).items():
            pose = np.array(matrix) if peer in TRACKERS else np.linalg.inv(np.vstack([matrix, [0, 0, 0, 1]]))
            found[int(number)] = (pose, focal)
        says = f"{answer['markers']} markers" if "markers" in answer else ""
        row(name, method, found, truth, factor, total, f"{answer.get('seconds', seconds) / total:.3f}", says)


if __name__ == "__main__":
    main()

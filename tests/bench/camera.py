"""Side by side: our solve against pycolmap's SIFT pipelines and Blender's tracker, on shots with truth. Run from the repository's root:

    python tests/bench/camera.py orbit handheld kitti --frames 40 --size 640 --peers global,incremental,blender

Prints one table row per shot and method: error, focal error, frames placed, CPU-seconds a frame (children included; flow and movers apart).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.camera import outcome  # noqa: E402
from engine.contract.job import Request  # noqa: E402
from engine.contract.options import Flow, Frames, Movers, Solve  # noqa: E402
from engine.failures import Failure  # noqa: E402
from engine.metrics.trajectory import compare  # noqa: E402
from engine.stage import Inputs, Report  # noqa: E402
from engine.stages import flow, frames, movers, solve  # noqa: E402

CLIPS = ROOT.parent / "shared" / "clips" / "3_gt"
SIFT = """
import json, sys, pycolmap, numpy as np
folder, mapper = sys.argv[1:3]
pycolmap.logging.minloglevel = 3
reader = pycolmap.ImageReaderOptions(); reader.camera_model = "SIMPLE_RADIAL"
extract = pycolmap.FeatureExtractionOptions(); extract.use_gpu = False; extract.sift.max_num_features = 2048
pycolmap.extract_features(folder + "/sift.db", folder + "/frames", camera_mode=pycolmap.CameraMode.SINGLE, reader_options=reader, extraction_options=extract)
match = pycolmap.FeatureMatchingOptions(); match.use_gpu = False
pairs = pycolmap.SequentialPairingOptions(); pairs.overlap = 5
pycolmap.match_sequential(folder + "/sift.db", matching_options=match, pairing_options=pairs)
run = pycolmap.global_mapping if mapper == "global" else pycolmap.incremental_mapping
if mapper == "global": pycolmap.calibrate_view_graph(folder + "/sift.db")
maps = run(folder + "/sift.db", folder + "/frames", folder)
best = max(maps.values(), key=lambda m: m.num_reg_images(), default=None)
posed = [] if best is None else [i for i in best.images.values() if i.has_pose]
out = {i.name[:6]: [i.cam_from_world().matrix().tolist(), float(best.cameras[i.camera_id].params[0])] for i in posed}
json.dump(out, open(folder + "/sift.json", "w"))
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
    made = root / "made"
    order = [sys.executable, "-m", "engine.synth", name, "--out", str(made), "--frames", str(count), "--size", f"{size}x{size * 9 // 16}"]
    subprocess.run(order, cwd=ROOT, check=True)
    with np.load(made / "camera.npz") as file:
        truth = {int(n): (pose, float(f[0])) for n, pose, f in zip(file["frame"], file["world_from_camera"], file["focal"])}
    return str(made / "clip.mp4"), truth, size


def row(name: str, method: str, poses: dict[int, tuple[np.ndarray, float]], truth: dict, factor: float, total: int, seconds: float, note: str = "") -> None:
    """One line of the table."""
    both = sorted(set(poses) & set(truth))
    if len(both) < 3:
        print(f"| {name} | {method} | - | - | - | {len(both)} / {total} | {seconds / total:.3f} | {note} |", flush=True)
        return
    error = compare(
        np.array([poses[n][0] for n in both]), np.array([truth[n][0] for n in both]),
        np.array([poses[n][1] for n in both]), np.array([truth[n][1] * factor for n in both]),
    )
    print(f"| {name} | {method} | {error.ate_percent:.3f} | {error.rotation_degrees:.3f} | {error.focal_percent:.2f} | {len(both)} / {total} "
          f"| {seconds / total:.3f} | {note} |", flush=True)


def main() -> None:
    """Measure every shot asked for."""
    ask = argparse.ArgumentParser()
    ask.add_argument("shots", nargs="+")
    ask.add_argument("--frames", type=int, default=40)
    ask.add_argument("--size", type=int, default=640)
    ask.add_argument("--peers", default="global,incremental")
    given = ask.parse_args()
    print("| shot | method | ATE % of path | turn, degrees | focal % | placed | CPU-s a frame | says |\n|---|---|---|---|---|---|---|---|")
    for name in given.shots:
        with tempfile.TemporaryDirectory() as folder:
            measure(name, given.frames, given.size, [peer for peer in given.peers.split(",") if peer], Path(folder))


def measure(name: str, count: int, size: int, peers: list[str], root: Path) -> None:
    """One shot, ours and the peers."""
    clip, truth, width = shot(name, count, size, root)
    pictures = run(frames, Frames(size=size), root, "frames", clip=clip, last=count - (name in ("kitti", "7scenes")))
    about = json.loads((pictures / "clip.json").read_text())
    total, factor = len(about["frames"]), about["size"][0] / width
    flows = run(flow, Flow(), root, "flow", frames=pictures)
    masks = run(movers, Movers(), root, "movers", frames=pictures, flow=flows)
    start = cpu()
    try:
        got = outcome.read(run(solve, Solve(), root, "solve", frames=pictures, movers=masks))
        camera, sigma = got.camera, got.report["focal"].get("sigma_percent")
        mine = {int(n): (pose, float(f[0])) for n, pose, f, good in zip(camera.frame, camera.world_from_camera, camera.focal, camera.solved) if good}
        says = f"{got.report['verdict']}, {got.report['motion']}, {got.report['lens']}, focal +- {sigma} %, path +- {got.report.get('path_sigma_percent')} %"
        row(name, "ours", mine, truth, factor, total, cpu() - start, says)
    except Failure as failure:
        row(name, "ours", {}, truth, factor, total, cpu() - start, failure.code)
    for peer in peers:
        (root / "sift.db").unlink(missing_ok=True)
        start = cpu()
        blender = peer == "blender"
        order = [ROOT / ".venv-blender/bin/python", ROOT / "tests/bench/blender_tracker.py", pictures, root / "sift.json"]
        subprocess.run(list(map(str, order)) if blender else [sys.executable, "-c", SIFT, str(root), peer], check=False, capture_output=True)
        found = json.loads((root / "sift.json").read_text()) if (root / "sift.json").is_file() else {}
        (root / "sift.json").unlink(missing_ok=True)
        theirs = {}
        for number, (matrix, focal) in found.items():
            pose = np.array(matrix) if blender else np.linalg.inv(np.vstack([matrix, [0, 0, 0, 1]]))
            theirs[int(number)] = (pose, focal)
        row(name, "Blender's tracker" if blender else f"pycolmap SIFT, {peer}", theirs, truth, factor, total, cpu() - start)


if __name__ == "__main__":
    main()

"""Packs the rendered sample shot: video and compact truth beside this file; runs in the engine's Python, never in Blender.

    python pack.py RAW      RAW as make.py leaves it

    sample.mp4                   48 frames, 640x360, 24 fps
    truth/camera.npz             as the contract's camera
    truth/depth/%06d.exr         Z along the optical axis, metres, half precision, every sixth frame
    truth/alpha/%06d.png         8 bit, share of the pixel that the robot covers, every frame
    truth/flow/%06d.npz          flow [H, W, 2] float16 px to the next frame, every twelfth frame
    truth/between/%06d.jpg       the true picture half a frame later, every fourth frame
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import OpenEXR

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from engine.synth.files import write_video  # noqa: E402

GRAIN = 0.006  # deviation of the film grain, display-referred
SUBJECT = "Robot"


def read_passes(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """All channels of Blender's multilayer EXR, and the cryptomatte manifest: name -> hexadecimal."""
    channels: dict[str, np.ndarray] = {}
    manifest: dict[str, str] = {}
    with OpenEXR.File(str(path), separate_channels=True) as file:
        for part in file.parts:
            channels |= {name.removeprefix("ViewLayer."): np.array(channel.pixels) for name, channel in part.channels.items()}
            for key, value in part.header.items():
                if key.startswith("cryptomatte/") and key.endswith("/manifest"):
                    manifest |= json.loads(value)
    return channels, manifest


def coverage(channels: dict[str, np.ndarray], code: str) -> np.ndarray:
    """The matte [H, W] float32 of one cryptomatte name: its share in every ranked layer, summed."""
    wanted = np.array(int(code, 16), np.uint32).view(np.float32)
    total = np.zeros(channels["Depth.Z"].shape, np.float32)
    for layer in ("00", "01", "02"):
        for name, share in (("r", "g"), ("b", "a")):
            identity = _either(channels, f"CryptoAsset{layer}.{name}")
            total += np.where(identity == wanted, _either(channels, f"CryptoAsset{layer}.{share}"), 0)
    return np.clip(total, 0, 1)


def _either(channels: dict[str, np.ndarray], name: str) -> np.ndarray:
    return channels[name] if name in channels else channels[name[:-1] + {"r": "R", "g": "G", "b": "B", "a": "A"}[name[-1]]]


def write_coded(path: Path, picture: np.ndarray, *settings: int) -> None:
    """A picture in the format of the path's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture, settings)[1].tobytes())


def read_picture(path: Path) -> np.ndarray:
    """RGB uint8."""
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def pack_video(raw: Path, numbers: list[int]) -> None:
    """The frames with a little grain, as H.264."""
    dice = np.random.default_rng(1)
    frames = [read_picture(raw / "picture" / f"{number:06d}.png") / 255.0 for number in numbers]
    grained = [frame + GRAIN * dice.standard_normal(frame.shape) for frame in frames]
    pictures = np.stack([np.clip(np.rint(frame * 255), 0, 255).astype(np.uint8) for frame in grained])
    write_video(pictures, HERE / "sample.mp4", crf=17)


def pack_frame(raw: Path, number: int, truth: Path) -> None:
    """What is known of one frame."""
    channels, manifest = read_passes(raw / "pass" / f"{number:06d}.exr")
    write_coded(truth / "alpha" / f"{number:06d}.png", np.rint(coverage(channels, manifest[SUBJECT]) * 255).astype(np.uint8))
    if number % 6 == 1:
        path = truth / "depth" / f"{number:06d}.exr"
        path.parent.mkdir(parents=True, exist_ok=True)
        header = {"compression": OpenEXR.PIZ_COMPRESSION, "type": OpenEXR.scanlineimage}
        OpenEXR.File(header, {"Z": channels["Depth.Z"].astype(np.float16)}).write(str(path))
    if number % 12 == 1:
        flow = np.stack([-channels["Vector.Z"], channels["Vector.W"]], -1).astype(np.float16)
        (truth / "flow").mkdir(parents=True, exist_ok=True)
        np.savez_compressed(truth / "flow" / f"{number:06d}.npz", flow=flow)


def main(raw: Path) -> None:
    """Pack whatever RAW holds."""
    known = json.loads((raw / "camera.json").read_text(encoding="utf-8"))
    numbers = sorted(int(path.stem) for path in (raw / "picture").glob("*.png"))
    size, count = np.array(known["size"]), len(numbers)
    truth = HERE / "truth"
    truth.mkdir(exist_ok=True)
    np.savez(truth / "camera.npz", frame=np.array(numbers), world_from_camera=np.array(known["world_from_camera"])[np.array(numbers) - 1],
             focal=np.full((count, 2), known["focal"]), centre=np.tile(size / 2, (count, 1)), distortion=np.zeros((count, 4)),
             solved=np.ones(count, bool), size=size)
    pack_video(raw, numbers)
    for number in numbers:
        pack_frame(raw, number, truth)
    for path in sorted((raw / "half").glob("*.png")):
        write_coded(truth / "between" / f"{path.stem}.jpg", read_picture(path)[..., ::-1], cv2.IMWRITE_JPEG_QUALITY, 95)
    print(f"{count} frames, {sum(file.stat().st_size for file in HERE.rglob('*') if file.suffix != '.py' and raw not in file.parents) / 1e6:.1f} MB in {HERE}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

"""Synth room: a made shot on disk — the clip as a video, the truth in the contract's formats; imports av, cv2 and the media room.

    FOLDER/clip.mp4              what an artist would have
    FOLDER/camera.npz            as the contract's camera
    FOLDER/depth/%06d.exr        Z float32, confidence 1; 0 = sky
    FOLDER/alpha/%06d.png        16 bit, share of the pixel that movers cover
    FOLDER/flow/%06d.npz         flow [H, W, 2] float32 px to the next frame, visible [H, W] bool
    FOLDER/between/%06d.png      the true picture half a frame after the one it is numbered by
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from ..media.frames import write_depth
from ..store import beside, write_json, writing
from .shots import FPS, Shot


def write_clip(shot: Shot, path: Path, crf: int = 10, fps: int = FPS) -> None:
    """The shot as H.264 (4:2:0, Rec. 709, limited range), one thread so that the bytes repeat."""
    write_video(shot.pictures, path, crf, fps)


def write_video(pictures: np.ndarray, path: Path, crf: int = 10, fps: int = FPS) -> None:
    """pictures [T, H, W, 3] uint8 RGB as H.264 in whatever container the path's ending names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "medium", "threads": "1"}
        stream.codec_context.color_range = 1
        stream.codec_context.colorspace = stream.codec_context.color_primaries = stream.codec_context.color_trc = 1
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_picture(path: Path, picture: np.ndarray) -> None:
    """PNG from RGB uint8 or grey uint8 or uint16."""
    ordered = picture[..., ::-1] if picture.ndim == 3 else picture
    ok, coded = cv2.imencode(".png", np.ascontiguousarray(ordered))
    if not ok:
        raise ValueError(f"{path} could not be coded as PNG")
    with beside(path) as fresh:
        fresh.write_bytes(coded.tobytes())


def write_camera(path: Path, shot: Shot) -> None:
    """The contract's camera.npz."""
    with writing(path) as file:
        np.savez(file, frame=shot.frame, world_from_camera=shot.world_from_camera, focal=shot.focal, centre=shot.centre,
                 distortion=shot.distortion, solved=np.ones(len(shot.frame), bool), size=np.array(shot.size))


def write_stages(shot: Shot, root: Path) -> dict[str, Path]:
    """frames/ and orient/ as the stages leave them, with the true camera: what depth begins with. Stage -> folder."""
    numbers = shot.frame.tolist()
    for number, picture in zip(numbers, shot.pictures):
        write_picture(root / "frames" / f"{number:06d}.png", picture)
    write_json(root / "frames" / "clip.json", {
        "size": list(shot.size), "fps": f"{FPS}/1", "frames": numbers, "times": [k / FPS for k in range(len(numbers))], "cuts": [], "duplicates": [],
        "bits": 8, "source_size": list(shot.size), "source": shot.name, "kind": "video", "audio": False,
    })
    write_camera(root / "orient" / "camera.npz", shot)
    return {name: root / name for name in ("frames", "orient")}


def write_truth(shot: Shot, folder: Path, between: bool = True) -> None:
    """Everything that is known of the shot, in the layout told at the top of this file."""
    write_camera(folder / "camera.npz", shot)
    for row, frame in enumerate(shot.frame):
        write_depth(folder / "depth" / f"{frame:06d}.exr", shot.depth[row], (shot.depth[row] > 0).astype(np.float32))
        write_picture(folder / "alpha" / f"{frame:06d}.png", np.rint(shot.alpha[row] * 65535).astype(np.uint16))
        if row + 1 < len(shot.frame):
            with writing(folder / "flow" / f"{frame:06d}.npz") as file:
                np.savez_compressed(file, flow=shot.flow[row], visible=shot.visible[row])
            if between:
                write_picture(folder / "between" / f"{frame:06d}.png", shot.between(frame + 0.5))

"""Clips made for the tests of footage, and how they are read."""

from fractions import Fraction

import av
import cv2
import numpy as np

from engine.media.clip import open_clip


def read(path, **kwargs):
    """(clip, numbers, times, pictures, warnings)."""
    said: list[str] = []
    clip = open_clip(path, said.append, **kwargs)
    frames = list(clip.frames())
    return clip, [f.number for f in frames], [f.time for f in frames], [f.picture() for f in frames], said


def film(path, pictures, rate=24, codec="libx264", pixels="yuv444p", options=None, stamps=None, **about):
    """Write RGB uint8 pictures as video; `about`: attributes of the stream's codec context, or turn=degrees."""
    turn, sar = about.pop("turn", None), about.pop("sar", None)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {"crf": "4"} if codec == "libx264" else options or {})
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], pixels
        if sar:
            stream.sample_aspect_ratio = sar
        if turn is not None:
            stream.set_display_rotation(turn, hflip=about.pop("mirror", False))
        for name, value in {"colorspace": 1, "color_range": 1, **about}.items():
            setattr(stream.codec_context, name, value)
        if stamps:
            stream.codec_context.time_base = Fraction(1, 1000)
        for k, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            space, span = about.get("colorspace", 1), about.get("color_range", 1)
            frame = frame.reformat(format=pixels, dst_colorspace=space, src_colorspace=space, src_color_range=2, dst_color_range=span)
            if stamps:
                frame.pts, frame.time_base = stamps[k], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def patches(count=4, height=64, width=96):
    """Flat saturated patches that move along by one field a frame: any mistake of matrix, range or order shows."""
    colours = np.array([[235, 20, 20], [20, 235, 20], [20, 20, 235], [128, 128, 128], [16, 16, 16], [235, 235, 235]], np.uint8)
    out = []
    for k in range(count):
        row = np.roll(colours, k, axis=0)[:, None].repeat(width // 6, axis=1).reshape(1, -1, 3)
        picture = row.repeat(height, axis=0)
        picture[: height // 4] //= 2
        out.append(np.ascontiguousarray(picture))
    return out


def numbered(folder, names, picture):
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return folder

"""Options of the stage 'interpolate'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option
from .films import CODECS


@dataclass(frozen=True)
class Interpolate:
    """Frames in between."""

    factor: int = option(2, "Factor", "How many output frames for each source frame", low=1, high=64, unit="x")
    fps: str = option(
        "", "Frame rate", "Change the frame rate at the same speed, in place of the factor: '60' or '60000/1001'", advanced=True,
    )
    speed: str = option(
        "", "Speed curve", "Speed in percent at source frames, in place of the factor: '1:100, 40:25, 60:100'", advanced=True,
    )
    times: str = option(
        "", "Times", "Own list of source times in frames, in place of the factor: '1, 1.25, 3' or ranges FIRST:LAST:STEP; "
        "any order, so a freeze repeats a time and a reverse runs down", advanced=True,
    )
    method: str = option(
        "flow", "Method", "How frames in between are made",
        choices=(
            ("flow", "Optical flow", "Motion both ways, weighed by what each frame sees"),
            ("super_slomo", "Super SloMo", "The published networks; needs their weights"),
            ("blocks", "Block motion", "FFmpeg's block motion compensation, 8 bit"),
            ("blend", "Blend", "Cross-fade between neighbours"),
            ("sample", "Nearest", "Repeat the nearest frame"),
        ),
    )
    weights: str = option(
        "", "Weights", "The file SuperSloMo.ckpt, or weights of your own training; empty takes those that are installed", kind="file", advanced=True,
        only=("method", "super_slomo"), installed=("SuperSloMo.ckpt",),
    )
    size: int = option(
        0, "Motion size", "Longest side at which motion is searched; 0 searches at the frames' own size", low=0, high=16384, unit="px",
        advanced=True,
    )
    vectors: bool = option(
        False, "Motion vectors", "Also write how far each pixel moves from and to the neighbouring output frames, as EXR for Vector Blur", advanced=True,
    )
    output: str = option(
        "images", "Output", "What is written beside times.npz",
        choices=(
            ("images", "Image sequence", "PNG, 16 bit where the source is"),
            ("video", "Video", "One file beside the image sequence"),
        ),
    )
    codec: str = option(
        "h264", "Codec", "How the video is coded; colour tags and range are those of the clip", only=("output", "video"), advanced=True,
        choices=CODECS,
    )
    crf: int = option(18, "Video quality", "Rate factor of H.264 and H.265: less is better and larger", low=0, high=51, advanced=True)
    sound: bool = option(True, "Sound", "Keep the clip's sound, stretched with its pitch kept; not with a speed curve or times", advanced=True)

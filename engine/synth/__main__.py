"""Synth room's command line: `python -m engine.synth NAME --out FOLDER --frames N --size WxH` writes a shot and its truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from .files import write_clip, write_truth
from .shots import SHOTS, render


def main(argv: list[str] | None = None) -> int:
    """Render one shot into a folder; returns the exit status."""
    parser = argparse.ArgumentParser(prog="engine.synth", description="A shot made by code, with everything that is known of it.")
    parser.add_argument("name", choices=SHOTS)
    parser.add_argument("--out", type=Path, required=True, help="folder for clip.mp4 and the truth")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--size", default="640x360", help="WIDTHxHEIGHT in pixels")
    parser.add_argument("--supersample", type=int, default=2, help="rays along each side of a pixel")
    parser.add_argument("--clean", action="store_true", help="no grain, no exposure jitter, no motion blur")
    parser.add_argument("--no-between", action="store_true", help="leave out the true pictures between frames")
    given = parser.parse_args(argv)
    width, height = (int(part) for part in given.size.lower().split("x"))
    shot = render(given.name, given.frames, (width, height), given.supersample, given.clean)
    write_clip(shot, given.out / "clip.mp4")
    write_truth(shot, given.out, between=not given.no_between)
    print(f"{given.name}: {given.frames} frames of {width}x{height} in {given.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

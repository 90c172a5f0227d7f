"""The codecs that films may be written in, one list for every stage that writes some; standard library only."""

from __future__ import annotations

CODECS = (
    ("h264", "H.264", "8 bit, MP4: small, plays everywhere"),
    ("h265", "H.265", "10 bit, MP4: smaller, keeps gradients"),
    ("prores", "ProRes 422 HQ", "10 bit, MOV: large, for editing and grading"),
)

"""The media room's colour tags: how a clip's numbers are meant, as containers say it; carried from the clip to films made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

BT709 = 1


@dataclass(frozen=True)
class Colour:
    """Code points of ITU-T H.273. Pictures are never converted: a film in the clip's colours needs the clip's tags."""

    primaries: int = BT709
    transfer: int = BT709
    matrix: int = BT709  # of YUV
    full: bool = False  # range 0..255 instead of 16..235

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Colour:
        """From clip.json."""
        return cls(**{field.name: content[field.name] for field in fields(cls)})

    def write(self) -> dict[str, Any]:
        """For clip.json."""
        return asdict(self)

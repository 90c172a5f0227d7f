"""Options of the stage 'export'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option


@dataclass(frozen=True)
class Export:
    """The camera for other programs."""

    nerfstudio: bool = option(True, "nerfstudio", "transforms.json with the clip's frames as pictures and the points as a start")
    chan: bool = option(True, "Nuke .chan", "Place, turn (degrees, order ZXY) and vertical field of view for each frame; Y is up, as in Nuke")
    plates: str = option(
        "none", "Lens", "What takes the lens's distortion, and a rolling shutter's shear, out of the plate",
        choices=(
            ("none", "Nothing", "The other files carry the distortion, where their format knows it"),
            ("maps", "ST maps", "EXR maps that straighten a plate and bend a render back, read by every compositor"),
            ("frames", "Straight plates", "Every frame without distortion and shear, as PNG"),
            ("both", "Both", "Maps and plates"),
        ),
    )

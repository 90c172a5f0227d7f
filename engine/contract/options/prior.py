"""Options of the stage 'prior'; standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from ..option import option

# Folders of installed networks by method, the first that is there; 'auto' takes only what may be used commercially.
NETWORKS = {
    "auto": ("depth_anything_v2_small", "midas_dpt_large"),
    "depth_anything": ("depth_anything_v2_small", "depth_anything_v2_base", "depth_anything_v2_large"),
    "midas": ("midas_dpt_large",),
}


@dataclass(frozen=True)
class Prior:
    """What a network makes of each picture by itself, as a help where parallax says nothing."""

    method: str = option(
        "auto", "Method", "Where a first guess of depth comes from",
        choices=(
            ("auto", "Automatic", "An installed network whose licence allows all work; without one, parallax alone"),
            ("none", "None", "Parallax alone"),
            ("depth_anything", "Depth Anything V2", "This network; it must be installed or given"),
            ("midas", "MiDaS (DPT)", "This network; it must be installed or given"),
            ("pictures", "Pictures", "Depth maps that another program has made, one for each frame"),
        ),
    )
    weights: str = option(
        "", "Weights", "Folder of the network as transformers saves it (config.json, model.safetensors), in place of the installed one", kind="folder",
        only=("method", tuple(NETWORKS)), installed=NETWORKS,
    )
    pictures: str = option(
        "", "Depth maps", "Folder of EXR, PNG or NumPy files, each named by its frame number", kind="folder", only=("method", "pictures"),
    )
    holds: str = option(
        "inverse", "They hold", "What the numbers of those files mean",
        choices=(
            ("inverse", "Nearness", "Larger is nearer, with any scale and offset, as most networks give it"),
            ("depth", "Depth", "Larger is farther, with any scale"),
        ),
        only=("method", "pictures"),
    )
    size: int = option(0, "Network size", "Longest side at which the network looks; 0 is as it was published", low=0, high=4096, unit="px", advanced=True)

"""Which results lie where: folders of the store, or one published folder, as a table kind -> folder. No bpy."""

from __future__ import annotations

from pathlib import Path

# kind of result -> (stage that makes it, name in a published folder, what proves it)
PLACES = {
    "frames": ("frames", "frames", "clip.json"),
    "camera": ("orient", "camera", "camera.npz"),
    "depth": ("consistent_depth", "depth", "depth.json"),
    "cloud": ("cloud", "cloud", "fused.ply"),
    "mattes": ("mattes", "mattes", "mattes.json"),
    "slowmo": ("interpolate", "slowmo", "times.npz"),
    "retimed": ("retime", "slowmo", "camera.npz"),
    "slow mattes": ("retime", "slowmo", "alpha"),
}


def of_stages(folders: dict[str, Path]) -> dict[str, Path]:
    """Kind -> folder, from the finished folders of stages."""
    found = {}
    for kind, (stage, _, proof) in PLACES.items():
        if stage in folders and (Path(folders[stage]) / proof).exists():
            found[kind] = Path(folders[stage])
    return found


def of_folder(folder: Path) -> dict[str, Path]:
    """Kind -> folder, from what `python -m engine --out FOLDER` has written."""
    return {kind: folder / name for kind, (_, name, proof) in PLACES.items() if (folder / name / proof).exists()}

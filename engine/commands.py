"""The engine's other words: check, stages, weights, cache, train."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Callable

from . import libraries
from .contract import CONTRACT
from .contract.option import Option, describe
from .contract.places import default_store
from .contract.stages import STAGES

PACKAGES = {
    "numpy": "numpy", "cv2": "opencv-python-headless", "torch": "torch", "av": "av", "OpenEXR": "openexr",
    "pycolmap": "pycolmap", "open3d": "open3d", "scipy": "scipy", "safetensors": "safetensors",
}


def check(argv: list[str]) -> int:
    """Prove that this Python is a whole engine: every import, the device, a small inference."""
    parser = argparse.ArgumentParser(prog="python -m engine check")
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args(argv).json
    found, missing = {}, {}
    for module, package in PACKAGES.items():
        try:
            libraries.open3d() if module == "open3d" else importlib.import_module(module)
            found[package] = _version(package)
        except Exception as error:  # a broken binary package raises anything
            missing[package] = str(error)
    answer = {"contract": CONTRACT, "packages": found, "missing": missing, "ok": not missing}
    if not missing:
        answer["device"], answer["inference"] = _small_inference()
        answer["ok"] = answer["inference"] < 1e-4
    print(json.dumps(answer) if as_json else _in_words(answer))
    return 0 if answer["ok"] else 1


def _small_inference() -> tuple[str, float]:
    """The device's name, and the largest difference between a convolution there and on the CPU."""
    import torch

    from .device import pick

    device = pick()
    torch.manual_seed(0)
    picture, kernel = torch.rand(1, 3, 32, 32), torch.rand(8, 3, 3, 3)
    there = torch.nn.functional.conv2d(picture.to(device), kernel.to(device)).cpu()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return name, float((there - torch.nn.functional.conv2d(picture, kernel)).abs().max() / there.abs().max())


def _version(package: str) -> str:
    for name in (package, f"{package}-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"


def _in_words(answer: dict) -> str:
    lines = [f"{package} {version}" for package, version in answer["packages"].items()]
    lines += [f"MISSING {package}: {why}" for package, why in answer["missing"].items()]
    return "\n".join([*lines, f"device: {answer.get('device', 'not tried')}", "The engine is whole." if answer["ok"] else "The engine is not whole."])


def stages(argv: list[str]) -> int:
    """The table of stages with every option."""
    as_json = "--json" in argv
    if as_json:
        print(json.dumps([{"name": it.name, "label": it.label, "needs": it.needs, "makes": it.makes} for it in STAGES]))
        return 0
    for stage in STAGES:
        print(f"\n{stage.name}: {stage.label}   (reads {', '.join(stage.needs + stage.uses) or 'the clip'}; makes {', '.join(stage.makes)})")
        for entry in describe(stage.options):
            print(f"    {stage.name}.{entry.name:<14} {_limits(entry):<28} {entry.help}")
    return 0


def _limits(entry: Option) -> str:
    if entry.choices:
        return "|".join(f"[{it.value}]" if it.value == entry.default else it.value for it in entry.choices)
    span = "" if entry.low is None else f" ({entry.low}..{entry.high} {entry.unit})".replace(" )", ")")
    return f"{entry.default!r}{span}"


def cache(argv: list[str]) -> int:
    """List or clean the store."""
    from .contract.cache import clean
    from .store import Store

    parser = argparse.ArgumentParser(prog="python -m engine cache")
    parser.add_argument("what", choices=("list", "clean"))
    parser.add_argument("--store", default=default_store())
    parser.add_argument("--days", type=float, default=0.0, help="clean only what is older")
    given = parser.parse_args(argv)
    if given.what == "clean":
        print(f"{clean(Path(given.store), given.days) / 1e6:.1f} MB freed in {given.store}")
        return 0
    for stage, size in Store(Path(given.store)).sizes().items():
        print(f"{stage:<20} {size / 1e6:10.1f} MB")
    return 0


def weights(argv: list[str]) -> int:
    """List, fetch or import pretrained weights."""
    from .weights import main

    return main(argv)


def train(argv: list[str]) -> int:
    """Fit one of the networks: `train NET …`."""
    rooms = Path(__file__).parent / "training"
    nets = sorted(entry.stem for entry in rooms.glob("*.py") if "def main(" in entry.read_text(encoding="utf-8"))
    if not argv or argv[0] not in nets:
        print(f"engine train: name a network: {', '.join(nets) or 'none is here yet'}", file=sys.stderr)
        return 2
    return importlib.import_module(f"{__package__}.training.{argv[0]}").main(argv[1:])


WORDS: dict[str, Callable[[list[str]], int]] = {
    "check": check, "stages": stages, "cache": cache, "weights": weights, "train": train,
}

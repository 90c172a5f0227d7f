"""Networks as transformers saves them: a folder with config.json and safetensors; nothing is ever fetched, nothing unpickled. Knows no stage."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from . import weights
from .failures import SetupFailure

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures, RGB 0..1, by which most networks want theirs


def find(given: str, name: str, what: str, remedy: dict[str, dict[str, str]]) -> Path:
    """The folder that the user names, or the installed one of that name in weights.toml; a failure says how to get it."""
    if not given:
        return weights.need(name, remedy)
    if not (Path(given) / "config.json").is_file():
        raise SetupFailure(
            "weights-missing", f"{what} is not in this folder.", f"There is no config.json in {given}.",
            "Choose the folder of a copy of your own, with config.json and model.safetensors, or import it in the add-on's preferences.", remedy,
        )
    return Path(given)


def load(folder: Path, kinds: dict[str, str], purpose: str) -> Any:
    """The network of a folder, in eval mode on the CPU. `kinds`: model_type in config.json -> class in transformers; purpose: 'mattes'."""
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise SetupFailure(
            "weights-damaged", f"There is no network for {purpose} in this folder.", f"{folder} holds no config.json that names one.",
            "Choose the folder that transformers' save_pretrained wrote, with config.json and model.safetensors.",
        ) from None
    if kind not in kinds:
        raise SetupFailure(
            "weights-damaged", f"The network in {folder.name} is not for {purpose}.", f"It is of the kind '{kind}'; known here: {', '.join(kinds)}.",
            "Choose another folder.",
        )
    if not list(folder.glob("*.safetensors")):
        raise SetupFailure(
            "weights-damaged", f"The weights in {folder.name} are not opened.", "They are not in safetensors, and pickled files can run any code.",
            "Take the model.safetensors that its authors publish.",
        )
    return _load(folder, kinds[kind], purpose)


def _load(folder: Path, name: str, purpose: str) -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"  # a folder is all that it needs; nothing may go out on its own
    try:
        import transformers
        from transformers.utils import logging

        kind = getattr(transformers, name)
    except (ImportError, AttributeError) as error:
        raise SetupFailure(
            "package-missing", f"This network for {purpose} needs one more package.", f"The engine's Python has no working 'transformers' ({error}).",
            "Press 'Update or repair' in the add-on's preferences, or run `python3 build.py env`; or choose another method.",
        ) from None
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        net, told = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, output_loading_info=True)
    except Exception as error:  # a damaged or foreign file raises anything
        raise SetupFailure(
            "weights-damaged", f"The network in {folder.name} could not be read.", f"{type(error).__name__}: {str(error).splitlines()[0][:200]}",
            "Get its files anew from where they came.",
        ) from None
    if told["missing_keys"]:
        raise SetupFailure(
            "weights-damaged", f"The network in {folder.name} is not whole.",
            f"{len(told['missing_keys'])} of its weights are missing, such as {sorted(told['missing_keys'])[0]}.", "Get its files anew from where they came.",
        )
    return net.float().eval()


def mark(folder: Path) -> str:
    """What tells one set of weights from another, without reading them."""
    return " ".join(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in sorted(folder.glob("*.safetensors")))

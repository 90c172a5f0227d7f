"""Who may import what, and how large a room may grow: the house's rules, held by its syntax trees."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path for room in ("addon", "engine") for path in (ROOT / room).rglob("*.py") if "__pycache__" not in path.parts
) + [ROOT / "__init__.py", ROOT / "build.py"]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES if path.exists()}
PIXELS = {"torch", "cv2", "av", "pycolmap", "open3d", "OpenEXR", "scipy", "safetensors", "transformers"}


def imported(path: Path) -> set[str]:
    """The first names of every absolute import, also those inside functions."""
    names: set[str] = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


def relative(path: Path) -> set[str]:
    """Every relative import as the module path from the root: 'engine.contract.job'."""
    here = path.relative_to(ROOT).with_suffix("").parts
    found = set()
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level]
            module = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def in_room(*rooms: str) -> list[Path]:
    return [path for path in TREES if path.is_relative_to(ROOT.joinpath(*rooms))]


@pytest.mark.parametrize("path", in_room("engine", "contract"), ids=lambda path: path.name)
def test_the_contract_imports_the_standard_library_only(path: Path) -> None:
    assert imported(path) <= set(sys.stdlib_module_names)
    assert all(name.startswith("engine.contract") for name in relative(path))


def test_only_the_addon_knows_blender() -> None:
    knows = {str(path.relative_to(ROOT)) for path in TREES if imported(path) & {"bpy", "mathutils", "bpy_extras", "gpu", "blf", "addon_utils"}}
    assert knows and all(name.startswith(("addon/", "addon\\")) for name in knows)


def test_the_addon_knows_no_pixels_and_only_the_contract_of_the_engine() -> None:
    for path in in_room("addon"):
        assert not imported(path) & PIXELS, path
        strangers = {name for name in relative(path) if name.startswith("engine.") and not name.startswith("engine.contract")}
        assert not strangers, (path, strangers)


def test_rooms_that_must_run_without_blender_do() -> None:
    for name in ("environment.py", "process.py"):
        assert not imported(ROOT / "addon" / name) & {"bpy"}, name


def test_version_questions_live_in_one_file() -> None:
    for path in in_room("addon"):
        asks = any(isinstance(node, ast.Attribute) and node.attr == "version" and ast.unparse(node.value).endswith("bpy.app") for node in ast.walk(TREES[path]))
        assert not asks or path.name == "versions.py", f"{path} asks for Blender's version"


@pytest.mark.parametrize("path", TREES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_says_which_room_it_is_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(TREES[path]), "a file opens with one sentence that says which room it is"
    assert len(text.splitlines()) <= 400
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 80, f"{node.name} is longer than 80 lines"


@pytest.mark.parametrize("path", TREES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_unsafe_is_called(path: Path) -> None:
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            assert (node.arg, node.value.value) not in {("allow_pickle", True), ("weights_only", False), ("shell", True)}
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert "pickle" not in {alias.name for alias in node.names}
        if isinstance(node, ast.Attribute):
            assert not (node.attr == "hub" and ast.unparse(node.value) == "torch")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"eval", "exec", "os.system"}:
            raise AssertionError(f"{path}:{node.lineno} calls {ast.unparse(node.func)}")


def test_public_names_carry_hints_and_docstrings() -> None:
    bare = []
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                hinted = node.returns is not None and all(it.annotation for it in node.args.args if it.arg not in ("self", "cls"))
                if not (hinted and ast.get_docstring(node)) and node.name not in ("main", "register", "unregister"):
                    bare.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert not bare, "\n".join(bare)


def test_nothing_large_and_no_weights_in_git() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, listed):
        path = ROOT / name
        if path.is_file():
            assert path.stat().st_size < 3_000_000, f"{name} is larger than 3 MB"
            assert path.suffix not in {".pth", ".ckpt", ".pt", ".onnx"}, f"{name} looks like weights"

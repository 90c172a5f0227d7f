"""Fixtures of the add-on's tests: the extension as Blender would load it, and shots whose truth is known. Runs in .venv-blender."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))  # shots.py
bpy = pytest.importorskip("bpy", reason="needs Blender as a module (.venv-blender)")


def load_extension():
    """The repository root as the package `unflatten`, registered once per process."""
    if "unflatten" not in sys.modules:
        spec = importlib.util.spec_from_file_location("unflatten", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
        module = importlib.util.module_from_spec(spec)
        sys.modules["unflatten"] = module
        spec.loader.exec_module(module)
        module.register()
    return sys.modules["unflatten"]


@pytest.fixture(scope="session")
def unflatten():
    module = load_extension()
    yield module
    module.unregister()  # Blender 4.2 dies at its end over classes that are still there


@pytest.fixture
def scene(unflatten):
    """An empty file."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return bpy.context.scene

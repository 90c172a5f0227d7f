"""The zip: built by Blender's own tool, installed, switched on and off and on again, and nothing of it stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = Path(bpy.utils.system_resource("SCRIPTS")) / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
SCRIPT = """
import os, sys
import bpy, addon_utils
MODULE = "bl_ext.user_default.unflatten"
rooms = ("types", "app.timers")

def trace():
    ours = sorted(name for name in dir(bpy.types) if name.lower().startswith("unflatten"))
    loaded = sorted(name for name in sys.modules if name.startswith(MODULE))
    return ours, hasattr(bpy.types.MovieClip, "unflatten"), hasattr(bpy.types, "UNFLATTEN_OT_run")

before = trace()
assert bpy.ops.extensions.package_install_files(filepath=sys.argv[-1], repo="user_default", enable_on_install=True) == {"FINISHED"}
assert MODULE in [entry.module for entry in bpy.context.preferences.addons]
during = trace()
assert during[1] and during[0], during
from bl_ext.user_default.unflatten.addon import preferences
assert preferences.get().device == "auto"
assert str(preferences.user_folder("store")).startswith(os.environ["BLENDER_USER_RESOURCES"])
assert preferences.engine_python() is None
assert not bpy.ops.unflatten.run.poll()
addon_utils.disable(MODULE, default_set=True)
assert trace() == before, trace()
addon_utils.enable(MODULE, default_set=True)
assert trace() == during
bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
addon_utils.disable(MODULE, default_set=True)
assert trace() == before
print("CLEAN", flush=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    out = tmp_path_factory.mktemp("zip")
    built = subprocess.run([sys.executable, str(TOOL), "build", "--source-dir", str(ROOT), "--output-dir", str(out)], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    path = next(out.glob("*.zip"))
    checked = subprocess.run([sys.executable, str(TOOL), "validate", str(path)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return path


def test_the_zip_holds_the_source_and_nothing_else(archive):
    names = zipfile.ZipFile(archive).namelist()
    assert {"__init__.py", "blender_manifest.toml", "addon/panels.py", "engine/contract/stages.py", "engine/__main__.py"} <= set(names)
    assert {"README.md", "addon/languages/ja_JP.json", "addon/shipped/presets/unflatten/Draft.py", "addon/farm/unflatten.js"} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "sample/", ".", "demo/", "build.py")) or "__pycache__" in name or name.endswith(".whl")]
    assert archive.stat().st_size < 5_000_000


def test_it_installs_and_leaves_no_trace(archive, tmp_path):
    (tmp_path / "user").mkdir()
    script = tmp_path / "install.py"
    script.write_text(SCRIPT)
    surroundings = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "user")}
    done = subprocess.run([sys.executable, str(script), str(archive)], env=surroundings, capture_output=True, text=True, timeout=120)
    assert "CLEAN" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and "leaked" not in done.stdout, done.stderr


REPOSITORY = """
import os, sys
import bpy, bl_pkg
for repo in bpy.context.preferences.extensions.repos:  # the network is not asked
    repo.enabled = not repo.remote_url.startswith("http")
bpy.context.preferences.system.use_online_access = True  # Blender wants it for its `sync`, of files too
words = ("repo-add", "--name", "Unflatten", "--url", sys.argv[-1], "unflatten_releases"), ("sync",), ("install", "--enable", "unflatten_releases.unflatten")
for line in words:
    assert bl_pkg.cli_extension(list(line)) == 0, line
assert "bl_ext.unflatten_releases.unflatten" in bpy.context.preferences.addons
assert hasattr(bpy.types.MovieClip, "unflatten")
print("INSTALLED", flush=True)
os._exit(0)
"""


def test_its_folder_is_a_repository(archive, tmp_path):
    """What `build.py package` lays beside the zip is enough for `blender --command extension repo-add … ; install unflatten`."""
    releases = tmp_path / "our releases"
    releases.mkdir()
    shutil.copy(archive, releases)
    made = subprocess.run([sys.executable, str(TOOL), "server-generate", "--repo-dir", str(releases)], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    (tmp_path / "user").mkdir()
    script = tmp_path / "install.py"
    script.write_text(REPOSITORY)
    surroundings = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "user")}
    address = (releases / "index.json").as_uri()
    done = subprocess.run([sys.executable, str(script), address], env=surroundings, capture_output=True, text=True, timeout=120)
    assert "INSTALLED" in done.stdout, done.stdout + done.stderr

"""Buttons of the preferences: consent before any download, copies of one's own, cleaning; and the numbers beside them."""

from __future__ import annotations

import os
import threading
import time

import bpy
import pytest
from play import PYTHON


@pytest.fixture
def desk(unflatten, scene, tmp_path, monkeypatch):
    """An engine that is there, a cache and a folder of weights of its own."""
    from unflatten.addon import preferences

    monkeypatch.setattr(preferences, "engine_python", lambda: PYTHON)
    monkeypatch.setattr(preferences, "_override", str(tmp_path / "store"))
    monkeypatch.setenv("UNFLATTEN_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path


def online(allowed):
    bpy.context.preferences.system.use_online_access = allowed
    return bpy.app.online_access == allowed


def test_every_network_says_its_size_and_licence(desk):
    from unflatten.addon import weights

    assert weights.table()
    for entry in weights.table().values():
        assert entry.purpose and entry.licence and entry.size > 0 and not entry.installed, entry.name


def test_nothing_is_fetched_without_consent_or_network(desk, monkeypatch):
    from unflatten.addon import setup, weights

    asked = []
    monkeypatch.setattr(setup, "fetch", lambda name: asked.append(name))
    name = next(iter(weights.table()))
    entry = weights.Entry(name, "p", "l", 1, "https://x", True, True, "f")
    monkeypatch.setattr(weights, "table", lambda: {name: entry})
    assert online(False) and not bpy.ops.unflatten.fetch_weights.poll()
    assert not bpy.ops.unflatten.setup.poll()
    assert online(True) and bpy.ops.unflatten.fetch_weights.poll() and bpy.ops.unflatten.setup.poll()
    with pytest.raises(RuntimeError, match="not agreed"):
        bpy.ops.unflatten.fetch_weights(network=name)
    assert not asked
    online(False)


def test_a_copy_of_ones_own_is_taken(desk):
    from unflatten.addon import weights

    entry = next(entry for entry in weights.table().values() if not entry.can_be_fetched)
    (desk / "my copy.bin").write_bytes(b"weights")
    assert bpy.ops.unflatten.import_weights(network=entry.name, filepath=str(desk / "my copy.bin")) == {"FINISHED"}
    assert (desk / "weights" / entry.file).read_bytes() == b"weights" and entry.installed
    with pytest.raises(RuntimeError, match="could not be imported"):
        bpy.ops.unflatten.import_weights(network=entry.name, filepath=str(desk / "gone.bin"))


def test_an_engine_from_elsewhere_is_not_the_add_on_s_to_remove(desk, monkeypatch):
    from unflatten.addon import environment, preferences

    monkeypatch.setattr(preferences, "engine_folder", lambda: desk / "engine")
    assert not preferences.engine_is_ours()
    (desk / "engine").mkdir()
    (desk / "engine" / environment.STAMP).touch()
    assert preferences.engine_is_ours()


def test_cleaning_takes_results_and_nothing_else(desk):
    for name in ("flow/aa", "flow/bb", "depth/cc.part"):
        (desk / "store" / name).mkdir(parents=True)
    (desk / "store" / "flow" / "aa" / "done.json").touch()
    (desk / "store" / "notes.txt").touch()
    assert bpy.ops.unflatten.clean() == {"FINISHED"}
    assert not (desk / "store" / "flow" / "aa").exists() and not (desk / "store" / "depth" / "cc.part").exists()
    assert (desk / "store" / "flow" / "bb").exists() and (desk / "store" / "notes.txt").exists()


def test_sizes_and_memory_come_without_waiting(desk):
    from unflatten.addon import machine

    (desk / "store").mkdir()
    (desk / "store" / "a").write_bytes(bytes(1000))
    (desk / "store" / "b").write_bytes(bytes(500))
    gate = threading.Event()
    slow = machine.Looked(lambda: gate.wait() and 7, 60.0)
    assert slow.get() is None and slow.get() is None  # asked, and not waited for
    gate.set()
    until = time.monotonic() + 10
    while None in (slow.get(), machine.size_seen(desk / "store")) and time.monotonic() < until:
        time.sleep(0.01)
    assert slow.get() == 7 and machine.size_seen(desk / "store") == 1500
    assert 0 < machine.memory_free() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

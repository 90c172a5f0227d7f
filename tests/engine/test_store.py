"""The store holds complete results or none, whatever happens in between."""

import multiprocessing
import time

import pytest

from engine.contract.cache import clean, locked, try_lock
from engine.store import Store, beside, read_json


def test_a_result_exists_only_when_sealed(tmp_path) -> None:
    store = Store(tmp_path)
    with store.room("depth", "abc") as room:
        (room / "000001.exr").write_bytes(b"x")
        assert store.find("depth", "abc") is None
        folder = store.finish("depth", "abc", {"used": "parallax"})
    assert store.find("depth", "abc") == folder and (folder / "000001.exr").read_bytes() == b"x"
    assert store.summary("depth", "abc") == {"used": "parallax", "bytes": 1}


def test_what_a_broken_run_left_is_found_again_without_its_half_files(tmp_path) -> None:
    store = Store(tmp_path)
    with pytest.raises(RuntimeError), store.room("depth", "abc") as room:
        (room / "000001.exr").write_bytes(b"x")
        (room / ".writing-000002.exr").write_bytes(b"half")
        raise RuntimeError
    with store.room("depth", "abc") as room:
        assert sorted(entry.name for entry in room.iterdir()) == ["000001.exr"]


def sealed(root) -> Store:
    store = Store(root)
    with store.room("depth", "abc") as room:
        (room / "000001.exr").write_bytes(b"x" * 100)
        (room / "done.json").write_text("of a process that died while it sealed this")
        store.finish("depth", "abc", {})
    return store


@pytest.mark.parametrize("name, left", [("000001.exr", b""), ("000001.exr", b"x" * 99), ("000001.exr", None), ("done.json", b"")])
def test_a_result_that_has_lost_a_part_is_none_and_is_made_anew(tmp_path, name, left) -> None:
    store = sealed(tmp_path)
    (tmp_path / "depth" / "abc" / "Thumbs.db").touch()
    assert store.find("depth", "abc")
    if left is None:
        (tmp_path / "depth" / "abc" / name).unlink()
    else:
        (tmp_path / "depth" / "abc" / name).write_bytes(left)
    assert store.find("depth", "abc") is None and not (tmp_path / "depth" / "abc" / "done.json").exists()
    assert sealed(tmp_path).find("depth", "abc")


def test_what_a_power_cut_emptied_is_made_again(tmp_path) -> None:
    store = Store(tmp_path)
    (tmp_path / "depth" / "abc.part" / "deeper").mkdir(parents=True)
    (tmp_path / "depth" / "abc.part" / "deeper" / "000001.exr").touch()
    with store.room("depth", "abc") as room:
        assert not list((room / "deeper").iterdir())


def test_a_room_in_which_nothing_was_begun_leaves_nothing(tmp_path) -> None:
    store = Store(tmp_path)
    with store.room("depth", "abc") as room:
        (room / "a").write_bytes(b"x")
        store.finish("depth", "abc", {})
    with store.room("depth", "abc") as room:  # a second process, which waited for the first
        assert room.is_dir() and store.find("depth", "abc")
    assert sorted(entry.name for entry in (tmp_path / "depth").iterdir()) == ["abc", "abc.lock"]


def test_beside_leaves_the_old_file_when_the_block_fails(tmp_path) -> None:
    path = tmp_path / "a" / "b.json"
    with beside(path) as fresh:
        fresh.write_text("1")
    with pytest.raises(RuntimeError), beside(path) as fresh:
        fresh.write_text("2")
        raise RuntimeError
    assert read_json(path) == 1 and [entry.name for entry in path.parent.iterdir()] == ["b.json"]


def _hold(root, entered) -> None:
    with Store(root).room("depth", "abc"):
        entered.set()
        time.sleep(30)


def test_a_room_is_locked_and_freed_by_death(tmp_path) -> None:
    context = multiprocessing.get_context("spawn")
    entered = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, entered))
    holder.start()
    assert entered.wait(20)
    (tmp_path / "depth" / "abc.part" / "000001.exr").write_bytes(b"x" * 1000)
    with open(tmp_path / "depth" / "abc.lock", "a+b") as file:
        assert not try_lock(file)
    assert clean(tmp_path) == 0
    holder.kill()
    holder.join()
    began = time.monotonic()
    with locked(tmp_path / "depth" / "abc.lock"):
        assert time.monotonic() - began < 5
    assert clean(tmp_path, older_than_days=1) == 0 and clean(tmp_path) == 1000 and not (tmp_path / "depth" / "abc.part").exists()


def test_cleaning_frees_what_is_old_and_nothing_else(tmp_path) -> None:
    store = Store(tmp_path)
    with store.room("depth", "abc") as room:
        (room / "a").write_bytes(b"x" * 1000)
        store.finish("depth", "abc", {})
    assert store.sizes()["depth"] >= 1000
    assert clean(tmp_path, older_than_days=1) == 0 and store.find("depth", "abc")
    assert clean(tmp_path) >= 1000 and store.find("depth", "abc") is None

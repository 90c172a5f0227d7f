"""The engine's Python: made from a kit without network, in places with any name; goes on, moves, and leaves Blender's own Python alone."""

from __future__ import annotations

import site
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

NAME = "Möbel & 動画 räume"


def write_wheel(folder: Path, name: str, needs: str = "") -> None:
    """The smallest package that pip takes."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "word = 'here'\n", f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + (f"Requires-Dist: {needs}\n" if needs else ""),
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


def blenders_own() -> dict[str, int]:
    """What lies in the packages of the Python that runs this: Blender's."""
    places = [Path(sysconfig.get_paths()["purelib"]), Path(site.getusersitepackages())]
    return {str(entry): entry.stat().st_mtime_ns for place in places if place.is_dir() for entry in place.iterdir() if entry.name != "__pycache__"}


@pytest.fixture(scope="module")
def made(unflatten, tmp_path_factory):
    """An engine made from a kit whose last package came late, and what was seen on the way."""
    from unflatten.addon import environment

    root = tmp_path_factory.mktemp("set-up") / NAME
    locks, wheels, folder = root / "locks", root / "wheels", root / "the engine"
    locks.mkdir(parents=True)
    wheels.mkdir()
    lock = locks / "cpu.txt"
    lock.write_text("# size: 1 MB installed\ntiny==1.0\nsmall==1.0\n", "utf-8")
    write_wheel(wheels, "tiny", "tinier")
    write_wheel(wheels, "tinier")
    write_wheel(wheels, "small")
    kit, before = root / "kit", blenders_own()
    environment.fill_kit(sys.executable, lock, kit, source=("--no-index", "--find-links", str(wheels)))
    (kit / "small-1.0-py3-none-any.whl").rename(root / "small-1.0-py3-none-any.whl")
    with pytest.raises(environment.EnvironmentFailure) as broken:
        environment.make(folder, lock, lambda line: None, kit=kit)
    born, unfinished = (folder / "pyvenv.cfg").stat().st_mtime_ns, environment.is_ready(folder, lock)
    (root / "small-1.0-py3-none-any.whl").rename(kit / "small-1.0-py3-none-any.whl")
    python = environment.make(folder, lock, lambda line: None, kit=kit)
    return {"root": root, "lock": lock, "kit": kit, "folder": folder, "python": python, "broken": broken.value, "unfinished": unfinished,
            "went_on": (folder / "pyvenv.cfg").stat().st_mtime_ns == born, "untouched": blenders_own() == before, "locks": locks}


def says(python: Path, words: str) -> str:
    return subprocess.run([str(python), "-c", words], capture_output=True, text=True, check=True).stdout.strip()


def test_it_is_made_from_a_kit_without_network(made):
    from unflatten.addon import environment

    assert environment.is_ready(made["folder"], made["lock"]) and environment.size_of(made["lock"]) == "1 MB installed"
    assert {path.name for path in made["kit"].iterdir()} == {"cpu.txt", *(f"{name}-1.0-py3-none-any.whl" for name in ("tiny", "tinier", "small"))}
    assert says(made["python"], "import small, tiny, tinier; print(small.word)") == "here"
    assert environment.lock_of_kit(made["kit"], made["locks"]) == made["lock"]


def test_it_goes_on_where_it_stopped(made):
    assert "small" in made["broken"].why and not made["unfinished"] and made["went_on"]


def test_blenders_own_python_is_untouched(made):
    assert made["untouched"]
    assert NAME in says(made["python"], "import sys; print(sys.prefix)") and NAME not in sys.prefix


def test_a_kit_of_another_release_is_refused(made, tmp_path):
    from unflatten.addon import environment

    other = tmp_path / "cpu.txt"
    other.write_text("tiny==2.0\n")
    with pytest.raises(environment.EnvironmentFailure, match="was not filled for this release"):
        environment.make(tmp_path / "engine", other, lambda line: None, kit=made["kit"])
    assert not (tmp_path / "engine").exists()


def test_it_moves_and_works_there(made, tmp_path):
    from unflatten.addon import environment

    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    with pytest.raises(environment.EnvironmentFailure, match="not empty"):
        environment.move(made["folder"], tmp_path / "full")
    target = tmp_path / "zweiter Ort" / "機械"
    python = environment.move(made["folder"], target)
    assert not made["folder"].exists() and environment.is_ready(target, made["lock"])
    assert says(python, "import tiny; print(tiny.__file__)").startswith(str(target))
    assert environment.make(target, made["lock"], kit=made["kit"]) == python  # instant: nothing is made anew
    environment.move(target, made["folder"])


def test_only_an_engine_is_removed(made, tmp_path):
    from unflatten.addon import environment

    (tmp_path / "letter.txt").touch()
    with pytest.raises(environment.EnvironmentFailure, match="something else"):
        environment.remove(tmp_path)
    environment.remove(tmp_path / "nothing")
    assert (tmp_path / "letter.txt").exists()

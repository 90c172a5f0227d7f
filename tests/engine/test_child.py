"""A child that dies becomes a failure with a remedy; one that prints is heard; all die with the engine."""

import os
import subprocess
import sys
import textwrap

import pytest

from engine import child
from engine.failures import ChildFailure

ACTS = {
    "speak": "def main(folder):\n    print('one')\n    (folder / 'answer').write_text('42')",
    "abort": "import os\ndef main(folder):\n    os.abort()",
    "fail": "def main(folder):\n    raise ValueError('no pair of frames fits')",
}


@pytest.fixture
def act(tmp_path, monkeypatch):
    for name, text in ACTS.items():
        (tmp_path / f"act_{name}.py").write_text(textwrap.dedent(text))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def test_matrices_are_multiplied_in_one_thread() -> None:
    """Said before anybody imports numpy, which reads it then: on two busy cores spinning threads took five times the work itself."""
    words = "import sys, os, engine.__main__ as e; assert 'numpy' not in sys.modules; e.main(['stages']); print(os.environ['OPENBLAS_NUM_THREADS'])"
    bare = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    told = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, env=bare, cwd=child.ROOT)
    assert told.stdout.split()[-1:] == ["1"], told.stderr


def test_a_child_answers(act) -> None:
    heard: list[str] = []
    child.run("act_speak", act, heard.append)
    assert heard == ["one"] and (act / "answer").read_text() == "42"


@pytest.mark.parametrize("name", ["abort", "fail"])
def test_a_dead_child_is_a_failure_with_a_remedy(act, name) -> None:
    with pytest.raises(ChildFailure) as died:
        child.run(f"act_{name}", act)
    assert died.value.code == "child-died" and died.value.remedy
    assert name != "fail" or "no pair of frames fits" in died.value.why

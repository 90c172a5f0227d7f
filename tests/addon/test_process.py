"""The engine's process as the add-on sees it, played by a script: progress, cancel, death, strangers and stray prints."""

from __future__ import annotations

import os
import sys
import time

import pytest

PLAY = """
import json, os, signal, sys, time
def say(kind, **more): print(json.dumps(dict(type=kind, **more)), flush=True)
how = json.load(open(sys.argv[1]))["how"]
if how == "never": sys.exit(5)
say("started", contract=99 if how == "stranger" else CONTRACT, engine="play", device="cpu", memory_free=1)
if how == "stranger": time.sleep(60)
print("a stray print")
print('{"type": "word of a newer engine"}')
say("progress", stage="frames", done=1, total=2, overall=0.5)
say("heartbeat")
if how == "dies":
    sys.stderr.write("Fatal: no more juice\\n"); sys.stderr.flush(); os._exit(9)
if how == "deaf":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True: time.sleep(1)
if how == "waits":
    try:
        sys.stdin.read()
        say("cancelled", stage="frames"); sys.exit(130)
    except KeyboardInterrupt:
        say("cancelled", stage="frames"); sys.exit(130)
say("artifact", stage="frames", path="x", reused=False, summary=dict(used="play"))
say("done", failed=[])
"""


@pytest.fixture
def play(unflatten, tmp_path):
    from unflatten.addon.process import Engine
    from unflatten.engine.contract import CONTRACT

    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").touch()
    (tmp_path / "engine" / "__main__.py").write_text(PLAY.replace("CONTRACT", str(CONTRACT)))

    def start(how, python=sys.executable, behind=False):
        job = tmp_path / "job.json"
        job.write_text(f'{{"how": "{how}"}}')
        return Engine(python, tmp_path, job, behind)

    return start


def hear(engine, seconds=15.0, until=lambda heard: False):
    heard, began = [], time.monotonic()
    while time.monotonic() - began < seconds and not engine.ended and not until(heard):
        heard += engine.messages()
        time.sleep(0.01)
    return [*heard, *engine.messages()]


def kinds(heard):
    return [type(message).__name__ for message in heard]


def test_messages_come_in_order_and_strays_do_not_matter(play):
    assert kinds(hear(play("works"))) == ["Started", "Progress", "Artifact", "Done"]


@pytest.mark.skipif(os.name == "nt", reason="niceness is how Linux and macOS call it")
def test_it_steps_back_behind_blender_where_asked(play):
    from unflatten.addon.process import NICENESS

    for behind in (True, False):
        engine = play("waits", behind=behind)
        there = engine._process.pid
        assert os.getpriority(os.PRIO_PROCESS, there) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + (NICENESS if behind else 0))
        assert os.getsid(there) == os.getsid(0) and os.getpgid(there) == there != os.getpgid(0)
        engine.kill()


def test_cancel_within_a_second(play):
    engine = play("waits")
    hear(engine, until=lambda heard: "Progress" in kinds(heard))
    began = time.monotonic()
    engine.cancel()
    assert kinds(hear(engine)) == ["Cancelled"]
    assert time.monotonic() - began < 2.5  # before the grace ends after which it is killed


def test_an_engine_that_does_not_listen_is_killed(play):
    engine = play("deaf")
    hear(engine, until=lambda heard: "Progress" in kinds(heard))
    engine.cancel()
    began = time.monotonic()
    assert kinds(hear(engine)) == ["Cancelled"]
    assert time.monotonic() - began < 5.0


def test_death_is_told_with_its_last_words(play):
    heard = hear(play("dies"))
    assert kinds(heard) == ["Started", "Progress", "Failed", "Done"]
    assert heard[2].code == "engine-died" and "no more juice" in heard[2].why and "status 9" in heard[2].what


def test_an_engine_that_never_speaks(play):
    assert [it.code for it in hear(play("never")) if hasattr(it, "code")] == ["engine-died"]


def test_another_release_is_refused_in_one_sentence(play):
    engine = play("stranger")
    heard = hear(engine)
    assert kinds(heard) == ["Failed", "Done"] and heard[0].code == "wrong-contract" and engine.ended
    assert engine._process.wait(3) != 0


def test_no_python_there(play, tmp_path):
    heard = hear(play("works", tmp_path / "no python"))
    assert [it.code for it in heard if hasattr(it, "code")] == ["engine-died"]


def test_the_engine_ends_when_its_parent_lets_go(play):
    engine = play("waits")  # its stdin is a pipe that only this process holds
    hear(engine, until=lambda heard: "Progress" in kinds(heard))
    engine._process.stdin.close()
    assert kinds(hear(engine)) == ["Cancelled"]

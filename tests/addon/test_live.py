"""What is drawn over the footage while a job runs: the engine's picture, where the job is, where the button stands."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from shots import make_shot


def write(path, pixels, head=b"P6 %d %d 255\n"):
    path.write_bytes(head % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes())


def test_a_picture_is_read_or_is_none(unflatten, tmp_path):
    from unflatten.addon.preview import read

    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    write(tmp_path / "a.ppm", pixels)
    assert (read(str(tmp_path / "a.ppm")) == pixels).all()
    write(tmp_path / "b.ppm", pixels, b"P6\n%d %d\n255\n")
    assert (read(str(tmp_path / "b.ppm")) == pixels).all()
    (tmp_path / "c.ppm").write_bytes((tmp_path / "a.ppm").read_bytes()[:-1])
    (tmp_path / "d.ppm").write_bytes(b"\x89PNG")
    assert [read(str(tmp_path / name)) for name in ("c.ppm", "d.ppm", "gone.ppm")] == [None] * 3


@pytest.fixture
def job(unflatten, scene, tmp_path):
    from unflatten.addon import jobs
    from unflatten.addon.importers import place

    make_shot(tmp_path / "shot")
    made = jobs.make(place.load_clip(str(tmp_path / "shot" / "frames" / "000001.png")), scene, ("camera",))
    made.status = "running"
    return made


def test_a_job_keeps_the_last_picture(job, tmp_path):
    from unflatten.engine.contract import messages

    for frame in (3, 4):
        write(tmp_path / "a.ppm", np.full((4, 4, 3), frame, np.uint8))
        job._take(messages.Preview("flow", frame, str(tmp_path / "a.ppm")))
    job._take(messages.Preview("flow", 5, str(tmp_path / "gone.ppm")))
    assert (job.preview.stage, job.preview.frame, job.preview.number, job.preview.pixels.max()) == ("flow", 4, 2, 4)


def test_the_words_and_the_place(job):
    from unflatten.addon import live
    from unflatten.engine.contract import messages

    job._take(messages.Progress("flow", 1, 2, 0.432, 240.0))
    assert live.words(job) == ("Optical flow  43 %", "4 min left") and live.learned(job) == ""
    job._take(messages.Progress("flow", 1, 2, 0.432, 240.0, "joint", 0.67149))
    assert live.learned(job) == "Loss 0.671"
    region = SimpleNamespace(type="WINDOW", x=10, width=800, height=500)
    beside, over = (SimpleNamespace(type="TOOLS", x=x, width=90, height=400) for x in (-80, 10))
    assert live.place_in(SimpleNamespace(regions=[region, beside]), region).left < 90
    place = live.place_in(SimpleNamespace(regions=[region, over]), region)
    x, y, width, height = place.bar
    assert place.left > 90 and 0 < y < y + height < place.top < 500
    assert x + width < place.button[0] < x + place.width <= 800


def test_it_is_drawn_where_its_clip_is_shown(job):
    from unflatten.addon import live

    clip = job.clip_block()
    space = SimpleNamespace(type="CLIP_EDITOR", clip=clip)
    assert live.shown_job(SimpleNamespace(space_data=space)) is job
    clip.unflatten.show_live = False
    assert live.shown_job(SimpleNamespace(space_data=space)) is None
    clip.unflatten.show_live, job.status = True, "done"
    assert live.shown_job(SimpleNamespace(space_data=space)) is None

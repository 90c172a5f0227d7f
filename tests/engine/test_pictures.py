"""Writers and readers of pictures give back what they were given, whatever the path is called, and the film plays."""

from fractions import Fraction

import av
import numpy as np
import OpenEXR
import pytest

from engine.media.clip import open_clip
from engine.media.frames import VideoWriter, read_depth, read_exr, read_png, resize, write_depth, write_exr, write_png

rng = np.random.default_rng(0)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(9, 13), (9, 13, 3), (9, 13, 4)])
@pytest.mark.parametrize("level", [0, 1])
def test_png_keeps_every_value(tmp_path, kind, shape, level) -> None:
    picture = rng.integers(0, np.iinfo(kind).max + 1, shape).astype(kind)
    path = tmp_path / "mätte 日本" / "000001.png"
    write_png(path, picture, level)
    assert np.array_equal(read_png(path), picture) and [f.name for f in path.parent.iterdir()] == ["000001.png"]


def test_exr_keeps_names_and_values(tmp_path) -> None:
    layers = {"Z": rng.random((7, 11)).astype(np.float32) * 1e4, "mask": rng.random((7, 11)).astype(np.float32)}
    write_exr(tmp_path / "a.exr", layers, half=("mask",))
    back = read_exr(tmp_path / "a.exr")
    assert np.array_equal(back["Z"], layers["Z"]) and np.array_equal(back["mask"], layers["mask"].astype(np.float16))


def test_depth_stands_where_both_worlds_look_for_it(tmp_path) -> None:
    z, sure = rng.random((6, 8)).astype(np.float32) * 50, rng.random((6, 8)).astype(np.float32)
    write_depth(tmp_path / "000001.exr", z, sure)
    with OpenEXR.File(str(tmp_path / "000001.exr"), separate_channels=True) as file:
        channels = {name: channel.pixels for name, channel in file.channels().items()}
    assert set(channels) == {"R", "G", "B", "Z", "confidence"}
    assert np.array_equal(channels["R"], z) and np.array_equal(channels["Z"], z) and channels["Z"].dtype == np.float32
    assert np.array_equal(channels["G"], channels["confidence"]) and not channels["B"].any()
    back, sure_back = read_depth(tmp_path / "000001.exr")
    assert np.array_equal(back, z) and np.abs(sure_back - sure).max() < 5e-4


def test_the_same_pictures_give_the_same_bytes(tmp_path) -> None:
    z = rng.random((60, 80)).astype(np.float32)
    for name in ("a", "b"):
        write_depth(tmp_path / f"{name}.exr", z, z)
        write_png(tmp_path / f"{name}.png", (z * 255).astype(np.uint8))
        with VideoWriter(tmp_path / f"{name}.mp4", (80, 60), 24) as film:
            for k in range(5):
                film.write(np.roll((z * 255).astype(np.uint8)[..., None].repeat(3, -1), k, 1))
    for ending in ("exr", "png", "mp4"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes(), ending


def test_film_has_its_frames_rate_and_colours(tmp_path) -> None:
    colours = [(200, 30, 40), (30, 200, 40), (30, 40, 200), (128, 128, 128)]
    with VideoWriter(tmp_path / "f.mp4", (51, 37), Fraction(24000, 1001)) as film:
        for colour in colours:
            film.write(np.full((37, 51, 3), colour, np.uint8))
    clip = open_clip(tmp_path / "f.mp4")
    pictures = [frame.picture() for frame in clip.frames()]
    assert clip.fps == Fraction(24000, 1001) and clip.size == (52, 38) and len(pictures) == 4
    for picture, colour in zip(pictures, colours):
        assert np.abs(picture.reshape(-1, 3).mean(axis=0) - colour).max() < 4
    with av.open(str(tmp_path / "f.mp4")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_a_film_that_breaks_off_leaves_nothing(tmp_path) -> None:
    with pytest.raises(KeyError), VideoWriter(tmp_path / "f.mp4", (32, 32), 24) as film:
        film.write(np.zeros((32, 32, 3), np.uint8))
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_resize_keeps_pixel_centres() -> None:
    ramp = np.linspace(0, 255, 64, dtype=np.float32)[None].repeat(16, 0)
    half = resize(ramp, (32, 8))
    assert half.shape == (8, 32) and np.allclose(half[0], ramp[0].reshape(32, 2).mean(axis=1), atol=1e-3)
    assert resize(ramp, None) is ramp

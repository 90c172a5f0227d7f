"""Sound under slow motion: as long as the film, at the pitch it had."""

import av
import numpy as np
import pytest

from engine.media.frames import VideoWriter
from engine.slowmo import sound

RATE = 48000


def clip(path, seconds=2.0, pitch=440.0, heard=True):
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        tone = out.add_stream("aac", rate=RATE, layout="mono") if heard else None
        for k in range(int(seconds * 10)):
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 5 * k, np.uint8), format="rgb24")))
        out.mux(pictures.encode())
        if tone:
            wave = 0.5 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            out.mux(tone.encode(frame))
            out.mux(tone.encode())


def film(path, count):
    with VideoWriter(path, (64, 48), 10) as out:
        for k in range(count):
            out.write(np.full((48, 64, 3), k, np.uint8))


@pytest.mark.parametrize("factor", [1, 2, 8])
def test_stretched_with_its_pitch(tmp_path, factor):
    clip(tmp_path / "clip.mp4", seconds=4.0)  # longer than what is asked for
    film(tmp_path / "film.mp4", 20 * factor)
    assert sound.lay_under(tmp_path / "film.mp4", tmp_path / "clip.mp4", 0.0, 2.0, 1 / factor)
    with av.open(str(tmp_path / "film.mp4")) as made:
        assert sum(1 for _ in made.decode(video=0)) == 20 * factor
    with av.open(str(tmp_path / "film.mp4")) as made:
        wave = np.concatenate([frame.to_ndarray()[0] for frame in made.decode(audio=0)])
    assert len(wave) / RATE == pytest.approx(2.0 * factor, rel=0.06)
    middle = wave[len(wave) // 4 : len(wave) // 4 + RATE]
    assert np.abs(np.fft.rfft(middle * np.hanning(RATE))).argmax() == pytest.approx(440, abs=3)


def test_a_silent_clip_stays_silent(tmp_path):
    clip(tmp_path / "clip.mp4", heard=False)
    film(tmp_path / "film.mp4", 5)
    before = (tmp_path / "film.mp4").read_bytes()
    assert not sound.lay_under(tmp_path / "film.mp4", tmp_path / "clip.mp4", 0.0, 2.0, 0.5)
    assert (tmp_path / "film.mp4").read_bytes() == before


def test_chains_of_tempos():
    for tempo in (0.015625, 0.3, 0.5, 1.0, 3.0):
        parts = sound.tempos(tempo)
        assert np.prod(parts) == pytest.approx(tempo) and all(0.5 <= part <= 2.0 for part in parts)

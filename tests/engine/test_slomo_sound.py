"""Films of the frames in between: sound as long as the pictures at the pitch it had, and the clip's own colours."""

from dataclasses import replace

import av
import numpy as np
import pytest

from engine.contract.job import Request
from engine.contract.option import build
from engine.contract.options import Frames as Reading
from engine.contract.options import Interpolate
from engine.media import sound
from engine.media.colour import Colour
from engine.media.film import CODECS, VideoWriter
from engine.media.frames import Frames
from engine.stage import Inputs, Report
from engine.stages import frames as reading
from engine.stages import interpolate

RATE = 48000
WIDE_GAMUT = Colour(primaries=9, transfer=16, matrix=9, full=True)


def clip(path, seconds=2.0, pitch=440.0, heard=True, late=0.0):
    """Ten pictures a second, and a tone that begins `late` s after them and is silent in the last half second."""
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        tone = out.add_stream("aac", rate=RATE, layout="mono") if heard else None
        for k in range(int(seconds * 10)):
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 5 * k, np.uint8), format="rgb24")))
        out.mux(pictures.encode())
        if tone:
            wave = 0.5 * np.sin(2 * np.pi * pitch * np.arange(int((seconds - late) * RATE)) / RATE).astype(np.float32)
            wave[-RATE // 2 :] = 0
            frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, int(late * RATE)
            out.mux(tone.encode(frame))
            out.mux(tone.encode())
    return path


def heard(path):
    """[N] samples of the left channel, -1..1."""
    with av.open(str(path)) as made:
        whole = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
        return np.concatenate([part.to_ndarray()[0] for frame in made.decode(audio=0) for part in whole.resample(frame)])


def report(warnings=None):
    return Report("any", lambda message: None, lambda *step: None)


def read(path, room, **given):
    """The stage 'frames' over a clip."""
    room.mkdir()
    request = Request(clip=str(path), wants=("slowmo",), store="", device="cpu", **given)
    reading.run(Inputs(request, {}), Reading(), report(), room)
    return request


@pytest.mark.parametrize("factor", [1, 2, 8])
def test_stretched_with_its_pitch(tmp_path, factor):
    clip(tmp_path / "clip.mp4", seconds=4.0)  # longer than what is asked for
    assert sound.stretch(tmp_path / "clip.mp4", tmp_path / "sound.flac", 0.0, 2.0, 1 / factor)
    wave = heard(tmp_path / "sound.flac")
    assert len(wave) / RATE == pytest.approx(2.0 * factor, rel=0.06)
    middle = wave[len(wave) // 4 : len(wave) // 4 + RATE]
    assert np.abs(np.fft.rfft(middle * np.hanning(RATE))).argmax() == pytest.approx(440, abs=3)


def test_sound_stays_under_its_frames_and_needs_the_clip_only_once(tmp_path):
    """Frames 6 to 20 of a clip whose tone begins at 0.75 s and ends at 1.5 s: a quarter of a second of silence first, then the tone."""
    path = clip(tmp_path / "clip.mp4", late=0.75)
    request = read(path, tmp_path / "frames", first=6)
    path.unlink()
    frames = Frames(tmp_path / "frames")
    assert frames.about["audio"]
    options = build(Interpolate, {"factor": 2, "method": "blend", "output": "video"})
    (tmp_path / "slow").mkdir()
    interpolate.run(Inputs(request, {"frames": tmp_path / "frames"}), options, report(), tmp_path / "slow")
    for name, late in (("frames/sound.flac", 0.25), ("slow/sound.flac", 0.5), ("slow/slowmo.mp4", 0.5)):
        loud = np.convolve(np.abs(heard(tmp_path / name)), np.full(480, 1 / 480), "same") > 0.1
        assert np.flatnonzero(loud)[0] / RATE == pytest.approx(late, abs=0.06), name
        assert np.flatnonzero(loud)[-1] / RATE == pytest.approx(late + 0.75 * late / 0.25, abs=0.1), name
    with av.open(str(tmp_path / "slow" / "slowmo.mp4")) as film:
        assert film.streams.video[0].frames == 29


def test_a_silent_clip_stays_silent(tmp_path):
    read(clip(tmp_path / "clip.mp4", heard=False), tmp_path / "frames")
    assert not Frames(tmp_path / "frames").about["audio"] and not (tmp_path / "frames" / "sound.flac").exists()


def test_chains_of_tempos():
    for tempo in (0.015625, 0.3, 0.5, 1.0, 3.0):
        parts = sound.tempos(tempo)
        assert np.prod(parts) == pytest.approx(tempo) and all(0.5 <= part <= 2.0 for part in parts)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("colour", [Colour(), WIDE_GAMUT])
def test_films_keep_pictures_tags_and_range(tmp_path, codec, colour):
    """A ramp of 16 bit comes back through the reader: within 4 of 255 steps from 8 bit, where one step of chroma
    alone moves blue by 1.9, within 1 from 10; and the same bytes again."""
    path = tmp_path / f"film{CODECS[codec].suffix}"
    ramp = np.rint(np.linspace(0, 65535, 128)[None, :, None] * np.ones((72, 1, 3))).astype(np.uint16)

    def write():
        with VideoWriter(path, (128, 72), 24, 8, codec, colour) as film:
            for _ in range(3):
                film.write(ramp)
        return path.read_bytes()

    assert write() == write()
    read(path, tmp_path / "frames")
    frames = Frames(tmp_path / "frames")
    assert Colour.read(frames.about["colour"]) == (replace(colour, full=False) if codec == "prores" else colour)  # ProRes is never full
    assert frames.bits == (8 if codec == "h264" else 16)
    error = np.abs(frames.rgb(1).astype(float) / (255 if frames.bits == 8 else 65535) - ramp / 65535) * 255
    assert error.max() < (4 if codec == "h264" else 1.0)

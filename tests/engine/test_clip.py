"""Any film becomes the right number of upright frames with true numbers, times and colours."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from made_clips import film, patches, read

from engine.media.clip import upright_size
from engine.media.video import to_rgb


def test_turned_and_mirrored_videos_stand_upright(tmp_path) -> None:
    pictures = patches(2)
    for degrees in (0, 90, 180, 270):
        for mirror in (False, True):
            clip, _, _, upright, _ = read(film(tmp_path / f"{degrees}{mirror}.mp4", pictures, turn=degrees, mirror=mirror))
            # FFmpeg counts the turn counter-clockwise, as numpy does, and mirrors what was turned (av_display_matrix_flip).
            expected = np.rot90(pictures[0], degrees // 90)
            expected = np.fliplr(expected) if mirror else expected
            assert clip.size == (expected.shape[1], expected.shape[0]) and clip.mirrored == mirror
            assert mirror or clip.turn == -degrees % 360
            assert np.abs(upright[0].astype(int) - expected).mean() < 2, (degrees, mirror)


def test_the_shot_is_chosen_among_several_tracks(tmp_path) -> None:
    """A phone's motion photo: a track of two large stills beside the film; and a film with a cover picture."""
    with av.open(str(tmp_path / "two.mp4"), "w") as container:
        tracks = []
        for size, rate in (((192, 128), 1), ((96, 64), 24)):
            stream = container.add_stream("libx264", rate=rate)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            tracks.append((stream, 2 if rate == 1 else 20))
        for stream, count in tracks:
            for k in range(count):
                picture = np.full((stream.height, stream.width, 3), 10 * k, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(stream.encode())
    clip, numbers, *_ = read(tmp_path / "two.mp4")
    assert clip.size == (96, 64) and len(numbers) == 20


def test_stored_pixels_become_square(tmp_path) -> None:
    clip, _, _, pictures, _ = read(film(tmp_path / "s.mp4", patches(2), sar=Fraction(4, 3)))
    assert clip.size == (128, 64) and clip.source_size == (96, 64) and clip.aspect == Fraction(4, 3) and pictures[0].shape == (64, 128, 3)


@pytest.mark.parametrize("pixels, depth", [("yuv444p", 8), ("yuv420p", 8), ("yuv444p10le", 10), ("yuv422p12le", 12), ("yuv444p16le", 16)])
@pytest.mark.parametrize("matrix, red, blue", [(1, 0.2126, 0.0722), (5, 0.299, 0.114), (9, 0.2627, 0.0593)])
@pytest.mark.parametrize("full", [False, True])
def test_colours_are_exact_for_every_matrix_range_and_depth(pixels, depth, matrix, red, blue, full) -> None:
    """Against the formulas of ITU-R BT.601, 709 and 2020, which FFmpeg's converter alone misses at white by one level of 255."""
    top, step = 2**depth - 1, 2 ** (depth - 8)
    for rgb in ([0, 0, 0], [1, 1, 1], [0.9, 0.2, 0.1], [0.1, 0.8, 0.2], [0.2, 0.1, 0.9], [0.5, 0.5, 0.5]):
        luma = red * rgb[0] + (1 - red - blue) * rgb[1] + blue * rgb[2]
        chroma = (rgb[2] - luma) / (2 - 2 * blue), (rgb[0] - luma) / (2 - 2 * red)
        values = [luma * top] + [c * top + 128 * step for c in chroma] if full else [(16 + 219 * luma) * step] + [(128 + 224 * c) * step for c in chroma]
        frame = av.VideoFrame(64, 48, pixels)
        frame.colorspace, frame.color_range = matrix, 2 if full else 1
        kind = np.uint8 if depth == 8 else np.uint16
        for plane, value in zip(frame.planes, values):
            plane.update(np.full(plane.buffer_size // kind().itemsize, min(round(value), top), kind).tobytes())
        picture = to_rgb(frame, 8 if depth == 8 else 16)
        off = picture.reshape(-1, 3) / np.iinfo(picture.dtype).max * 255 - np.array(rgb) * 255
        assert np.abs(off).max() < (1.6 if depth == 8 else 1.6 / step + 0.05), (rgb, off[0])


def test_two_fields_become_one_whole_frame(tmp_path) -> None:
    """A texture that moves by 3 px from field to field; as FFmpeg marks it, the lower rows come first."""
    wide = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (96, 400, 3)).astype(np.float32), (0, 0), 2) * 5 - 500
    fields = [np.clip(wide[:, 3 * k : 3 * k + 192], 0, 255).astype(np.uint8) for k in range(16)]
    woven = [first.copy() for first in fields[::2]]
    for picture, second in zip(woven, fields[1::2]):
        picture[::2] = second[::2]
    path = film(tmp_path / "i.mp4", woven, options={"crf": "4", "flags": "+ildct+ilme", "x264opts": "interlaced=1"})
    plain, numbers, times, combed, said = read(path)
    assert any("interlaced" in text for text in said)
    _, same_numbers, same_times, whole, said = read(path, deinterlace=True)
    assert not said and same_numbers == numbers and same_times == pytest.approx(times) and len(whole) == 8

    def off(pictures) -> float:
        return float(np.mean([np.abs(a.astype(float) - b).mean() for a, b in zip(pictures[1:-1], fields[2:-2:2])]))

    assert off(whole) < 0.4 * off(combed), (off(whole), off(combed))
    progressive = film(tmp_path / "p.mp4", fields[:4])
    assert all(np.array_equal(a, b) for a, b in zip(read(progressive)[3], read(progressive, deinterlace=True)[3]))


def test_variable_rate_keeps_its_times(tmp_path) -> None:
    stamps = [0, 33, 80, 120, 250, 271, 330, 400]
    clip, numbers, times, _, _ = read(film(tmp_path / "vfr.mkv", patches(8), stamps=stamps))
    assert not clip.constant and numbers == list(range(1, 9))
    assert np.allclose(times, np.array(stamps) / 1000, atol=1e-6)


def test_a_lost_frame_leaves_a_gap_in_the_numbers(tmp_path) -> None:
    stamps = [0, 42, 83, 167, 208, 250, 292, 333]  # 24 fps; the fourth is gone
    clip, numbers, times, _, _ = read(film(tmp_path / "lost.mkv", patches(8), stamps=stamps))
    assert clip.constant and clip.fps == 24 and numbers == [1, 2, 3, 5, 6, 7, 8, 9]


def test_square_pixels() -> None:
    assert upright_size(480, 360, Fraction(4, 3), False) == (640, 360)
    assert upright_size(720, 576, Fraction(16, 15), True) == (576, 768)
    assert upright_size(1440, 1080, Fraction(3, 4), False) == (1440, 1440)

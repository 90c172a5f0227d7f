"""Pictures with numbers in their names become a clip with those numbers, their bits and their colours, or are refused with a remedy."""

from fractions import Fraction

import av
import cv2
import numpy as np
import OpenEXR
import pytest
from made_clips import film, numbered, patches, read

from engine.contract import sequence
from engine.failures import ClipFailure, RequestFailure
from engine.media.clip import open_clip
from engine.media.exr import to_display


def test_sequences_sort_by_number_whatever_is_asked_for(tmp_path) -> None:
    folder = numbered(tmp_path / "s", [f"v2_shot{n}.PNG" for n in (1, 2, 10, 9, 12)], np.full((32, 48, 3), 90, np.uint8))
    (folder / "notes.txt").write_text("x")
    (folder / "reference.png").write_bytes((folder / "v2_shot1.PNG").read_bytes())
    for path in (folder, folder / "v2_shot9.PNG", folder / "v2_shot%d.PNG", folder / "v2_shot##.PNG"):
        clip, numbers, times, _, said = read(path, fps="25")
        assert numbers == [1, 2, 9, 10, 12] and times[-1] == pytest.approx(11 / 25) and clip.fps == 25
        assert any("missing" in text for text in said)
    with pytest.raises(RequestFailure):
        open_clip(folder, fps="often")


def test_a_folder_stands_for_the_one_film_in_it(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    path = film(tmp_path / "shot.mp4", patches(3))
    clip, numbers, *_ = read(tmp_path)
    assert clip.path == path and clip.kind == "video" and numbers == [1, 2, 3]
    assert sequence.file_of(tmp_path) == path == sequence.file_of(path)
    (tmp_path / "poster.png").write_bytes(cv2.imencode(".png", patches(1)[0])[1].tobytes())
    assert open_clip(tmp_path).path == path == sequence.file_of(tmp_path)
    film(tmp_path / "other.mov", patches(2))
    assert sequence.file_of(tmp_path) == tmp_path
    with pytest.raises(ClipFailure) as several:
        open_clip(tmp_path)
    assert several.value.code == "clip-empty" and "2 videos" in several.value.why


def test_raw_footage_is_refused_with_the_way_out(tmp_path) -> None:
    for name in ("A001_0001.dng", "A001_0002.dng"):
        (tmp_path / name).write_bytes(b"II*\0" + bytes(64))
    for path in (tmp_path, tmp_path / "A001_0001.dng"):
        with pytest.raises(ClipFailure) as refused:
            open_clip(path)
        assert refused.value.code == "clip-raw" and "A001_0001.dng" in refused.value.why and "Develop" in refused.value.remedy


def test_wanted_frames_only(tmp_path) -> None:
    folder = numbered(tmp_path / "s", [f"{n:04d}.png" for n in range(20)], np.full((32, 48, 3), 90, np.uint8))
    assert [f.number for f in open_clip(folder).frames(lambda n: n >= 5 and n % 3 == 0, 12)] == [6, 9, 12]
    path = film(tmp_path / "a.mp4", patches(20))
    assert [f.number for f in open_clip(path).frames(lambda n: n >= 5 and n % 3 == 0, 12)] == [6, 9, 12]


def test_broken_and_mixed_pictures(tmp_path) -> None:
    folder = numbered(tmp_path / "s", [f"{n:04d}.png" for n in range(5)], np.full((32, 48, 3), 90, np.uint8))
    (folder / "0003.png").write_bytes(b"not a picture")
    _, numbers, _, _, said = read(folder)
    assert numbers == [0, 1, 2, 4] and any("0003.png" in text for text in said)
    for n in (0, 1, 2):
        (folder / f"{n:04d}.png").write_bytes(cv2.imencode(".png", np.zeros((40, 48 + n, 3), np.uint8))[1].tobytes())
    with pytest.raises(ClipFailure) as mixed:
        read(folder)
    assert mixed.value.code == "clip-mixed-sizes"


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "exr", "bmp", "webp"])
def test_a_picture_that_is_cut_off_is_left_out_and_named(tmp_path, ending) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    for n in range(4):
        path = tmp_path / f"{n:04d}.{ending}"
        if ending == "exr":
            OpenEXR.File({"type": OpenEXR.scanlineimage}, {name: picture[..., k] / np.float32(255) for k, name in enumerate("RGB")}).write(str(path))
        else:
            path.write_bytes(cv2.imencode(f".{ending}", picture)[1].tobytes())
    cut = tmp_path / f"0002.{ending}"
    cut.write_bytes(cut.read_bytes()[:3000])
    _, numbers, _, _, said = read(tmp_path)
    assert numbers == [0, 1, 3] and any(cut.name in text for text in said)


def test_sixteen_bits_survive(tmp_path) -> None:
    ramp = np.arange(32 * 48 * 3, dtype=np.uint16).reshape(32, 48, 3) * 14
    for ending in ("png", "tiff"):
        (tmp_path / f"r.{ending}").write_bytes(cv2.imencode(f".{ending}", ramp[..., ::-1])[1].tobytes())
        assert np.array_equal(read(tmp_path / f"r.{ending}")[3][0], ramp)


def test_exr_windows_layers_and_rate(tmp_path) -> None:
    rng = np.random.default_rng(0)
    light = rng.random((20, 30, 3)).astype(np.float32) * 0.8
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, "pixelAspectRatio": 1.0,
              "displayWindow": (np.array([0, 0], np.int32), np.array([47, 31], np.int32)),
              "dataWindow": (np.array([5, 4], np.int32), np.array([34, 23], np.int32))}
    channels = {f"beauty.{name}": np.ascontiguousarray(light[..., k]) for k, name in enumerate("RGB")} | {"depth.Z": light[..., 0].copy()}
    OpenEXR.File(header, channels).write(str(tmp_path / "a.0100.exr"))
    clip, numbers, _, pictures, said = read(tmp_path / "a.0100.exr")
    assert numbers == [100] and clip.size == (48, 32) and clip.bits == 16 and clip.layer == "beauty" and any("linear" in text for text in said)
    expected = np.zeros((32, 48, 3))
    expected[4:24, 5:35] = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 65535
    assert np.abs(pictures[0] - expected).max() < 1


def test_a_film_scan_is_called_logarithmic(tmp_path) -> None:
    still = av.CodecContext.create("dpx", "w")
    still.width, still.height, still.pix_fmt, still.time_base = 96, 64, "gbrp10le", Fraction(1, 24)
    scan = bytearray(b"".join(map(bytes, still.encode(av.VideoFrame.from_ndarray(patches(1)[0], "rgb24").reformat(format="gbrp10le")))))
    for curve, told in ((4, False), (1, True), (3, True)):
        scan[801] = curve
        (tmp_path / "scan.0001.dpx").write_bytes(scan)
        assert any("logarithmic" in text for text in read(tmp_path / "scan.0001.dpx")[4]) == told


def test_light_above_white_keeps_its_order() -> None:
    light = np.array([0.0, 0.2, 0.799, 0.801, 1, 2, 8, 100, np.inf, np.nan, -1], np.float32)
    for kind in (np.float32, np.float16):
        shown = to_display(light.astype(kind)).astype(int)
        assert (np.diff(shown[:9]) >= 0).all() and (np.diff(shown[:8]) > 0).all() and shown[8] == 65535
        assert list(shown[9:]) == [0, 0]

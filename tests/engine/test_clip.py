"""Any clip becomes the right number of upright frames with true numbers, times and colours, or is refused with a remedy."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import OpenEXR
import pytest

from engine.contract import sequence
from engine.failures import ClipFailure, RequestFailure
from engine.media.clip import open_clip, upright_size
from engine.media.exr import to_display
from engine.media.video import to_rgb

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "clips"
real = pytest.mark.skipif(not CLIPS.is_dir(), reason="the real footage of ../shared/clips is absent")

# Packets in the file; less those that hold no picture of their own, for the reason given.
COUNTS = {
    "4_odd/androidx_media/avi/sample.avi": (96, 960, 400),  # two empty packets: frames 2 and 3 do not exist
    "4_odd/androidx_media/mkv/bbb_642x642_768kbps_30fps_vp9.webm": (90, 642, 642),
    "4_odd/androidx_media/mp4/bt601.mov": (30, 640, 428),
    "4_odd/androidx_media/mp4/dolbyVision-hdr.MOV": (4, 720, 1280),  # 5, the edit list hides one; stands upright
    "4_odd/androidx_media/mp4/hlg10-color-test.mp4": (9, 1920, 1080),
    "4_odd/androidx_media/mp4/sample_18byte_nclx_colr.mp4": (30, 1080, 720),
    "4_odd/androidx_media/mp4/sample_empty_track.mp4": (30, 1080, 720),
    "4_odd/androidx_media/mp4/sample_fragmented.mp4": (30, 1080, 720),  # the header says 0
    "4_odd/androidx_media/mp4/sample_mdat_too_long.mp4": (30, 1080, 720),
    "4_odd/androidx_media/mp4/sample_missing_stsd.mp4": (30, 1080, 720),
    "4_odd/androidx_media/mp4/sample_rotate_and_reflect.mp4": (30, 720, 1080),
    "4_odd/androidx_media/mp4/sample_vvc.mp4": (120, 320, 180),
    "4_odd/androidx_media/mp4/sample_with_colr_mdcv_and_clli.mp4": (60, 1920, 1080),
    "4_odd/androidx_media/mp4/sample_with_invalid_nalu.mp4": (29, 1080, 720),  # 30, one is broken
    "4_odd/androidx_media/mp4/sample_without_stss.mp4": (30, 1080, 720),
    "4_odd/androidx_media/mp4/water_180_mvhevc_5frames.mov": (5, 1934, 2160),
    "4_odd/androidx_media/vp9/roadtrip-vp92-10bit.webm": (72, 426, 240),  # 80, eight are hidden reference frames
    "4_odd/decord/corrupted.mp4": (49, 1280, 720),  # 50, one is broken
    "4_odd/decord/unordered.mov": (4, 50, 50),
    "4_odd/decord/video_0.mov": (3, 568, 320),
    "4_odd/decord/video_90.mov": (3, 320, 568),
    "4_odd/decord/video_180.mov": (3, 568, 320),
    "4_odd/decord/video_270.mov": (3, 320, 568),
    "4_odd/libavif_p3pq/cosmos1650_yuv444_10bpc_p3pq.y4m": (1, 1024, 428),
    "4_odd/moviepy/fire2.mp4": (25, 1280, 720),
    "4_odd/moviepy/no_duration.webm": (74, 1280, 720),
    "4_odd/oiio_dpx/dpx_nuke_10bits_rgb.dpx": (1, 512, 512),
    "4_odd/oiio_dpx/dpx_nuke_16bits_rgba.dpx": (1, 512, 512),
    "4_odd/openexr_beachball": (1, 2048, 1556),  # the display window; the data window is smaller
    "4_odd/torchcodec/av1_video.mkv": (125, 640, 360),
    "4_odd/torchcodec/bt709_full_range.mp4": (30, 1280, 720),
    "4_odd/torchcodec/h264_10bits.mp4": (30, 200, 200),
    "4_odd/torchcodec/h265_10bits.mp4": (30, 200, 200),
    "4_odd/torchcodec/h265_video.mp4": (10, 128, 128),
    "4_odd/torchcodec/nasa_13013.mp4": (390, 480, 270),  # two video tracks: 325 at 320x180, 390 at 480x270
    "5_derived/anamorphic_sar_4_3.mp4": (24, 640, 360),  # stored as 480x360
    "5_derived/av1_10bit.mkv": (24, 960, 540),
    "5_derived/bit_errors_in_mdat.mp4": (48, 640, 360),
    "5_derived/black.mp4": (48, 480, 270),
    "5_derived/dnxhr_hqx_10bit.mov": (6, 640, 360),
    "5_derived/dnxhr_sq.mxf": (6, 640, 360),
    "5_derived/dpx10_sequence": (4, 320, 180),
    "5_derived/every_frame_doubled_48fps.mp4": (48, 640, 360),
    "5_derived/exr_half_linear_start_0997_gap": (9, 320, 180),
    "5_derived/ffv1_10bit.mkv": (8, 480, 270),
    "5_derived/flash_frames_exposure_jump.mp4": (40, 640, 360),
    "5_derived/fps_23976.mp4": (24, 640, 360),
    "5_derived/h264_444_odd_853x479.mp4": (16, 853, 479),
    "5_derived/hard_cut_in_the_middle.mp4": (48, 640, 360),
    "5_derived/hevc_main10.mp4": (24, 960, 540),
    "5_derived/jpg_unpadded_names_mixed_size": (11, 320, 180),  # 12 files, one of another size
    "5_derived/matte_dancer_over_golf/alpha": (30, 960, 540),
    "5_derived/matte_dancer_over_golf/rgb": (30, 960, 540),
    "5_derived/matte_lemur_fur_over_palawan/alpha": (24, 960, 540),
    "5_derived/matte_lemur_fur_over_palawan/rgb": (24, 960, 540),
    "5_derived/mjpeg_full_range.avi": (24, 640, 360),
    "5_derived/one_frame.mp4": (1, 640, 360),
    "5_derived/png16_sequence": (6, 320, 180),
    "5_derived/png_rgba_sequence": (8, 640, 360),
    "5_derived/prores4444_alpha.mov": (6, 640, 360),
    "5_derived/prores_hq_422.mov": (4, 960, 540),
    "5_derived/static_tripod_no_motion.mp4": (48, 640, 360),
    "5_derived/tiny_32x18.mp4": (24, 32, 18),
    "5_derived/truncated_60pct.mp4": (122, 1280, 720),  # 123 packets are left of 247, the last one is torn
    "5_derived/two_frames.mp4": (2, 640, 360),
    "5_derived/vfr_jitter_drops.mp4": (42, 640, 360),
    "5_derived/vp9_alpha.webm": (48, 640, 360),
    "5_derived/väl ljus – 日本 name with spaces.mp4": (12, 640, 360),
    "5_derived/white_noise.mp4": (12, 320, 180),
}
REFUSED = {
    "4_odd/androidx_media/mp4/sample_malformed_free_box.mp4": "clip-not-video",
    "4_odd/moviepy/-video-with-dash-.mp4": "clip-too-small",  # 1x1 px
    "5_derived/audio_only.mp4": "clip-no-video",
    "5_derived/empty.mp4": "clip-empty",
    "5_derived/text_renamed.mp4": "clip-not-video",
    "5_derived": "clip-empty",
    "5_derived/no_such_file.mp4": "clip-missing",
    "5_derived/no_such.%04d.png": "clip-missing",
}


def read(path, **kwargs):
    """(clip, numbers, times, pictures, warnings)."""
    said: list[str] = []
    clip = open_clip(path, said.append, **kwargs)
    frames = list(clip.frames())
    return clip, [f.number for f in frames], [f.time for f in frames], [f.picture() for f in frames], said


def film(path, pictures, rate=24, codec="libx264", pixels="yuv444p", options=None, stamps=None, **about):
    """Write RGB uint8 pictures as video; `about`: attributes of the stream's codec context, or turn=degrees."""
    turn, sar = about.pop("turn", None), about.pop("sar", None)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {"crf": "4"} if codec == "libx264" else options or {})
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], pixels
        if sar:
            stream.sample_aspect_ratio = sar
        if turn is not None:
            stream.set_display_rotation(turn, hflip=about.pop("mirror", False))
        for name, value in {"colorspace": 1, "color_range": 1, **about}.items():
            setattr(stream.codec_context, name, value)
        if stamps:
            stream.codec_context.time_base = Fraction(1, 1000)
        for k, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            space, span = about.get("colorspace", 1), about.get("color_range", 1)
            frame = frame.reformat(format=pixels, dst_colorspace=space, src_colorspace=space, src_color_range=2, dst_color_range=span)
            if stamps:
                frame.pts, frame.time_base = stamps[k], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def patches(count=4, height=64, width=96):
    """Flat saturated patches that move along by one field a frame: any mistake of matrix, range or order shows."""
    colours = np.array([[235, 20, 20], [20, 235, 20], [20, 20, 235], [128, 128, 128], [16, 16, 16], [235, 235, 235]], np.uint8)
    out = []
    for k in range(count):
        row = np.roll(colours, k, axis=0)[:, None].repeat(width // 6, axis=1).reshape(1, -1, 3)
        picture = row.repeat(height, axis=0)
        picture[: height // 4] //= 2
        out.append(np.ascontiguousarray(picture))
    return out


@real
@pytest.mark.parametrize("name", COUNTS)
def test_odd_inputs_decode_to_the_right_frames(name) -> None:
    clip = open_clip(CLIPS / name)
    frames = list(clip.frames())
    count, width, height = COUNTS[name]
    assert len(frames) == count and clip.size == (width, height)
    assert all(a.number < b.number and a.time < b.time for a, b in zip(frames, frames[1:]))
    picture = frames[len(frames) // 2].picture()
    assert picture.shape == (height, width, 3) and picture.dtype == (np.uint8 if clip.bits == 8 else np.uint16)
    assert picture.std() > 1 or "black" in name or "unordered" in name  # which are of one colour


@real
def test_no_odd_input_is_left_out() -> None:
    named = {*COUNTS, *REFUSED, "4_odd/natron"} - {"5_derived"}
    files = [path.relative_to(CLIPS) for kind in ("4_odd", "5_derived") for path in (CLIPS / kind).rglob("*") if path.is_file()]
    assert files and not [str(file) for file in files if not named & {file.as_posix(), *(parent.as_posix() for parent in file.parents)}]


@real
def test_stills_and_codecs_of_the_compositor_suite() -> None:
    files = sorted(file for file in (CLIPS / "4_odd/natron").rglob("*") if file.is_file())
    for file in files:
        clip, _, _, pictures, _ = read(file)
        assert len(pictures) == (1 if "Image" in file.parent.name or "EXR" in file.parent.name else 2), file
        assert pictures[0].std() > 1, file


@real
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_clip_is_refused_with_a_remedy(name) -> None:
    with pytest.raises(ClipFailure) as refused:
        open_clip(CLIPS / name)
    assert refused.value.code == REFUSED[name] and refused.value.why and refused.value.remedy


@real
def test_damage_is_said() -> None:
    for name in ("5_derived/bit_errors_in_mdat.mp4", "4_odd/decord/corrupted.mp4", "5_derived/fps_23976.mp4"):
        said: list[str] = []
        for _ in open_clip(CLIPS / name, said.append).frames():
            pass
        assert any("damaged" in text for text in said) == ("fps" not in name), name


@real
def test_damaged_data_decodes_the_same_each_time() -> None:
    first, again = (read(CLIPS / "5_derived/bit_errors_in_mdat.mp4")[3] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again))


@real
@pytest.mark.parametrize("a, b, off", [
    ("png16_sequence", "dpx10_sequence", 1),  # the DPX begins a frame later in its names, not in its pictures
    ("png16_sequence", "exr_half_linear_start_0997_gap", 997),
])
def test_the_same_shot_in_other_files_looks_the_same(a, b, off) -> None:
    one, other = read(CLIPS / "5_derived" / a)[3][0], read(CLIPS / "5_derived" / b)[3][0]
    ours, theirs = one[40:] / 65535, other[40:] / 65535
    dark = ours.max(axis=-1) < 0.85  # brighter than that, light rolls off on the way from EXR
    assert np.abs(ours - theirs)[dark].mean() < 0.004


@real
@pytest.mark.parametrize("name", ["hevc_main10.mp4", "av1_10bit.mkv", "prores_hq_422.mov", "ffv1_10bit.mkv", "dnxhr_hqx_10bit.mov", "dnxhr_sq.mxf"])
def test_other_codecs_and_depths_show_the_colours_of_their_source(name) -> None:
    pictures = []
    for path in (CLIPS / "1_static/golf_cart_alley/golf.mov", CLIPS / "5_derived" / name):
        picture = next(iter(open_clip(path).frames())).picture()
        pictures.append(cv2.resize(picture, (240, 135), interpolation=cv2.INTER_AREA) / (255 if picture.dtype == np.uint8 else 65535))
    off = (pictures[1] - pictures[0]) * 255
    assert np.abs(off).mean() < 2.5 and np.abs(off.mean(axis=(0, 1))).max() < 1.5  # one level was lost when they were made


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


def numbered(folder, names, picture):
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return folder


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

"""Odd files of the real world become the right number of upright frames in true colours, or are refused with a remedy."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from made_clips import read

from engine.failures import ClipFailure
from engine.media.clip import open_clip

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

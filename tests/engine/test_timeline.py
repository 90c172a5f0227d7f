"""Source times: factor, frame rate, speed curve, lists; cuts, repeats, holds, varying rates."""

import numpy as np
import pytest

from engine.contract.options import Interpolate
from engine.failures import RequestFailure
from engine.slowmo import timeline


def clip(frames, fps="24", cuts=(), duplicates=(), times=None):
    return {"frames": list(frames), "fps": fps, "cuts": list(cuts), "duplicates": list(duplicates), "times": times or []}


def test_factor_and_frame_rate():
    assert timeline.wanted(Interpolate(factor=4), clip(range(11, 14))).tolist() == [11, 11.25, 11.5, 11.75, 12, 12.25, 12.5, 12.75, 13]
    doubled = timeline.wanted(Interpolate(fps="60000/1001"), clip(range(1, 6), fps="30000/1001"))
    assert np.allclose(doubled, np.arange(1, 5.1, 0.5))
    assert timeline.output_fps(Interpolate(fps="60"), clip([1])) == 60 and timeline.output_fps(Interpolate(), clip([1])) == 24


def test_lists_freeze_and_reverse():
    assert timeline.wanted(Interpolate(times="1, 1 1;2.5 4:2:0.5"), clip(range(1, 6))).tolist() == [1, 1, 1, 2.5, 4, 3.5, 3, 2.5, 2]
    assert timeline.wanted(Interpolate(times="1 5.9"), clip(range(1, 6))).tolist() == [1, 5]  # Blender may count a frame more


def test_speed_curve_slows_where_it_says():
    times = timeline.wanted(Interpolate(speed="0:100, 10:25, 20:100"), clip(range(21)))
    steps = np.diff(times)
    assert times[0] == 0 and times[-1] <= 20 and steps.min() == pytest.approx(0.25, abs=0.03) and np.all(steps > 0)
    assert len(timeline.wanted(Interpolate(speed="0:50"), clip(range(21)))) == 41


@pytest.mark.parametrize("options", [{"times": "0"}, {"times": "1:2:3:4"}, {"times": "x"}, {"fps": "0"}, {"fps": "a"}, {"speed": "3"}, {"speed": "1:0"}])
def test_wrong_requests_are_refused(options):
    with pytest.raises(RequestFailure) as refused:
        timeline.wanted(Interpolate(**options), clip(range(1, 6)))
    assert refused.value.code == "wrong-option" and refused.value.remedy


def test_never_across_a_cut():
    track = timeline.read(clip(range(1, 9), cuts=[5]))
    assert track.locate(4.25).before == track.locate(4.25).after == 4
    assert track.locate(4.5).before == track.locate(4.9).after == 5
    assert track.locate(4.9).fraction == 0 and track.locate(5.5).fraction == 0.5
    assert track.neighbours(track.locate(3.5)) == (2, None) and track.neighbours(track.locate(5.5)) == (None, 7)


def test_repeats_are_time():
    track = timeline.read(clip(range(1, 9), duplicates=[2, 4, 6, 8]))  # every frame doubled
    assert track.frame.tolist() == [1, 3, 5, 7]
    moment = track.locate(2.0)
    assert (moment.before, moment.after, moment.fraction) == (1, 3, 0.5)
    assert track.locate(8.0).before == 7


def test_a_long_hold_stays_a_hold():
    track = timeline.read(clip(range(1, 21), duplicates=range(6, 16)))
    assert track.frame.tolist() == [1, 2, 3, 4, 5, 15, 16, 17, 18, 19, 20]


def test_missing_frames_of_a_sequence_are_spanned():
    assert timeline.read(clip([997, 998, 1001])).locate(999.5).fraction == 0.5


def test_a_varying_rate_is_made_even_in_seconds():
    seconds = [0.0, 0.1, 0.2, 0.6, 0.7]
    times = timeline.wanted(Interpolate(factor=1), clip(range(5), fps="10", times=seconds))
    shown = np.interp(times, range(5), seconds)
    assert np.allclose(np.diff(shown), 0.1) and shown[-1] == pytest.approx(0.7)


def test_one_frame():
    assert timeline.wanted(Interpolate(factor=8), clip([5])).tolist() == [5]
    assert timeline.read(clip([5])).locate(5.0).fraction == 0

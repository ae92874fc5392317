"""Heart beats: where they are between two samples, and which intervals are plausible."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from physio_ssl.heartbeats import (
    PLAUSIBLE,
    PULSE_BAND,
    QRS_BAND,
    filter_beats,
    find_ecg_beats,
    find_plausible,
    find_pulse_beats,
    find_wrist_beats,
    measure_regularity,
)

BEATS = np.arange(0.503, 19, 0.813)  # between samples of 64 Hz
TIMES = np.arange(20 * 64) / 64


def find_beats(kind, width):
    """Return the times of the beats of a train of bumps."""
    signal = np.exp(-(((TIMES - BEATS[:, np.newaxis]) / width) ** 2)).sum(axis=0)
    if kind == "ecg":
        return find_ecg_beats(filter_beats(signal[np.newaxis], QRS_BAND, 64), 64)[0] / 64
    pulse = filter_beats(signal, PULSE_BAND, 64)
    if kind == "pulse":
        return find_pulse_beats(pulse, 64) / 64
    return find_wrist_beats(pulse, np.full(len(pulse), pulse.std()), 64) / 64


@pytest.mark.parametrize("kind, width", [("ecg", 0.03), ("pulse", 0.15), ("wrist", 0.15)])
def test_beats_are_found_between_samples(kind, width):
    found = find_beats(kind, width)
    assert_allclose(found, BEATS, atol=0.2 / 64)
    assert_allclose(found[1:-1], BEATS[1:-1], atol=0.05 / 64)  # but for the filter's ends


@pytest.mark.parametrize("kind", PLAUSIBLE)
def test_missed_and_extra_beats_are_not_plausible(kind):
    intervals = np.array([0.8] * 15 + [1.6, 0.8, 0.3, 0.5, 0.8, 0.9] + [0.8] * 15)
    expected = np.isin(intervals, [0.8, 0.9])
    assert_array_equal(find_plausible(intervals, **PLAUSIBLE[kind]), expected)


@pytest.mark.parametrize("kind, slowest, fastest", [("ecg", 30, 220), ("bvp", 30, 200)])
def test_limits_of_heart_rate_are_plausible_and_what_is_beyond_is_not(kind, slowest, fastest):
    for rate, expected in [(slowest, True), (fastest, True), (29, False), (221, False)]:
        found = find_plausible(np.full(9, 60 / rate), **PLAUSIBLE[kind])
        assert_array_equal(found, expected)


def test_no_intervals_are_no_error():
    assert len(find_plausible(np.empty(0), **PLAUSIBLE["bvp"])) == 0


def test_the_rhythm_is_regular_but_for_implausible_intervals_and_gaps():
    beats = np.concatenate([np.arange(1, 10), [10.4], np.arange(20, 30)]).astype(float)
    intervals = np.diff(beats)
    plausible = (intervals > 0.9) & (intervals < 1.1)
    regularity = measure_regularity(beats, plausible, TIMES * 1.5)
    at = np.searchsorted(TIMES * 1.5, [5, 9.7, 15, 25])
    assert_array_equal(regularity[at], [1, 0, 0, 1])

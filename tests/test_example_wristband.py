"""Tests of the excerpt that comes with the package."""

from importlib.resources import files

import numpy as np

from physio_ssl.datasets import load_example_wristband

EXCERPTS = files("physio_ssl.datasets") / "excerpts"


def test_the_excerpt_holds_ten_minutes_of_plausible_signals():
    recording = load_example_wristband()
    assert recording.duration == 600
    assert dict(recording.sampling_rate) == {"bvp": 64, "eda": 4, "temp": 4}
    for signal in recording.signals.values():
        assert signal.dtype == np.float32
    assert 30 < recording.signals["temp"].min() < recording.signals["temp"].max() < 38
    assert 0.05 < recording.signals["eda"].min() < recording.signals["eda"].max() < 60


def test_excerpts_are_small_and_come_with_their_licence():
    sizes = [len(path.read_bytes()) for path in EXCERPTS.iterdir()]
    assert sum(sizes) < 200_000
    assert "CC0 1.0 Universal" in (EXCERPTS / "LICENSE.txt").read_text(encoding="utf-8")

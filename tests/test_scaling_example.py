"""The example that measures what the scaling may see."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from physio_ssl import load_encoder
from physio_ssl.datasets import simulate_wristband


@pytest.fixture(scope="module")
def script(load_script):
    script = load_script("scaling_wristband")
    script.REST = "rest"
    script.STAGES = {"simulated": ("rest", "stress")}
    script.STEP = {"simulated": 60, "WESAD": 60}
    return script


def test_scalings_are_compared_on_the_same_windows_with_rest_by_itself(script):
    recordings = simulate_wristband(3, n_blocks=1, stage_duration=180, random_state=0)
    encoder = load_encoder("wristband-small")
    windows, embeddings = script.embed(encoder, recordings, "simulated")
    assert list(embeddings) == [script.WHOLE, "past only", "each window by itself"]
    assert {len(X) for X in embeddings.values()} == {len(windows)}
    assert encoder.preprocessor_.scaling == "recording"

    classes = {"rest": 0, "stress": 1}
    options = SimpleNamespace(n_jobs=1, seed=0)
    found = script.compare(windows, embeddings, classes, options)
    assert found["n_windows"] == len(windows)
    assert len(found["difference"]) == 2

    shares = script.count_false_stress(encoder, recordings, windows, embeddings, classes)
    for share in shares["each window by itself"].values():
        assert share["rest alone"] == share["in its recording"]
        assert share["n_windows"] == 2


def test_rest_is_cut_out_from_its_first_window_to_its_end(script):
    (recording,) = simulate_wristband(1, n_blocks=1, stage_duration=180, random_state=0)
    (onset,) = recording.annotations["onset"][recording.annotations["description"] == "rest"]
    first = np.ceil(onset / 60) * 60
    alone = script.cut_out(recording, first)
    assert alone.duration == pytest.approx(onset + 180 - first, abs=0.25)
    for name, signal in alone.signals.items():
        start = round(first * recording.sampling_rate[name])
        whole = recording.signals[name][..., start : start + signal.shape[-1]]
        assert_array_equal(signal, whole)

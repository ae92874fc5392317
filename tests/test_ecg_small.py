"""The recipe of the ECG encoder, its evaluation and its card, on drawn ECGs."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from physio_ssl import Recording, load_encoder

SMALL = {"module__widths": (4, 8), "max_epochs": 2, "batch_size": 32}


@pytest.fixture(scope="module")
def recordings(draw_ecg):
    """Forty recordings of 20 s; in every other one the beats are irregular."""
    some = []
    for number in range(40):
        rng = np.random.default_rng(number)
        spread = 0.25 if number % 2 else 0.01
        beats = np.cumsum(0.75 + spread * rng.uniform(-1, 1, 40))
        ecg = draw_ecg(beats[beats < 19.5], 300, 20, seed=number)
        label = ("normal", "AF")[number % 2]
        marks = {"onset": [0.0], "duration": [20.0], "description": [label]}
        some.append(Recording({"ecg": ecg}, {"ecg": 300}, f"A{number:05d}", marks))
    return some


@pytest.fixture(scope="module")
def arithmetic(draw_ecg):
    """Six people whose heart beats faster in the second recording of 30 s."""
    some = []
    for number in range(6):
        for label, interval in (("rest", 0.75), ("arithmetic", 0.65)):
            jitter = np.random.default_rng(number).uniform(-0.05, 0.05, 50)
            beats = np.cumsum(interval + 0.04 * number + jitter)
            ecg = draw_ecg(beats[beats < 29.5], 300, 30, seed=number)
            marks = {"onset": [0.0], "duration": [30.0], "description": [label]}
            some.append(Recording({"ecg": ecg}, {"ecg": 300}, f"{number:02d}", marks))
    return some


@pytest.fixture(scope="module")
def scripts(load_script, recordings, arithmetic):
    """Return recipe and evaluation with a small network and these recordings."""
    recipe, evaluation = load_script("pretrain_ecg"), load_script("evaluate_ecg")
    recipe.SETTINGS = {**recipe.SETTINGS, **SMALL}
    recipe.load_cinc2017 = evaluation.load_cinc2017 = lambda path: recordings
    evaluation.load_eegmat = lambda path: arithmetic
    evaluation.study.DRAWS = {0.5: 2, 1.0: 1}
    evaluation.study.N_SEEDS = 2
    evaluation.study.RHYTHMS = {"normal": 0, "AF": 1}
    return recipe, evaluation


@pytest.fixture(scope="module")
def trained(scripts, tmp_path_factory):
    """Return the output folder of the recipe."""
    output = tmp_path_factory.mktemp("recipe") / "tiny"
    scripts[0].train(prepare(scripts[0], output))
    return output


def prepare(recipe, output, seed=0):
    options = SimpleNamespace(
        output=output,
        cinc2017=Path("unused"),
        seed=seed,
        device="cpu",
        precision="float32",
        n_threads=1,
    )
    recipe.check_output(output, recipe.get_settings(options))
    return options


def test_the_encoder_makes_its_windows_from_recordings(scripts, trained, recordings):
    encoder = load_encoder(trained / "tiny.safetensors")
    windows = encoder.preprocessor_.make_windows(recordings[:2], step=10)
    assert encoder.transform(windows.X).shape == (4, 16)
    loud = [Recording({"ecg": 50 * r.signals["ecg"][0]}, {"ecg": 300}, "x") for r in recordings[:2]]
    again = encoder.preprocessor_.make_windows(loud, step=10)
    np.testing.assert_allclose(encoder.transform(again.X), encoder.transform(windows.X), atol=1e-3)


def test_held_out_recordings_are_not_seen(scripts, trained, recordings):
    seen = set(load_encoder(trained / "tiny.safetensors").groups_seen_)
    held_out = {f"cinc2017/{name}" for name in scripts[0].hold_out([r.subject for r in recordings])}
    assert len(held_out) == 8
    assert seen == {f"cinc2017/{r.subject}" for r in recordings} - held_out


def test_other_settings_are_refused(scripts, trained):
    with pytest.raises(SystemExit, match="other settings"):
        prepare(scripts[0], trained, seed=1)


def test_the_card_holds_the_run_and_the_results_of_these_weights(scripts, trained):
    recipe, evaluation = scripts
    assert "Not evaluated yet" in recipe.write_card(trained).read_text()
    options = SimpleNamespace(
        encoders=[trained / "tiny.safetensors"] * 2,
        output=trained,
        cinc2017=None,
        eegmat=None,
        precision="float32",
        seed=0,
        no_networks=True,
    )
    evaluation.parse_options = lambda: options
    evaluation.main()
    results = json.loads((trained / "results.json").read_text())
    card = recipe.write_card(trained).read_text()
    assert "Atrial fibrillation" in card
    assert "rest vs mental arithmetic" in card
    rows = results["tables"][0]["rows"]
    assert {"heart rhythm", "ecg-small", "ecg-small, untrained", "clock"} <= set(rows)
    assert rows["heart rhythm"][1][0] > 0.9  # irregular beats are told by their intervals
    results["sha256"] = "another"
    (trained / "results.json").write_text(json.dumps(results))
    with pytest.raises(SystemExit, match="other weights"):
        recipe.write_card(trained)


def test_an_encoder_that_saw_the_test_recordings_is_refused(scripts, trained, recordings):
    evaluation = scripts[1]
    encoder = load_encoder(trained / "tiny.safetensors")
    encoder.groups_seen_ = np.array([f"cinc2017/{r.subject}" for r in recordings])
    options = SimpleNamespace(cinc2017=None, seed=0, output=trained, no_networks=True)
    with pytest.raises(SystemExit, match="held out"):
        evaluation.compare_on_rhythms([encoder], options)

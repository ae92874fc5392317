"""The recipe of the wristband encoder: a kill, other settings, its card; and the evaluation."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from physio_ssl import Recording, StageLabels, load_encoder

EXAMPLES = Path(__file__).parents[1] / "examples"
RATES = {"bvp": 64, "eda": 4, "temp": 4}
MIDDLES = {"bvp": 0, "eda": 5, "temp": 30}
SMALL = {"module__widths": (4,), "batch_size": 16, "max_epochs": 20}
# Runs the recipe with a small network, in a process that can be killed.
DRIVER = """
import importlib.util, os, sys
path, *sys.argv[1:] = sys.argv[1:]
sys.path.insert(0, os.path.dirname(path))
spec = importlib.util.spec_from_file_location("recipe", path)
recipe = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recipe)
recipe.SETTINGS = {**recipe.SETTINGS, **%r}
recipe.N_HELD_OUT = 1
recipe.main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("recipe")


@pytest.fixture(scope="module")
def corpus(folder):
    """A corpus of five people; all six sessions are of 4 minutes."""
    rng = np.random.default_rng(0)
    for session in ("A/1", "A/2", "B/1", "C/1", "D/1", "E/1"):
        path = folder / "NurseStress" / session
        path.mkdir(parents=True)
        for name, rate in RATES.items():
            values = MIDDLES[name] + rng.normal(size=240 * rate).cumsum() / 100
            rows = ["1594238057.0", f"{rate}.0", *(f"{value:.2f}" for value in values)]
            (path / f"{name.upper()}.csv").write_text("\n".join(rows))
    return folder / "NurseStress"


@pytest.fixture(scope="module")
def run(load_script):
    """Return a function that runs the recipe, with a small network, as the command does."""

    def run(*arguments, **settings):
        recipe = load_script("pretrain_wristband")
        recipe.SETTINGS = {**recipe.SETTINGS, **SMALL, **settings}
        recipe.N_HELD_OUT = 1
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["pretrain_wristband.py", *map(str, arguments)])
            recipe.main()

    return run


@pytest.fixture(scope="module")
def whole(corpus, folder, run):
    """The output of a run that was not interrupted."""
    run("--corpus", corpus, "--output", folder / "whole", "--n-threads", 1)
    return folder / "whole"


def read_metrics(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_killed_run_resumes_to_the_same_weights(corpus, whole, folder, run):
    killed = folder / "killed"
    arguments = ["--corpus", str(corpus), "--output", str(killed), "--n-threads", "1"]
    script = EXAMPLES / "pretrain_wristband.py"
    command = [sys.executable, "-c", DRIVER % SMALL, str(script), *arguments]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not (killed / "metrics.csv").exists():  # the first epoch has ended
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.1)  # somewhere in a later epoch
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 0 < len(read_metrics(killed)) < 20
    assert not (killed / "killed.safetensors").exists()
    run(*arguments)
    assert [row["epoch"] for row in read_metrics(killed)] == [str(i) for i in range(1, 21)]
    ours, theirs = (load_file(path / f"{path.name}.safetensors") for path in (killed, whole))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for row, other in zip(read_metrics(killed), read_metrics(whole), strict=True):
        assert {**row, "seconds": ""} == {**other, "seconds": ""}


def test_the_file_holds_people_preprocessor_and_history(corpus, whole):
    encoder = load_encoder(whole / "whole.safetensors")
    held_out = json.loads((whole / "training.json").read_text())["held_out"]
    people = {f"NurseStress/{name}" for name in "ABCDE"}
    assert len(held_out) == 1
    assert set(encoder.groups_seen_) == people - set(held_out)
    recording = Recording(
        {name: np.random.default_rng(0).normal(size=rate * 120) for name, rate in RATES.items()},
        RATES,
        "new",
    )
    windows = encoder.preprocessor_.make_windows(recording)
    assert encoder.transform(windows.X).shape == (2, 48)
    assert len(encoder.history_) == 20


def test_a_finished_run_is_not_repeated(corpus, whole, run):
    files = ["whole.safetensors", "training.json", "checkpoint.safetensors"]
    before = [(whole / name).stat().st_mtime_ns for name in files]
    (whole / "whole.md").unlink()
    run("--corpus", corpus, "--output", whole, "--n-threads", 1)
    assert [(whole / name).stat().st_mtime_ns for name in files] == before
    assert (whole / "whole.md").exists()


def test_the_card_holds_what_was_run(whole):
    card = (whole / "whole.md").read_text()
    facts = json.loads((whole / "training.json").read_text())
    assert "| NurseStress | 0.4 | 6 | 5 | CC0 | S. Hosseini et al., A multimodal sensor" in card
    assert f"{facts['parameters']:,} parameters" in card
    assert f"{(whole / 'whole.safetensors').stat().st_size / 1e6:.2f} MB" in card
    assert facts["held_out"][0] in card
    assert f"{float(read_metrics(whole)[-1]['valid_loss']):.3f}" in card
    assert "20 epochs" in card and "seed 0" in card
    assert (
        "HeartRateChannels(gaps='keep', sampling_rate=64), Resample(gaps='keep', "
        "new_sampling_rate=4, sampling_rate=64)" in card
    )
    assert "Not evaluated yet" in card
    assert "must not be used" in card and "Diagnosis" in card
    network = load_encoder(whole / "whole.safetensors").module_.network
    assert facts["parameters"] == sum(p.numel() for p in network.parameters())
    assert facts["n_windows"] + facts["n_validation_windows"] == 6 * 7


def test_the_card_holds_results_of_these_weights_only(whole, run):
    digest = json.loads((whole / "training.json").read_text())["sha256"]
    scores = {"pre-trained": [0.9, 0.8, 0.95], "clock": [0.8, 0.7, 0.85]}
    found = {"macro_f1": scores, "auroc": scores, "position_matched": {"clock": [None] * 3}}
    task = {**found, "n_people": 9, "step": 5, "added_value": {"hand-crafted": [0.1, 0.05, 0.15]}}
    results = {"sha256": digest, "date": "2026-01-02", "protocol": "Some.", "tasks": {"T": task}}
    path = whole / "results.json"
    path.write_text(json.dumps(results))
    run("--output", whole)
    card = (whole / "whole.md").read_text()
    scored = "0.800 [0.700, 0.850]"
    row = f"| T (9 people, windows every 5 s) | clock | {scored} | {scored} | not estimable |"
    assert row in card
    assert "| T (9 people, windows every 5 s) | hand-crafted | +0.100 [+0.050, +0.150] |" in card
    path.write_text(json.dumps({**results, "sha256": "of others"}))
    with pytest.raises(SystemExit, match="results of other weights"):
        run("--output", whole)
    path.unlink()


@pytest.mark.parametrize(
    "arguments, settings, message",
    [
        (["--seed", 1], {}, r"\(seed\)"),
        (["--precision", "bfloat16"], {}, r"\(precision\)"),
        ([], {"lr": 0.1}, r"\(settings\)"),
    ],
)
def test_other_settings_are_refused(arguments, settings, message, corpus, whole, run):
    with pytest.raises(SystemExit, match=f"other settings {message}"):
        run("--corpus", corpus, "--output", whole, "--n-threads", 1, *arguments, **settings)


@pytest.mark.parametrize(
    "place, corpus",
    [
        ("WESAD/S2/BVP.csv", "WESAD"),
        ("WESAD/S2/BVP.csv", "WESAD/S2"),
        ("all/wesad_pkl/S2.pkl", "all"),
        ("renamed/S2/S2_E4_Data.zip", "renamed"),
    ],
)
def test_wesad_is_refused(place, corpus, tmp_path, run):
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text("")
    with pytest.raises(SystemExit, match="WESAD"):
        run("--corpus", tmp_path / corpus, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unknown_corpora_need_licence_and_citation(tmp_path, run, load_script):
    known, other = tmp_path / "NurseStress", tmp_path / "other"
    arguments = ["--corpus", known, "--corpus", other, "--output", tmp_path / "out"]
    with pytest.raises(SystemExit, match="--licence.*unknown: other"):
        run(*arguments, "--licence", "CC0")
    options = SimpleNamespace(corpus=[known, other], licence=["CC0"], citation=["Doe, 2020"])
    sources = load_script("pretrain_wristband").name_sources(options)
    assert sources["other"] == {"licence": "CC0", "citation": "Doe, 2020"}
    assert "Hosseini" in sources["NurseStress"]["citation"]


def test_a_card_needs_a_training(tmp_path, run):
    with pytest.raises(SystemExit, match="no finished training"):
        run("--output", tmp_path)


# The evaluation


def test_the_evaluation_compares_on_the_same_windows(whole, tmp_path, load_script):
    evaluation = load_script("evaluate_wristband")
    encoder = load_encoder(whole / "whole.safetensors")
    rng = np.random.default_rng(0)
    recordings = [
        Recording(
            {name: rng.normal(size=rate * 480) for name, rate in RATES.items()},
            RATES,
            f"S{i}",
            {"onset": [0, 240], "duration": [240, 240], "description": ["rest", "stress"]},
        )
        for i in range(4)
    ]
    classes = {"rest": 0, "stress": 1}
    windows = encoder.preprocessor_.make_windows(recordings, 30, labels=StageLabels(classes))
    windows = evaluation.name_subjects(windows, "cohort")
    assert set(windows.groups) == {f"cohort/S{i}" for i in range(4)}
    models = evaluation.make_models(encoder)
    left_out = [f"pre-trained, without {name}" for name in RATES]
    assert list(models) == ["pre-trained", *left_out]
    with_tuned = evaluation.make_models(encoder, fine_tuned=True)
    added = [evaluation.FROZEN_HEAD, evaluation.TUNED]
    assert [name for name in with_tuned if name not in models] == added
    assert models["pre-trained"][0].estimator is encoder
    assert list(models[left_out[0]][0].transform(windows.X)) == ["eda", "temp"]
    models = {"pre-trained": models["pre-trained"]}
    options = SimpleNamespace(output=tmp_path, n_jobs=1, seed=0)
    found = evaluation.run("T, stress", models, windows, recordings, options)
    assert found["n_people"] == 4
    assert {"pre-trained", "pre-trained, untrained", "clock"} < found["macro_f1"].keys()
    for name, (difference, *_) in found["gain"].items():
        means = [found["macro_f1"][model][0] for model in ("pre-trained", name)]
        assert difference == pytest.approx(means[0] - means[1])
    assert {"hand-crafted", "channel statistics"} < found["added_value"].keys()
    assert (tmp_path / "confounds_T_stress.png").exists()


def test_the_digest_of_results_is_that_of_the_weights(whole, load_script):
    evaluation = load_script("evaluate_wristband")
    facts = json.loads((whole / "training.json").read_text())
    assert evaluation.read_digest(str(whole / "whole.safetensors")) == facts["sha256"]
    assert evaluation.read_digest("wristband-small") is None

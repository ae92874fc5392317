"""The example that repeats the tables of Wu et al., on files that are written here."""

import sys

import numpy as np
import pandas as pd
import pytest
import test_case
import test_empatica
import test_k_emocon
import test_wesad

from physio_ssl.preprocessing import wristband_preprocessor

DURATION = 8


@pytest.fixture
def script(load_script, monkeypatch):
    """The script, with short windows."""
    script = load_script("reproduce_wu2023")
    monkeypatch.setattr(script, "PREPROCESSOR", wristband_preprocessor(duration=DURATION))
    for name in ("step", "corpus_step"):
        monkeypatch.setitem(script.SIZES["quick"], name, DURATION)
    return script


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with WESAD, CASE and K-EmoCon, in their layout, of two people each."""
    folder = tmp_path_factory.mktemp("data")
    for number in (1, 2):
        rng = np.random.default_rng(number)
        write_wesad(folder / "WESAD", f"S{number}", rng)
        write_case(folder / "CASE", f"sub_{number}", rng)
        write_k_emocon(folder / "KEmoCon", str(number), rng)
    return folder


def write_wesad(folder, subject, rng):
    content = test_wesad._pickled(seconds=80, subject=subject)
    for signal in content["signal"]["wrist"].values():
        signal += rng.normal(size=signal.shape)
    content["label"] = np.repeat([1, 2, 3, 4], 20 * 700).astype(np.int32)
    test_wesad._write_pickle(folder / subject, content)


def write_case(folder, subject, rng):
    videos = [10, *range(1, 9)]
    physiology, ratings = test_case.tables(volts=False, videos=np.repeat(videos, DURATION))
    for name in ("bvp", "gsr", "skt"):
        physiology[name] = physiology[name] + rng.normal(size=len(physiology[name])).round(2)
    ratings["valence"] = np.repeat(np.tile([2, 5, 8], 3), DURATION * 20)
    test_case.write(folder, subject, (physiology, ratings))


def write_k_emocon(folder, subject, rng):
    signals = {name: test_k_emocon.signal(name) for name in test_k_emocon.RATES}
    for name in ("BVP", "EDA", "TEMP"):
        signals[name]["value"] += rng.normal(size=len(signals[name]))
    ratings = test_k_emocon.rating(arousal=[1, 1, 1, 5, 5, 5])
    test_k_emocon.write(folder, subject, signals, {"self": ratings})


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder of Empatica E4 sessions of two people."""
    folder = tmp_path_factory.mktemp("corpus")
    rng, kinds = np.random.default_rng(0), {"BVP": (0, 64), "EDA": (5, 4), "TEMP": (30, 4)}
    for name in ("N1", "N2"):
        files = {
            f"{signal}.csv": test_empatica._export(rng.normal(mean, size=100 * rate), rate)
            for signal, (mean, rate) in kinds.items()
        }
        test_empatica._write(folder / name, files)
    return folder


def run(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments)])
    script.main()


def test_tasks_of_all_data_sets_are_scored_by_both_protocols(
    script, data, corpus, tmp_path, monkeypatch
):
    arguments = ("--data", data, "--corpus", corpus, "--output", tmp_path, "--quick")
    tasks = ["WESAD, 2 classes", "CASE, valence, 3 classes", "KEmoCon, arousal, 2 classes"]
    run(script, monkeypatch, *arguments, "--tables", "scores", "--tasks", *tasks)
    for task in tasks:
        table = pd.read_csv(tmp_path / f"{task.replace(',', '').replace(' ', '_')}_scores.csv")
        by_protocol = table.groupby("protocol")["model"].agg(set)
        nets = {"S supervised", "F frozen", "T fine-tuned"}
        assert by_protocol[script.BEST_EPOCH] == nets
        assert by_protocol[script.LEAK_FREE] > nets | {"majority class", "clock"}
        assert any(name.startswith("Wu et al.") for name in by_protocol["published"])


def test_all_tables_of_the_sets_that_are_there_and_once_only(
    script, data, corpus, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(script, "make_baselines", lambda windows, recordings: {})  # which are slow
    monkeypatch.setattr(script, "TRANSFORMS", script.TRANSFORMS[:2])
    monkeypatch.setitem(script.SIZES["quick"], "fractions", (0.5,))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "WESAD").symlink_to(data / "WESAD")
    output = tmp_path / "output"
    arguments = ("--data", tmp_path / "data", "--corpus", corpus, "--output", output, "--quick")
    run(script, monkeypatch, *arguments, "--tasks", "2 classes")
    first = capsys.readouterr().out
    assert "left out: CASE, KEmoCon" in first
    expected = {
        "few_labels": "T fine-tuned",
        "modalities": "F frozen, bvp + temp",
        "transforms": "T fine-tuned, without Permutation",
        "network": "S supervised, no TCN",
        "fusion": "F frozen, mean of probabilities",
        "corpus": "F frozen, pre-trained on 1 of 2 people",
    }
    for table, model in expected.items():
        assert model in set(pd.read_csv(output / f"WESAD_2_classes_{table}.csv")["model"])
    run(script, monkeypatch, *arguments, "--tasks", "2 classes")
    again = capsys.readouterr().out
    assert "Pre-training" in first and "Pre-training" not in again
    assert again.splitlines()[-5:] == first.splitlines()[-5:]
    with pytest.raises(SystemExit, match="results of other settings"):
        run(script, monkeypatch, *arguments, "--seed", 1)


def test_without_a_corpus_there_must_be_weights(script, data, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(script, monkeypatch, "--data", data, "--quick")
    assert "give a --corpus" in capsys.readouterr().err

"""The example that repeats the tables of Vazquez-Rodriguez et al., on files written here."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from physio_ssl import SSLEncoder, load_encoder
from physio_ssl.networks import ECGTransformer

SECONDS = 10


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("reproduce_vazquez2022")


@pytest.fixture(scope="module")
def data(tmp_path_factory, draw_ecg):
    """A folder with all four data sets, in their layout, of few people."""
    folder = tmp_path_factory.mktemp("data")

    def draw(rate, *seeds):
        beats = 0.4 + np.cumsum(np.random.default_rng(seeds).uniform(0.6, 1.1, size=9))
        return draw_ecg(beats, rate, SECONDS, noise=0.1, seed=seeds)

    for person in range(1, 4):
        write_amigos(folder / "AMIGOS", person, draw)
    write_dreamer(folder / "DREAMER", draw)
    for number, name in enumerate(["PsPM-FR", "PsPM-VIS"]):
        write_pspm(folder / "PsPM" / name, draw(128, number))
    clip = np.column_stack([np.round(1000 * np.arange(SECONDS * 256) / 256), *2 * [draw(256, 7)]])
    (folder / "ASCERTAIN" / "ECGData" / "Movie_P01").mkdir(parents=True)
    savemat(folder / "ASCERTAIN/ECGData/Movie_P01/ECG_Clip1.mat", {"Data_ECG": clip})
    return folder


def cell(items):
    array = np.empty((1, len(items)), object)
    array[0, :] = items
    return array


def write_amigos(folder, person, draw):
    folder.mkdir(exist_ok=True)
    trials = [np.tile(draw(128, person, n)[:, np.newaxis], 17) for n in range(16)]
    ratings = [np.array([[1 + (n + person) % 9, 9 - n % 9, *10 * [1]]]) for n in range(16)]
    content = {"joined_data": cell(trials), "labels_selfassessment": cell(ratings)}
    savemat(folder / f"Data_Preprocessed_P{person:02d}.mat", content)


def write_dreamer(folder, draw):
    folder.mkdir()
    ecg = {"stimuli": cell([np.tile(draw(256, 3)[:, np.newaxis], 2)])}
    scores = dict.fromkeys(["ScoreArousal", "ScoreValence", "ScoreDominance"], np.array([[3]]))
    savemat(folder / "DREAMER.mat", {"DREAMER": {"Data": cell([{"ECG": ecg, **scores}])}})


def write_pspm(folder, ecg):
    folder.mkdir(parents=True)
    header = {"chantype": "ecg", "sr": 128, "units": "mV"}
    channel = {"data": ecg[:, np.newaxis], "header": header}
    savemat(folder / "S1.mat", {"infos": {"duration": SECONDS}, "data": cell([channel])})


def run(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments)])
    script.main()


@pytest.mark.filterwarnings("ignore:12 of 60 recordings")  # the long videos
def test_one_command_fills_all_tables_by_three_protocols(
    script, data, tmp_path, monkeypatch, capsys
):
    arguments = ("--data", data, "--output", tmp_path, "--quick", "--tasks", "arousal")
    run(script, monkeypatch, *arguments, "--tables", "scores", "corpus")
    scores = pd.read_csv(tmp_path / "AMIGOS_arousal_scores.csv")
    protocols = [script.SHUFFLED, script.SEEN, script.LEAK_FREE, "published"]
    assert list(dict.fromkeys(scores["protocol"])) == protocols
    own = scores.query("protocol != 'published'").groupby("protocol")["model"].agg(set)
    assert all(models >= {"pre-trained", "from scratch", "Sarkar & Etemad"} for models in own)
    assert {"majority class", "clock, forest"} <= own[script.LEAK_FREE]
    assert "pre-trained on 2 of 7 people" in capsys.readouterr().out
    encoder = load_encoder(tmp_path / "encoders" / "encoder, without AMIGOS.safetensors")
    assert {name.split("/")[0] for name in encoder.groups_seen_} == {
        "ASCERTAIN",
        "DREAMER",
        "PsPM-FR",
        "PsPM-VIS",
    }


def test_one_encoder_is_read_by_cls_token_or_mean(script):
    X = np.random.default_rng(0).normal(size=(3, 1, 64))
    small = {"module__d_model": 8, "module__patch_size": 16, "module__dim_feedforward": 8}
    encoder = SSLEncoder(ECGTransformer, **small, max_epochs=0, random_state=0).fit(X)
    other = script.embed_by(encoder, "mean")
    new = SSLEncoder(ECGTransformer, **small, module__embedding="mean", max_epochs=0)
    new.set_params(random_state=0).fit(X)
    np.testing.assert_array_equal(other.transform(X), new.transform(X))
    assert not np.allclose(other.transform(X), encoder.transform(X))
    assert other.get_params()["module__embedding"] == "mean"


def test_without_amigos_there_is_nothing_to_predict(script, data, tmp_path, monkeypatch):
    (tmp_path / "DREAMER").symlink_to(data / "DREAMER")
    with pytest.raises(SystemExit, match="must hold AMIGOS"):
        run(script, monkeypatch, "--data", tmp_path, "--output", tmp_path / "out")

"""Checkpoints of others: read without running their code, or refused."""

import pickle

import numpy as np
import pytest
import torch

from physio_ssl import SignalDict, SSLEncoder, load_wer_ssl_checkpoint
from physio_ssl.persistence import _rename_wer_ssl


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        load_wer_ssl_checkpoint(tmp_path / "none.pth")


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "notes.pth"
    path.write_text("epoch 3")
    with pytest.raises(ValueError, match=r"notes\.pth is not a file of plain tensors"):
        load_wer_ssl_checkpoint(path)


@pytest.mark.parametrize("content", [{"state_dict": {}}, [1, 2]])
def test_a_checkpoint_without_the_weights_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="should hold a dict with 'state_dict_fusion'"):
        load_wer_ssl_checkpoint(tmp_path / "other.pth")


def test_a_missing_weight_is_named(tmp_path):
    torch.save({"state_dict_fusion": {}}, tmp_path / "empty.pth")
    with pytest.raises(ValueError, match=r"model_fusion\.tcn1\.network\.0\.conv1\.weight_g"):
        load_wer_ssl_checkpoint(tmp_path / "empty.pth")


class _EveryName(dict):
    """Holds any weight; its value is its name."""

    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return name


def test_a_checkpoint_gives_back_its_weights(tmp_path):
    network, heads = _rename_wer_ssl(_EveryName(), "any")
    names = {"eda": (1, 240), "bvp": (1, 240), "temp": (1, 240)}
    encoder = SSLEncoder(
        module__token_size=1, module__d_model=128, standardize=False, random_state=5
    ).build(names)
    state = {network[name]: value for name, value in encoder.module_.state_dict().items()}
    state |= {heads[name]: value for name, value in encoder.heads_.state_dict().items()}
    torch.save({"state_dict_fusion": state}, tmp_path / "checkpoint.pth")
    X = np.random.default_rng(0).standard_normal((2, 240)).astype(np.float32)
    X = SignalDict(dict.fromkeys(names, X))
    again = load_wer_ssl_checkpoint(tmp_path / "checkpoint.pth")
    np.testing.assert_array_equal(again.transform(X), encoder.transform(X))


class _Evil:
    def __reduce__(self):
        return open, ("ran", "w")


@pytest.mark.parametrize("save", [torch.save, lambda x, path: path.write_bytes(pickle.dumps(x))])
def test_code_in_a_file_is_not_run(tmp_path, monkeypatch, save):
    monkeypatch.chdir(tmp_path)
    save({"state_dict_fusion": _Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="not a file of plain tensors"):
        load_wer_ssl_checkpoint(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()

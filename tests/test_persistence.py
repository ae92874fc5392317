"""Checkpoints of others: read without running their code, or refused."""

import pickle

import pytest
import torch

from physio_ssl import load_wer_ssl_checkpoint


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

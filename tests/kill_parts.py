"""Work that the tests kill, and what it has written; a server forks the processes."""

import json
import os
import resource
import signal
from multiprocessing import get_context

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from sklearn.dummy import DummyClassifier

from physio_ssl import SignalDict, SSLEncoder, Windows, concatenate_windows, open_windows
from physio_ssl.evaluation import leave_subjects_out
from physio_ssl.persistence import fit_resumable

torch.set_num_threads(1)
CONTEXT = get_context("forkserver")


def pretrain(folder):
    X = np.random.default_rng(0).normal(size=(24, 1, 64))
    encoder = SSLEncoder(module__d_model=8, batch_size=4, max_epochs=6, random_state=0)
    fit_resumable(encoder, X, folder)


def study(folder):
    X = np.random.default_rng(0).normal(size=(120, 3))
    info = {"subject": np.repeat([f"S{i}" for i in range(12)], 10), "label": np.tile([0, 1], 60)}
    models = {name: DummyClassifier(strategy="stratified") for name in "abc"}
    windows = Windows(X, pd.DataFrame(info))
    leave_subjects_out(models, windows, folder=folder, baselines=False)


def corpus(folder):
    def parts():
        for i in range(20):
            X = np.random.default_rng(i).normal(size=(64, 1, 640)).astype("float32")
            info = pd.DataFrame({"subject": np.full(64, f"S{i}")})
            rates = {"ecg": 64, "bvp": 32}
            yield Windows(SignalDict(ecg=X, bvp=X[..., ::2]), info, 10, rates)

    concatenate_windows({"a": parts(), "b": parts()}, folder)


def read(work, folder):
    """Return all that a work has written so far and that does not depend on the clock."""
    if not folder.exists():
        return {}
    if work is corpus:
        windows = open_windows(folder)
        return {"info": windows.info.to_csv(), **{k: x.tobytes() for k, x in windows.X.items()}}
    if work is study:
        files = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
        for content in files.values():
            for row in content["records"]:
                del row["seconds"]
        return files
    path = folder / "checkpoint.safetensors"
    if not path.exists():
        return {}
    with safe_open(path, framework="np") as file:
        history = json.loads(file.metadata()["physio_ssl"])["history"]
        tensors = {name: file.get_tensor(name).tobytes() for name in file.keys()}
    return {**tensors, "losses": [row["train_loss"] for row in history]}


def run(work, folder, max_bytes, pipe):
    """Do a work, and tell its error; files may have ``max_bytes``, as on a full disk."""
    if max_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing raises
        resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))
    pipe.send("started")
    try:
        work(folder)
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
    else:
        pipe.send("done")


def start(work, folder, max_bytes=None):
    """Start a work in a new process; return it and a function that waits for its outcome."""
    here, there = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=run, args=(work, folder, max_bytes, there))
    process.start()
    there.close()
    assert here.recv() == "started"

    def finish():
        outcome = here.recv()
        process.join()
        return outcome

    return process, finish


def start_server():
    """Load the libraries once for all processes."""
    here = os.path.dirname(__file__)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    CONTEXT.set_forkserver_preload(["kill_parts"])

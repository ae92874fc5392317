"""Measure the memory that pre-training on files takes, against the size of the files.

    python benchmarks/memory.py [--gigabytes 1.5] [--fraction 0.1] [--folder FOLDER]

A corpus of noise is written to files, recording by recording; an encoder with a tiny network is
trained on it for some steps, with weighted draws and held-out subjects, and embeds all of it.
Each runs in a process of its own that may take, beyond what it has after a training on a few
windows, no more private memory than a fraction of the corpus (RLIMIT_DATA; pages of the files are
not the process's own, the kernel can drop them at any time). A third process, which copies the
corpus, shows that the limit bites. Linux only.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import GroupKFold
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
from torch import nn

from physio_ssl import (
    Recording,
    SSLEncoder,
    concatenate_windows,
    corpus_weights,
    make_windows,
    open_windows,
)

RATE, DURATION, WINDOWS_PER_RECORDING = 128, 10, 500


class Network(nn.Module):
    """One convolution: what is measured is how windows are read."""

    def __init__(self, n_channels, n_times, size=8):
        super().__init__()
        self.embedding_size = dict.fromkeys(n_times, size)
        self.layers = nn.ModuleDict(
            {name: nn.Conv1d(n, size, 64, stride=64) for name, n in n_channels.items()}
        )

    def tokens(self, **signals):
        return {name: self.layers[name](x).transpose(1, 2) for name, x in signals.items()}

    def embed(self, tokens):
        return {name: part.mean(dim=1) for name, part in tokens.items()}

    def forward(self, **signals):
        return torch.cat(list(self.embed(self.tokens(**signals)).values()), dim=1)


class StopAfter(Callback):
    def __init__(self, n_steps):
        self.n_steps = n_steps

    def on_train_begin(self, net, **kwargs):
        self.left_ = self.n_steps

    def on_batch_end(self, net, training=False, **kwargs):
        self.left_ -= training
        if self.left_ == 0:
            raise KeyboardInterrupt  # skorch ends the training


def read_status(name):
    """Return a number of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"This system does not tell {name}.")


class Peak:
    """Watch the anonymous memory of this process, in a thread."""

    def __enter__(self):
        self.first = self.highest = read_status("RssAnon")
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.done.wait(0.005):
            self.highest = max(self.highest, read_status("RssAnon"))

    def __exit__(self, *error):
        self.done.set()
        self.thread.join()


def record(n_recordings, seed=0):
    rng = np.random.default_rng(seed)
    for number in range(n_recordings):
        ecg = rng.standard_normal(WINDOWS_PER_RECORDING * DURATION * RATE, dtype=np.float32)
        yield make_windows(Recording({"ecg": ecg}, {"ecg": RATE}, f"S{number:05}"), DURATION)


def make_encoder(n_steps):
    return SSLEncoder(
        Network,
        max_epochs=1,
        batch_size=64,
        pretext__n_views=1,
        train_split=ValidSplit(GroupKFold(5)),
        callbacks=[StopAfter(n_steps)],
        random_state=0,
    )


def write(folder, n_recordings):
    half = n_recordings // 2
    concatenate_windows({"a": record(half), "b": record(n_recordings - half, seed=1)}, folder)


def train(folder, n_steps):
    corpora = open_windows(folder)
    weight = corpus_weights(corpora.info["corpus"], {"a": 1, "b": 3})
    encoder = make_encoder(n_steps)
    encoder.fit(corpora.X, groups=corpora.groups, sampling_weight=weight)
    encoder.transform(corpora.X)


def copy(folder, _):
    np.array(open_windows(folder).X["ecg"])


def run_child(name, folder, number, limit):
    """Run one of the functions under the limit; print what it took."""
    with tempfile.TemporaryDirectory() as small:
        write(Path(small, "corpus"), 10)
        train(Path(small, "corpus"), 5)
    with Peak() as peak:
        before = read_status("VmData")
        resource.setrlimit(resource.RLIMIT_DATA, (before + limit, before + limit))
        start = time.perf_counter()
        try:
            {"write": write, "train": train, "copy": copy}[name](folder, number)
            failed = False
        except MemoryError:
            failed = True
        seconds = time.perf_counter() - start
    taken = peak.highest - peak.first
    print(json.dumps({"taken": taken, "all": peak.highest, "failed": failed, "seconds": seconds}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.5, help="size of the corpus")
    parser.add_argument("--fraction", type=float, default=0.1, help="limit, of the corpus")
    parser.add_argument("--steps", type=int, default=300, help="training steps")
    parser.add_argument("--folder", help="where to write the corpus, for a while")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        name, folder, number, limit = arguments.child
        return run_child(name, Path(folder), int(number), int(limit))

    bytes_per_recording = WINDOWS_PER_RECORDING * DURATION * RATE * 4
    n_recordings = max(10, round(arguments.gigabytes * 1e9 / bytes_per_recording))
    size = n_recordings * bytes_per_recording
    limit = round(arguments.fraction * size)
    print(f"Corpus: {size / 1e6:.0f} MB; limit of new private memory: {limit / 1e6:.0f} MB.\n")
    print("| process | anonymous memory, peak (MB) | of it new (MB) | of corpus | within | s |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        corpus = str(Path(folder, "corpus"))
        for name, number in (("write", n_recordings), ("train", arguments.steps), ("copy", 0)):
            command = [sys.executable, __file__, "--child", name, corpus, str(number), str(limit)]
            found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            within = "no" if found["failed"] else "yes"
            print(
                f"| {name} | {found['all'] / 1e6:.0f} | {found['taken'] / 1e6:.0f} "
                f"| {found['taken'] / size:.1%} | {within} | {found['seconds']:.1f} |",
                flush=True,
            )
            if found["failed"] != (name == "copy"):
                sys.exit(f"{name} should {'not ' * (name == 'copy')}have kept the limit.")


if __name__ == "__main__":
    main()

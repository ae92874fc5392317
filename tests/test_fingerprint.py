"""fingerprint: equal things have the same one, other things another, in every process."""

import operator
import pickle
import subprocess
import sys
from functools import partial
from threading import Lock

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from physio_ssl import SignalDict, SSLEncoder
from physio_ssl.evaluation.fingerprint import fingerprint

A = np.arange(12.0).reshape(6, 2)


def shift(k):
    return lambda X: X + k


def encoder(seed):
    X = np.random.default_rng(0).normal(size=(8, 1, 64))
    return SSLEncoder(module__d_model=8, max_epochs=1, random_state=seed).fit(X)


PAIRS = {
    "arrays": (A, A + 1e-12),
    "types": (A, A.astype(np.float32)),
    "shapes": (A, A.ravel()),
    "frames": (pd.DataFrame(A), pd.DataFrame(A + 1)),
    "windows": (SignalDict(bvp=A), SignalDict(bvp=A + 1)),
    "names": (SignalDict(bvp=A), SignalDict(eda=A)),
    "lambdas": (lambda X: np.log(X), lambda X: np.exp(X)),
    "constants": (lambda X: X * 2, lambda X: X * 3),
    "closures": (shift(1), shift(2)),
    "partials": (partial(np.clip, a_max=1), partial(np.clip, a_max=2)),
    "methods": ([1].count, [2].count),
    "getters": (operator.itemgetter(0), operator.itemgetter(1)),
    "slices": (slice(0, 3), slice(0, 4)),
    "sets": ({1, 2}, {1, 3}),
    "generators": (np.random.default_rng(0), np.random.default_rng(1)),
    "tensors": (torch.tensor([1.0, 5.0]), torch.tensor([1.0, 9.0])),
    "losses": (torch.nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss(label_smoothing=0.3)),
    "layers": (torch.nn.Dropout(0.1), torch.nn.Dropout(0.5)),
    "parameters": (StandardScaler(), StandardScaler(with_mean=False)),
    "functions": (FunctionTransformer(np.log), FunctionTransformer(np.exp)),
    "scalers": tuple(FrozenEstimator(StandardScaler().fit(x)) for x in (A, 2 * A)),
    "imputers": tuple(FrozenEstimator(KNNImputer().fit(x)) for x in (A, 2 * A)),
    "neighbours": tuple(KNeighborsClassifier(1).fit(x, [0, 1] * 3) for x in (A, 2 * A)),
    "encoders": (FrozenEstimator(encoder(0)), FrozenEstimator(encoder(1))),
    "pipelines": (make_pipeline(StandardScaler()), make_pipeline(StandardScaler(), "passthrough")),
}
NOT_PICKLED = {"lambdas", "constants", "closures"}


def test_other_things_differ():
    alike = [name for name, (one, other) in PAIRS.items() if fingerprint(one) == fingerprint(other)]
    assert alike == []


def test_a_copy_is_the_same():
    things = {name: one for name, (one, _) in PAIRS.items() if name not in NOT_PICKLED}
    copies = pickle.loads(pickle.dumps(things))
    assert {name: fingerprint(copy) for name, copy in copies.items()} == {
        name: fingerprint(thing) for name, thing in things.items()
    }


def test_the_same_settings_are_the_same():
    assert fingerprint(FrozenEstimator(encoder(0))) == fingerprint(FrozenEstimator(encoder(0)))
    assert fingerprint(shift(1)) == fingerprint(shift(1))


def test_what_cannot_be_taken_apart_is_refused():
    with pytest.raises(TypeError, match="pickle"):
        fingerprint(Lock())


def test_another_process_finds_the_same():
    code = (
        "import numpy as np; from sklearn.ensemble import RandomForestClassifier as F;"
        "from physio_ssl.evaluation.fingerprint import fingerprint;"
        "X = np.arange(12.0).reshape(6, 2); f = F(3, random_state=0).fit(X, [0, 1] * 3);"
        "result = fingerprint(set('abcdefgh'), f, lambda x: x + 1, np.float32)"
    )
    here = {"__name__": "__main__"}
    exec(code, here)
    command = [sys.executable, "-c", f"{code}; print(result)"]
    there = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert there.strip() == here["result"]

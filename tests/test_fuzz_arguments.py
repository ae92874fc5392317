"""Any value of any argument gives a result or a clear error, and no input is changed.

``FUZZ=1`` tries all values of ``fuzz_parts``; without it, a seeded sample.
"""

import os
import traceback
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from fuzz_parts import CASES, ODD, UNCLEAR, UNTRIED, list_arguments

import physio_ssl

ALL = bool(os.environ.get("FUZZ"))
OURS = [Path(module.__file__).parent for module in (physio_ssl, sklearn)]
PAIRS = [
    (name, argument)
    for name, (function, kwargs) in CASES.items()
    for argument in list_arguments(function, kwargs)
    if ALL or name not in UNTRIED and argument not in UNCLEAR.get(name, "").split()
]
N_VALUES = len(ODD) if ALL else 3


def digest(kwargs):
    """Return a digest of each argument that has data."""
    digests = {}
    for name, value in kwargs.items():
        if not isinstance(value, np.random.Generator):  # which is there to be drawn from
            digests[name] = joblib.hash(value)
    return digests


def comes_from_deep_inside(error):
    """Return whether an error was raised neither by our code nor by scikit-learn's."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    # Python's own errors about a kind of value are raised in the line of ours that meets it.
    return not any(Path(frame.filename).is_relative_to(folder) for folder in OURS)


def find_fault(name, argument, odd):
    """Return what is wrong with the outcome of a call, or None."""
    function, kwargs = CASES[name]
    kwargs = {**kwargs, argument: odd}
    try:
        before = digest(kwargs)
    except Exception:  # what cannot be pickled has no data
        before = None
    try:
        function(**kwargs)
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        clear = (argument, "os.PathLike", "Seed must be")
        if comes_from_deep_inside(error) and not any(text in str(error) for text in clear):
            return f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if before is not None and digest(kwargs) != before:
        return "an input was changed"
    return None


@pytest.mark.parametrize("name", CASES)
def test_valid_arguments_are_taken(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, kwargs = CASES[name]
    try:
        function(**kwargs)
    except (OSError, sklearn.exceptions.NotFittedError):
        assert name in ("save_encoder", "load_wu2023", "open_windows", "reconstruct_masked")


@pytest.mark.parametrize("name, argument", PAIRS)
def test_an_odd_argument_gives_a_result_or_a_clear_error(name, argument, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(PAIRS.index((name, argument)))
    faults = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for label in rng.choice(list(ODD), N_VALUES, replace=False):
            faults[label] = find_fault(name, argument, ODD[label])
    assert not any(faults.values()), {label: fault for label, fault in faults.items() if fault}

"""Any value of any argument gives a result or a clear error, and no input is changed.

``FUZZ=1`` tries all values of ``fuzz_parts``; without it, a seeded sample.
"""

import os
import re
import traceback
import warnings
from inspect import isfunction
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from fuzz_parts import CASES, NO_CASE, ODD, SLOW, list_arguments

import physio_ssl

ALL = bool(os.environ.get("FUZZ"))
PACKAGE, SKLEARN = (Path(module.__file__).parent for module in (physio_ssl, sklearn))
PAIRS = [
    (name, argument)
    for name, (function, kwargs) in CASES.items()
    for number, argument in enumerate(list_arguments(function, kwargs))
    if ALL or name not in SLOW or number % 3 == 0
]
N_VALUES = len(ODD) if ALL else 2
# Rules that Python and NumPy state for a path and a seed, and what the odd class and the odd
# function say themselves when they are called.
ALSO_CLEAR = ("os.PathLike", "Seed must be", "int()", "len()")


def list_public_names():
    """Return the names of what users import, but not those of modules."""
    modules = [getattr(physio_ssl, name) for name in sorted(physio_ssl._PUBLIC_MODULES)]
    names = {name for module in modules for name in getattr(module, "__all__", ())}
    return names | set(physio_ssl._PUBLIC_NAMES)


def digest(kwargs):
    """Return a digest of each argument that has data."""
    digests = {}
    for name, value in kwargs.items():
        if hasattr(value, "module_"):  # a net, which its first use may put into evaluation mode
            value = [part.numpy() for part in value.module_.state_dict().values()]
        # The hash of functions and objects depends on where their parts are in memory.
        is_object = isinstance(value, np.ndarray) and value.dtype.hasobject
        if isfunction(value) or is_object:
            digests[name] = repr(value)
        elif not isinstance(value, np.random.Generator):  # which is there to be drawn from
            digests[name] = joblib.hash(value)
    return digests


def is_clear(error, argument):
    """Return whether an error names the argument, or is raised on purpose."""
    if not isinstance(error, (ValueError, TypeError, OSError)):  # also scikit-learn's NotFitted
        return False
    if re.search(rf"\b{argument}\b", str(error)) or any(x in str(error) for x in ALSO_CLEAR):
        return True
    frame = traceback.extract_tb(error.__traceback__)[-1]
    on_purpose = frame.line.startswith("raise") and Path(frame.filename).is_relative_to(PACKAGE)
    return on_purpose or Path(frame.filename).is_relative_to(SKLEARN)


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
    except Exception as error:
        if not is_clear(error, argument):
            return f"{type(error).__name__}: {error}"
    if before is not None and digest(kwargs) != before:
        return "an input was changed"
    return None


def test_every_public_name_has_a_case_or_a_reason():
    tried, public = set(CASES), list_public_names()
    assert public - tried == set(NO_CASE)
    assert {name.partition(".")[0] for name in tried} <= public


@pytest.mark.parametrize("name", CASES)
def test_valid_arguments_are_taken(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, kwargs = CASES[name]
    try:
        function(**kwargs)
    except OSError:  # there is no such file
        assert name.startswith("load_") or name == "open_windows"


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

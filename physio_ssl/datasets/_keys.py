"""Keys of what is cached: a digest of files, arguments and recordings."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from inspect import isclass, isroutine
from pathlib import Path, PurePath

import numpy as np

from ..containers import Recording


def digest(value):
    """Return the digest of a value that ``describe`` made."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def name_function(function):
    """Return where a function or class is defined, or raise if its name does not tell it."""
    name = f"{function.__module__}.{getattr(function, '__qualname__', '<unknown>')}"
    if "<" in name:
        raise TypeError(f"A function must have a name to be cached with, got {function!r}.")
    return name


def stamp_files(path):
    """Return the path, size and time of the last change of a file, or of all files in a folder."""
    path = Path(path).resolve()
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    walk = os.walk(path, followlinks=True)
    found = (Path(root, name) for root, _, names in walk for name in names)
    files = [path] if path.is_file() else found
    stats = [(str(file), file.stat()) for file in sorted(files) if file.exists()]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def describe(value):
    """Return what a value is, as lists and plain values, or raise if that is not known."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return [type(value).__name__, repr(value)]
    if isinstance(value, PurePath):
        return ["path", str(value)]
    if isinstance(value, np.generic):
        return ["number", str(value.dtype), repr(value.item())]
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        data = hashlib.blake2b(value.tobytes(), digest_size=16).hexdigest()
        return ["array", str(value.dtype), list(value.shape), data]
    if isinstance(value, Mapping):
        return ["mapping", [[describe(key), describe(value[key])] for key in value]]
    if isinstance(value, (set, frozenset)):
        return ["set", sorted(map(describe, value))]
    if isinstance(value, (list, tuple, range)):
        return ["list", [describe(item) for item in value]]
    if isclass(value) or (isroutine(value) and not hasattr(value, "__self__")):
        return ["name", name_function(value)]
    if isinstance(value, Recording) or (is_dataclass(value) and not isclass(value)):
        values = {item.name: getattr(value, item.name) for item in fields(value)}
        return [name_function(type(value)), describe(values)]
    if hasattr(value, "get_params"):
        return [name_function(type(value)), describe(value.get_params(deep=False))]
    raise TypeError(
        "What is cached must depend on numbers, text, arrays, functions, label objects and "
        f"estimators, got a {type(value).__name__}: {value!r:.60}."
    )

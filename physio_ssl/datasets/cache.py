"""Recordings and windows that are kept in files, and opened without being read."""

import json
import re
import shutil
import warnings
import zlib
from pathlib import Path

import numpy as np

from .. import __version__
from .._check import check_callable
from .._files import make_folder, new_file, new_folder
from ..containers import Recording, as_recordings
from ..windows import make_windows, open_windows, save_windows
from ._keys import describe, digest, name_function, stamp_files

_FORMAT = "physio_ssl.recordings, version 1"
_CONTENT = "recordings.json"
_TABLES = ("annotations", "ratings")
_ENTRY = re.compile(r"-[0-9a-f]{32}(\.[0-9a-f]{8}\.part)?$")
_ATTEMPTS = 3


def _plain(value):
    """Return a NumPy scalar in metadata as one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"metadata must be numbers, text, lists and dicts to be cached, got {value!r}.")


class _Damaged(ValueError):
    """An entry of the cache is not as it was written."""


def _write_array(folder, name, array):
    """Write an array to a file of its own; return what tells whether the file is whole."""
    path = folder / f"{name}.npy"
    with new_file(path) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    return {"file": path.name, **_stamp(path)}


def _stamp(path):
    data = np.memmap(path, mode="r")
    return {"size": data.size, "crc32": zlib.crc32(data)}


def _open_array(folder, content, mapped):
    """Return an array, mapped into memory or read, or raise if its file is not as written."""
    path = folder / content["file"]
    if path.parent != folder or _stamp(path) != {key: content[key] for key in ("size", "crc32")}:
        raise _Damaged(f"{path} is not as it was written")
    if mapped:
        return np.lib.format.open_memmap(path, mode="r")
    return np.load(path, allow_pickle=False)


def _write_recording(folder, number, recording):
    """Write the arrays of a recording; return the rest."""
    content = {
        "subject": recording.subject,
        "start_time": recording.start_time,
        "start_offset": recording.start_offset,
        "sampling_rate": dict(recording.sampling_rate),
        "metadata": dict(recording.metadata),
        "signals": {
            name: _write_array(folder, f"{number}.{name}", signal)
            for name, signal in recording.signals.items()
        },
    }
    for table in _TABLES:
        columns = getattr(recording, table)
        content[table] = columns and {  # names of columns may hold anything
            name: _write_array(folder, f"{number}.{table}.{place}", column)
            for place, (name, column) in enumerate(columns.items())
        }
    return content


def _open_recording(folder, content):
    signals = {name: _open_array(folder, x, True) for name, x in content.pop("signals").items()}
    for table in _TABLES:
        if (columns := content[table]) is not None:
            content[table] = {name: _open_array(folder, x, False) for name, x in columns.items()}
    return Recording(signals, **content)


def _write_recordings(folder, recordings, messages):
    """Write recordings to a new folder, all of them or none."""
    many = not isinstance(recordings, Recording)
    with new_folder(folder) as part:
        content = {
            "format": _FORMAT,
            "many": many,
            "warnings": messages,
            "recordings": [
                _write_recording(part, number, recording)
                for number, recording in enumerate(as_recordings(recordings))
            ],
        }
        data = json.dumps(content, default=_plain).encode()
        with new_file(part / _CONTENT) as file:
            file.write(b"%08x %s" % (zlib.crc32(data), data))


def _open_recordings(folder):
    """Return the recordings in a folder and the warnings about them, or raise _Damaged."""
    try:
        checksum, _, data = (folder / _CONTENT).read_bytes().partition(b" ")
        if int(checksum, 16) != zlib.crc32(data):
            raise _Damaged(f"{_CONTENT} is not as it was written")
        content = json.loads(data)
        if content["format"] != _FORMAT:
            raise _Damaged(f"it must be of {_FORMAT}, got {content['format']}")
        recordings = [_open_recording(folder, one) for one in content["recordings"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _Damaged(str(error)) from error
    return recordings if content["many"] else recordings[0], content["warnings"]


class Cache:
    """A folder that keeps recordings and windows, so that they are made once.

    They are written as arrays and JSON, and mapped into memory when they are asked for again: no
    code in the files is run, and no more is read than is used. Several processes may share a
    cache. An entry that is damaged is made again, with a warning.

    Parameters
    ----------
    folder : str or path-like
        Folder of the cache, which is made if there is none.

    Raises
    ------
    OSError
        If nothing can be written to the folder.

    See Also
    --------
    physio_ssl.open_windows : Open windows that are in files.

    Notes
    -----
    The name of an entry is a digest of the version of physio_ssl, of the function and all its
    arguments but ``n_jobs``, and of the files that are read: their names, sizes and times of the
    last change. A change of any of these makes a new entry. Old ones stay until :meth:`clear`. The
    code of a function of your own is not part of it: call ``clear`` after you have changed it.

    Examples
    --------
    >>> from physio_ssl.datasets import Cache, load_wesad
    >>> cache = Cache("cache")  # doctest: +SKIP
    >>> recordings = cache.load(load_wesad, "WESAD", subjects=["S2", "S3"])  # doctest: +SKIP
    >>> windows = cache.make_windows(recordings, duration=60, step=5)  # doctest: +SKIP
    """

    def __init__(self, folder):
        make_folder(folder)
        self.folder = Path(folder).resolve()

    def __repr__(self):
        return f"Cache({str(self.folder)!r})"

    def load(self, reader, path, *args, **settings):
        """Return what ``reader(path, *args, **settings)`` returns, read once.

        Parameters
        ----------
        reader : callable
            Function with a name, such as ``load_wesad``, that returns a recording or a list of
            them.
        path : str or path-like
            File or folder that is read; the function must read no others.
        *args, **settings
            Further arguments of the reader.

        Returns
        -------
        Recording or list of Recording
            Signals are read-only arrays of type ``np.memmap``. In metadata, tuples are lists
            and keys are text.

        Raises
        ------
        FileNotFoundError, TypeError, ValueError
            As the reader does, or if there is no such path, the cache lies in it, the arguments or
            the metadata are not of a kind that can be cached.

        Warns
        -----
        UserWarning
            As the reader does, also if it is not called; if the entry was damaged.
        """
        check_callable(reader, "reader")
        if self.folder.is_relative_to(Path(path).resolve()):
            raise ValueError(f"The cache must be outside of {path}, got {self.folder}.")
        arguments = {name: value for name, value in settings.items() if name != "n_jobs"}
        key = [name_function(reader), stamp_files(path), *map(describe, (args, arguments))]

        def write(folder):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                recordings = reader(path, *args, **settings)
            messages = [str(one.message) for one in caught if one.category is UserWarning]
            _write_recordings(folder, recordings, messages)

        name = f"{reader.__name__}-{digest([__version__, *key])}"
        recordings, messages = self._get(name, write, _open_recordings)
        for message in messages:
            warnings.warn(message, stacklevel=2)
        return recordings

    def make_windows(self, recordings, *args, preprocessor=None, **settings):
        """Return the windows of recordings, cut once.

        Parameters
        ----------
        recordings : Recording or list of Recording
            Recordings, of a cache or not. Their samples are part of the entry's name.
        *args, **settings
            Further arguments of :func:`physio_ssl.make_windows`, or of the method of the
            preprocessor.
        preprocessor : Preprocessor, default=None
            Makes the windows with its ``make_windows``; None for ``physio_ssl.make_windows``.

        Returns
        -------
        Windows
            ``X`` holds read-only arrays of type ``np.memmap``.

        Raises
        ------
        TypeError, ValueError
            As ``make_windows`` does, or if an argument is not of a kind that can be cached.

        Warns
        -----
        UserWarning
            As ``make_windows`` does, but only when the windows are cut; if the entry was damaged.
        """
        recordings = as_recordings(recordings)
        make = make_windows if preprocessor is None else preprocessor.make_windows
        key = [*map(describe, (recordings, preprocessor, args, settings))]

        def write(folder):
            save_windows(folder, make(recordings, *args, **settings))

        return self._get(f"windows-{digest([__version__, *key])}", write, open_windows)

    def clear(self):
        """Remove all entries, also those that a killed process has left unfinished."""
        for entry in self.folder.iterdir():
            if entry.is_dir() and _ENTRY.search(entry.name):
                shutil.rmtree(entry)

    def _get(self, name, write, read):
        """Return what ``read`` returns of an entry, which ``write`` makes if there is none."""
        folder = self.folder / name
        for _ in range(_ATTEMPTS):
            if not folder.is_dir():
                try:
                    write(folder)
                except OSError:
                    if not folder.is_dir():  # or another process was faster
                        raise
            try:
                return read(folder)
            except (OSError, ValueError) as error:
                warnings.warn(f"{folder} is damaged and made again: {error}", stacklevel=3)
                shutil.rmtree(folder, ignore_errors=True)
        raise OSError(f"{folder} must stay as it was written, but is damaged again and again.")

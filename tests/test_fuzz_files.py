"""Damaged files: readers give a value, or an error that names the file; they never crash or hang.

300 files of each format are damaged; ``FUZZ=5000`` damages more.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import test_biosppy
import test_cinc2017
import test_edf
import test_embraceplus
import test_empatica
import test_opensignals
import test_physionet
import test_pspm
import test_readers
import test_timed_csv
import test_wesad
import test_xdf
from scipy.io import loadmat, savemat

N_FILES = int(os.environ.get("FUZZ", "300"))
SCRIPT = Path(__file__).with_name("fuzz_files.py")


def _write_compressed_pspm(folder):
    path = test_pspm.write(folder / "a.mat")
    savemat(path, {name: loadmat(path)[name] for name in ("infos", "data")}, do_compression=True)


def _write_biosppy(folder):
    return test_biosppy._write(folder / "a.txt")


def _write_cinc2017(folder):
    test_cinc2017._write_folder(folder, test_cinc2017._files())


def _write_session(folder):
    return test_empatica._write(folder / "S1", test_empatica._files())


def _write_zipped_session(folder):
    return test_empatica._write_zip(folder / "S1.zip", test_empatica._files())


def _write_embraceplus(folder):
    contents = [test_embraceplus.content(test_embraceplus.START + 10 * n, 10) for n in range(2)]
    test_embraceplus.write(folder, *contents)
    return folder


def _write_plain_embraceplus(folder):
    return test_embraceplus.write(folder, test_embraceplus.content(seconds=10), codec="null")


def _write_pickles(folder):
    for subject in ("S2", "S10"):
        test_wesad._write_pickle(folder / subject, test_wesad._pickled(2, subject))


def _write_export(folder):
    test_wesad._write_export(folder / "S2")


FORMATS = {  # reader, how to write its files, and what else the reader needs
    **{
        name: (name, write, settings) for name, (write, _, settings) in test_readers.READERS.items()
    },
    "load_wesad": ("load_wesad", _write_pickles, {}),  # short, as it is read often
    "compressed pspm": ("load_pspm", _write_compressed_pspm, {}),
    "biosppy": ("load_biosppy", _write_biosppy, {}),
    "cinc2017 in a folder": ("load_cinc2017", _write_cinc2017, {}),
    "csv": (
        "load_csv",
        test_timed_csv.write_polar,
        {"time": "timestamp [ms]", "signals": {"ecg": "ecg [uV]"}},
    ),
    "edf": ("load_edf", test_edf.write, {}),
    "embraceplus": ("load_embraceplus", _write_embraceplus, {}),
    "embraceplus without compression": ("load_embraceplus", _write_plain_embraceplus, {}),
    "opensignals": ("load_opensignals", test_opensignals.write, {}),
    "xdf": ("load_xdf", test_xdf.write, {}),
    "empatica": ("load_empatica", _write_session, {}),
    "zipped empatica": ("load_empatica", _write_zipped_session, {}),
    "wesad's export": ("load_wesad", _write_export, {}),
    "wfdb": ("load_wfdb", test_physionet._write, {}),
}


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_give_a_value_or_an_error_that_names_them(name, tmp_path):
    reader, write, settings = FORMATS[name]
    folder = tmp_path / "data"
    folder.mkdir()
    path = write(folder)
    path = path if reader in test_readers.SINGLE | {"load_dreamer"} else folder
    arguments = [reader, json.dumps(settings), path, folder, N_FILES, 0]
    process = subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    lines = process.stdout.splitlines()
    assert process.returncode == 0, f"{lines[-1:]} {process.stderr[-3000:]}"
    assert [line for line in lines if "WRONG" in line] == []
    assert len(lines) == N_FILES
    print(name, Counter(line.rpartition(" ")[2] for line in lines))  # shown by pytest -rP

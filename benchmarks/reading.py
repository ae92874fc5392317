"""Compare the time to read and window WESAD with that of pandas.read_csv on its files.

Usage: python benchmarks/reading.py WESAD [--rounds 5]
"""

import argparse
import statistics
import time
import zipfile
from pathlib import Path

import pandas as pd

from physio_ssl import StageLabels, make_windows
from physio_ssl.datasets import load_wesad

LABEL = {"baseline": 0, "amusement": 0, "stress": 1}


def read_with_pandas(folder):
    """Read the members of all zip files, without any use of them."""
    for path in sorted(Path(folder).glob("S*/S*_E4_Data.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in ("BVP.csv", "EDA.csv", "TEMP.csv"):
                with archive.open(name) as member:
                    pd.read_csv(member)


def read_and_window(folder):
    """Read the same files into labelled windows."""
    recordings = load_wesad(folder, source="e4")
    make_windows(recordings, duration=60, step=5, labels=StageLabels(LABEL))


def measure(function, folder):
    """Return the seconds that a function takes."""
    start = time.perf_counter()
    function(folder)
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="folder of WESAD")
    parser.add_argument("--rounds", type=int, default=5, help="alternations of the two")
    arguments = parser.parse_args()
    functions = (read_with_pandas, load_wesad, read_and_window)
    for function in functions:
        function(arguments.folder)  # fills the disk's cache
    seconds = [
        [measure(function, arguments.folder) for function in functions]
        for _ in range(arguments.rounds)
    ]
    pandas, reading, windowing = map(statistics.median, zip(*seconds, strict=True))
    ratio = statistics.median(row[2] / row[0] for row in seconds)
    print("| pandas.read_csv (s) | load_wesad (s) | load_wesad + make_windows (s) | ratio |")
    print("| --- | --- | --- | --- |")
    print(f"| {pandas:.2f} | {reading:.2f} | {windowing:.2f} | {ratio:.2f} |")

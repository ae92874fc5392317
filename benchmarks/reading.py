"""Compare the time to read E4 exports with that of pandas.read_csv on the same files.

Usage: python benchmarks/reading.py FOLDER [--reader load_wesad] [--rounds 5] [--jobs 2]

FOLDER has the files of a data set of E4 exports, for its reader.
"""

import argparse
import statistics
import tempfile
import time
import zipfile
from pathlib import Path

import pandas as pd

from physio_ssl import StageLabels, datasets, make_windows

SETTINGS = {"load_wesad": {"source": "e4"}, "load_ppg_dalia": {"source": "e4"}}
LABELS = {"load_wesad": StageLabels({"baseline": 0, "amusement": 0, "stress": 1})}
FILES = ("BVP.csv", "EDA.csv", "TEMP.csv")


def find_tables(folder):
    """Yield the files that a reader reads, as open files, also those in zip files."""
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in FILES:
                    with archive.open(name) as member:
                        yield member
        elif path.name in FILES:
            with path.open("rb") as file:
                yield file


def measure(function):
    """Return the seconds that a function takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main(folder, reader, rounds, jobs):
    """Compare the ways to read a data set."""

    def read_with_pandas():
        for file in find_tables(folder):
            pd.read_csv(file)

    load, settings = getattr(datasets, reader), SETTINGS.get(reader, {})
    functions = {
        "pandas.read_csv": read_with_pandas,
        reader: lambda: load(folder, **settings),
        f"{reader}, n_jobs={jobs}": lambda: load(folder, n_jobs=jobs, **settings),
    }
    if reader in LABELS:
        functions[f"{reader} + make_windows"] = lambda: make_windows(
            load(folder, **settings), duration=60, step=5, labels=LABELS[reader]
        )
    with tempfile.TemporaryDirectory() as place:
        cache = datasets.Cache(place)
        functions["second load of a cache"] = lambda: cache.load(load, folder, **settings)
        report(functions, rounds)


def report(functions, rounds):
    """Measure functions in turns, and print their medians and the ratios to the first."""
    for function in functions.values():
        function()  # fills the disk's cache, and ours
    seconds = [[measure(function) for function in functions.values()] for _ in range(rounds)]
    ratios = [[value / row[0] for value in row] for row in seconds]
    print("| what | s | ratio |\n| --- | --- | --- |")
    columns = (map(statistics.median, zip(*rows, strict=True)) for rows in (seconds, ratios))
    for name, taken, ratio in zip(functions, *columns, strict=True):
        print(f"| {name} | {taken:.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="folder of the data set")
    parser.add_argument("--reader", default="load_wesad", help="name of its reader")
    parser.add_argument("--rounds", type=int, default=5, help="alternations of all ways")
    parser.add_argument("--jobs", type=int, default=2, help="threads of the parallel way")
    main(**vars(parser.parse_args()))

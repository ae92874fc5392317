"""Fixtures that several test files share."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from physio_ssl import SignalDict


@pytest.fixture(scope="session")
def data_folder():
    """Folder of real recordings, named by an environment variable."""
    folder = os.environ.get("PHYSIO_SSL_DATA")
    if not folder:
        pytest.skip("PHYSIO_SSL_DATA does not name the folder of real recordings")
    if not Path(folder).is_dir():
        pytest.skip(f"PHYSIO_SSL_DATA names {folder}, which is no folder")
    return Path(folder)


@pytest.fixture(scope="session")
def reference_folder(data_folder):
    """Folder of published values, beside that of the recordings."""
    folder = data_folder.parent / "reference"
    if not folder.is_dir():
        pytest.skip(f"the published values are not at {folder}")
    return folder


@pytest.fixture(scope="session")
def load_script():
    """Return a function that imports a script of the folder examples, by name."""

    folder = Path(__file__).parents[1] / "examples"

    def load(name):
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)  # a script may import its neighbours
        yield load


@pytest.fixture
def signals():
    """Twelve windows of 10 s, as of a wristband."""
    rng = np.random.default_rng(0)
    return SignalDict(
        bvp=rng.normal(size=(12, 1, 640)),
        eda=rng.normal(5, 1, size=(12, 1, 40)),
        acc=rng.normal(size=(12, 3, 320)),
    )


@pytest.fixture(scope="session")
def draw_ecg():
    """Return a function that draws an ECG, in mV, of beats at given times."""

    def draw(beats, sampling_rate=128, duration=10, noise=0.02, seed=0):
        lag = np.arange(0, duration, 1 / sampling_rate) - np.asarray(beats)[:, np.newaxis]
        # place, width and height of the waves P, Q, R, S and T
        waves = [
            (-0.16, 0.025, 0.1),
            (-0.03, 0.01, -0.15),
            (0, 0.01, 1),
            (0.03, 0.01, -0.25),
            (0.25, 0.05, 0.3),
        ]
        ecg = sum(h * np.exp(-0.5 * ((lag - at) / w) ** 2).sum(axis=0) for at, w, h in waves)
        return ecg + np.random.default_rng(seed).normal(scale=noise, size=len(ecg))

    return draw


@pytest.fixture(scope="session")
def eegmat_files(data_folder):
    """Return the ECG, at 500 Hz, of each file of rest and mental arithmetic, by name."""
    edfio = pytest.importorskip("edfio")
    files = sorted((data_folder / "eegmat_ecg" / "data").glob("*.edf"))
    if not files:
        pytest.skip("PHYSIO_SSL_DATA holds no eegmat_ecg/data/*.edf")
    return {file.stem: edfio.read_edf(file).signals[0].data for file in files}

"""Fixtures that several test files share."""

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


@pytest.fixture
def signals():
    """Twelve windows of 10 s, as of a wristband."""
    rng = np.random.default_rng(0)
    return SignalDict(
        bvp=rng.normal(size=(12, 1, 640)),
        eda=rng.normal(5, 1, size=(12, 1, 40)),
        acc=rng.normal(size=(12, 3, 320)),
    )

"""Download data sets that may be had freely, and say whom to ask for the others."""

import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .._files import new_folder
from ._common import unzip
from ._download import download, verify

_MOST_BYTES = 2**37  # of one data set; WESAD has 17 GB


@dataclass(frozen=True)
class _Source:
    """Where a data set can be had."""

    title: str
    url: str  # of the file
    file: str
    page: str  # for people
    licence: str
    size: str
    # A file or folder whose parent is what the reader wants; None if it wants the zip file itself.
    marker: str | None
    inner: str | None = None  # zip file in the zip file
    sha256: str | None = None  # as the publisher gives it


@dataclass(frozen=True)
class _Agreement:
    """Whom to ask for a data set."""

    title: str
    owner: str
    page: str


_PHYSIONET = "https://physionet.org/static/published-projects"
_ODC = "Open Data Commons Attribution License 1.0"
_SOURCES = {
    "wesad": _Source(
        "WESAD",
        # The file at UCI holds nothing but an old address of this one.
        "https://uni-siegen.sciebo.de/s/HGdUkoNlW1Ub0Gx/download",
        "WESAD.zip",
        "https://archive.ics.uci.edu/dataset/465",
        "CC BY 4.0",
        "2.2 GB, 17 GB unzipped",
        marker="S2",
    ),
    "ppg_dalia": _Source(
        "PPG-DaLiA",
        "https://archive.ics.uci.edu/static/public/495/ppg+dalia.zip",
        "ppg_dalia.zip",
        "https://archive.ics.uci.edu/dataset/495",
        "CC BY 4.0",
        "about 3 GB, 20 GB unzipped",
        marker="S1",
        inner="data.zip",
    ),
    "nurse_stress": _Source(
        "NurseStress",
        "https://datadryad.org/stash/downloads/file_stream/1022493",
        "Stress_dataset.zip",
        "https://doi.org/10.5061/dryad.5hqbzkh6f",
        "CC0",
        "1.2 GB",
        marker="15",
    ),
    "exam_stress": _Source(
        "Wearable exam stress",
        f"{_PHYSIONET}/wearable-exam-stress/a-wearable-exam-stress-dataset-for-predicting-"
        "cognitive-performance-in-real-world-settings-1.0.0.zip",
        "exam_stress.zip",
        "https://physionet.org/content/wearable-exam-stress/1.0.0/",
        _ODC,
        "below 100 MB",
        marker="StudentGrades.txt",
    ),
    "drivedb": _Source(
        "drivedb",
        f"{_PHYSIONET}/drivedb/stress-recognition-in-automobile-drivers-1.0.0.zip",
        "drivedb.zip",
        "https://physionet.org/content/drivedb/1.0.0/",
        _ODC,
        "114 MB",
        marker="drive05.hea",
    ),
    "cinc2017": _Source(
        "CinC 2017",
        "https://physionet.org/files/challenge-2017/1.0.0/training2017.zip",
        "training2017.zip",
        "https://physionet.org/content/challenge-2017/1.0.0/",
        _ODC,
        "about 100 MB",
        marker=None,
    ),
    "eegmat": _Source(
        "EEGMAT",
        f"{_PHYSIONET}/eegmat/eeg-during-mental-arithmetic-tasks-1.0.0.zip",
        "eegmat.zip",
        "https://physionet.org/content/eegmat/1.0.0/",
        _ODC,
        "184 MB",
        marker="Subject00_1.edf",
    ),
    "stress_predict": _Source(
        "Stress-Predict",
        "https://github.com/italha-d/Stress-Predict-Dataset/archive/refs/heads/main.zip",
        "stress_predict.zip",
        "https://github.com/italha-d/Stress-Predict-Dataset",
        "MIT",
        "below 200 MB",
        marker="Raw_data",
    ),
}
_AGREEMENTS = {
    "amigos": _Agreement(
        "AMIGOS",
        "Miranda-Correa, Abadi, Sebe and Patras, Queen Mary University of London",
        "http://www.eecs.qmul.ac.uk/mmv/datasets/amigos/",
    ),
    "ascertain": _Agreement(
        "ASCERTAIN",
        "Subramanian, Wache, Abadi, Vieriu, Winkler and Sebe, University of Trento",
        "http://mhug.disi.unitn.it/index.php/datasets/ascertain/",
    ),
    "dreamer": _Agreement(
        "DREAMER",
        "Katsigiannis and Ramzan, University of the West of Scotland",
        "https://zenodo.org/record/546113",
    ),
    "k_emocon": _Agreement(
        "K-EmoCon", "Park, Cha, Kang and others, KAIST", "https://zenodo.org/record/3931963"
    ),
    "swell": _Agreement(
        "SWELL-KW",
        "Koldijk, Sappelli, Verberne, Neerincx and Kraaij, Radboud University",
        "https://doi.org/10.17026/dans-x55-69zp",
    ),
}


def get_data_home(data_home=None):
    """Return the folder of downloaded data sets, which is made if there is none.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The folder; None for the one that the environment variable ``PHYSIO_SSL_DATA_HOME`` names,
        or else ``physio_ssl_data`` in the user's home folder.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OSError
        If the folder cannot be made.

    See Also
    --------
    fetch_exam_stress : Download a data set into it.

    Examples
    --------
    >>> from physio_ssl.datasets import get_data_home
    >>> get_data_home("data")  # doctest: +SKIP
    """
    if data_home is None:
        data_home = os.environ.get("PHYSIO_SSL_DATA_HOME") or Path("~", "physio_ssl_data")
    folder = Path(data_home).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _get_archive(name, source, path, download_if_missing, progress):
    """Put the file of a data set in its place, unless it is there, and verify it."""
    by_hand = f"Download it from {source.page}, put it at {path}, and call fetch_{name} again."
    if not path.exists():
        if not download_if_missing:
            raise FileNotFoundError(f"There is no file {path} of {source.title}. {by_hand}")
        try:
            download(source.url, path, source.sha256, progress)
        except ValueError as error:  # of a wrong checksum
            raise ValueError(f"{source.title} of {source.url} is refused: {error}") from error
        except OSError as error:
            raise OSError(
                f"{source.title} cannot be downloaded from {source.url}: {error}. What has come is "
                f"kept, to continue. {by_hand}"
            ) from error
    verify(path, source.sha256)


def _extract(archive, folder, source):
    """Unzip a data set into a new folder, which is there as a whole or not at all."""
    with new_folder(folder) as part:
        unzip(archive, part, _MOST_BYTES)
        for inner in list(part.rglob(source.inner)) if source.inner else []:
            unzip(inner, inner.parent, _MOST_BYTES)
            inner.unlink()
        shutil.rmtree(part / "__MACOSX", ignore_errors=True)
        if not any(part.rglob(source.marker)):
            raise ValueError(f"{archive} must hold {source.marker}, to be {source.title}.")


@contextmanager
def _alone(folder):
    """Let one process or thread at a time work in a folder, where the system can tell."""
    try:
        import fcntl
    except ImportError:  # on Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # which unlocks it


def _fetch(name, data_home, download_if_missing, progress):
    source, folder = _SOURCES[name], get_data_home(data_home) / name
    folder.mkdir(exist_ok=True)
    with _alone(folder):
        return _get_files(name, source, folder, download_if_missing, progress)


def _get_files(name, source, folder, download_if_missing, progress):
    archive, files = folder / source.file, folder / "files"
    if source.marker is None or not files.is_dir():
        _get_archive(name, source, archive, download_if_missing, progress)
    if source.marker is None:
        return archive
    if not files.is_dir():
        with suppress(FileExistsError):  # another process was faster
            _extract(archive, files, source)
    return min(files.rglob(source.marker), key=lambda path: len(path.parts)).parent


def _refuse(name, data_home):
    agreement, folder = _AGREEMENTS[name], get_data_home(data_home) / name
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    raise PermissionError(
        f"{agreement.title} needs an agreement with its authors, {agreement.owner}: ask them, see "
        f"{agreement.page}, and put its files into {folder}."
    )


_DOWNLOADS = """Download {title}, unless it is there, and return the path for its reader.

    A download that was cut off continues where it was. {checksum}

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of all data sets, as in :func:`get_data_home`. The files go to ``{name}`` in it.
    download_if_missing : bool, default=True
        Whether to download what is not there; otherwise, it is an error.
    progress : bool, default=True
        Whether to show a progress bar.

    Returns
    -------
    Path
        For :func:`~physio_ssl.datasets.load_{name}`.

    Raises
    ------
    OSError
        If there is no connection or the server refuses. The message says which address was tried,
        and where to put the file by hand.
    ValueError
        If the file has not its checksum, or is no zip file of this data set.

    See Also
    --------
    load_{name} : Read the files.

    Notes
    -----
    Licence: {licence}. Size: {size}. Page: {page}
{example}"""
_KNOWN = "The checksum is that of the publisher."
_UNKNOWN = """The publisher's checksum is not
    known: that of the first download is noted beside the file, and later ones must have it."""
_REFUSALS = """Return the folder of {title}, or say whom to ask for it.

    It may only be had under an agreement with its authors, {owner}.
    See {page}

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of all data sets, as in :func:`get_data_home`. The files belong in ``{name}`` in it.

    Returns
    -------
    Path
        The folder with the files.

    Raises
    ------
    PermissionError
        If the files are not there.

    See Also
    --------
    load_{name} : Read the files.
{example}"""
_EXAMPLE = """
    Examples
    --------
    >>> from physio_ssl.datasets import fetch_{name}, load_{name}
    >>> recordings = load_{name}(fetch_{name}())  # doctest: +SKIP
"""


def _name(function, name, doc, **values):
    """Return a function with a name and a docstring of its own."""
    function.__name__ = function.__qualname__ = f"fetch_{name}"
    function.__doc__ = doc.format(name=name, example=_EXAMPLE.format(name=name), **values)
    return function


def _make_fetcher(name, source):
    def fetch(data_home=None, *, download_if_missing=True, progress=True):
        return _fetch(name, data_home, download_if_missing, progress)

    checksum = _KNOWN if source.sha256 else _UNKNOWN
    return _name(fetch, name, _DOWNLOADS, checksum=checksum, **vars(source))


def _make_refusal(name, agreement):
    def fetch(data_home=None):
        return _refuse(name, data_home)

    return _name(fetch, name, _REFUSALS, **vars(agreement))


_FETCHERS = {
    **{name: _make_fetcher(name, source) for name, source in _SOURCES.items()},
    **{name: _make_refusal(name, agreement) for name, agreement in _AGREEMENTS.items()},
}
fetch_amigos = _FETCHERS["amigos"]
fetch_ascertain = _FETCHERS["ascertain"]
fetch_cinc2017 = _FETCHERS["cinc2017"]
fetch_dreamer = _FETCHERS["dreamer"]
fetch_drivedb = _FETCHERS["drivedb"]
fetch_eegmat = _FETCHERS["eegmat"]
fetch_exam_stress = _FETCHERS["exam_stress"]
fetch_k_emocon = _FETCHERS["k_emocon"]
fetch_nurse_stress = _FETCHERS["nurse_stress"]
fetch_ppg_dalia = _FETCHERS["ppg_dalia"]
fetch_stress_predict = _FETCHERS["stress_predict"]
fetch_swell = _FETCHERS["swell"]
fetch_wesad = _FETCHERS["wesad"]

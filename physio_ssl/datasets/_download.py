"""Download a file through pooch: resumed where it was cut off, and verified."""

import os
from pathlib import Path

from tqdm import tqdm

from .._files import replace_file
from ._common import import_library

_ATTEMPTS = 3
_CHUNK = 2**16  # bytes; of a connection that breaks, the last ones are lost
_TIMEOUT = 30  # s without an answer


class _CutOff(OSError):
    """The server sent less than it said."""


class ResumableDownload:
    """Downloader for pooch that keeps what came before the connection broke, and continues.

    Parameters
    ----------
    part : Path
        File that holds what has come so far. The file beside it, ``.tag``, holds what the server
        calls this version of the file, so that parts of two versions are never joined.
    progress : bool
        Whether to show a progress bar.
    """

    def __init__(self, part, progress):
        self.part = part
        self.tag = part.with_name(f"{part.name}.tag")
        self.progress = progress

    def __call__(self, url, output_file, pooch=None):
        """Download a file; pooch says where to."""
        import requests  # comes with pooch

        torn = (
            *(_CutOff, requests.ConnectionError, requests.Timeout),
            requests.exceptions.ChunkedEncodingError,
        )
        for attempt in range(_ATTEMPTS):
            before = self._count()
            try:
                self._continue(url, requests.get)
                break
            except torn:
                if attempt == _ATTEMPTS - 1 or self._count() <= before:
                    raise
        os.replace(self.part, output_file)
        self.tag.unlink(missing_ok=True)

    def _count(self):
        return self.part.stat().st_size if self.part.exists() else 0

    def _continue(self, url, get):
        """Ask for the rest of the file, and write what comes."""
        start, headers = 0, {"Accept-Encoding": "identity"}
        if self.tag.exists() and (start := self._count()):
            tag = self.tag.read_text(encoding="latin-1")
            headers |= {"Range": f"bytes={start}-", "If-Range": tag}
        with get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            if response.status_code == 416:  # nothing is left, or the file is another one
                self.tag.unlink()
                raise _CutOff("the server has no such rest")
            response.raise_for_status()
            if response.status_code != 206:  # the server sends all of it
                start = 0
                self._start(response.headers)
            self._write(response, start)

    def _start(self, headers):
        """Begin anew, and note what the server calls this version."""
        self.tag.unlink(missing_ok=True)
        self.part.write_bytes(b"")
        tag = headers.get("ETag", "W/")
        if tag := headers.get("Last-Modified") if tag.startswith("W/") else tag:
            self.tag.write_text(tag, encoding="latin-1")

    def _write(self, response, start):
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else None
        bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, disable=not self.progress)
        with bar, self.part.open("r+b") as file:
            file.seek(start)
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                file.flush()
                bar.update(len(chunk))
            if total is not None and file.tell() != total:
                raise _CutOff(f"it must have {total} bytes, got {file.tell()}")


def _read_checksum(path):
    """Return the SHA-256 that was noted beside a file, or None."""
    note = path.with_name(f"{path.name}.sha256")
    return note.read_text(encoding="ascii").split()[0] if note.exists() else None


def verify(path, sha256=None):
    """Raise if a file has not its checksum; note the checksum of a file that has none yet."""
    found = import_library("pooch").file_hash(str(path), "sha256")
    expected = sha256 or _read_checksum(path)
    if expected is None:
        note = path.with_name(f"{path.name}.sha256")
        replace_file(note, f"{found}  {path.name}\n".encode("ascii"))
    elif found != expected:
        raise ValueError(
            f"{path} must have the SHA-256 {expected}, got {found}: it is damaged or of another "
            "version. Remove it to download it again."
        )


def download(url, path, sha256=None, progress=True):
    """Download a file, or the rest of one that was cut off, and verify it.

    Without a known checksum, that of the first download is noted beside the file.
    """
    pooch, path = import_library("pooch"), Path(path)
    pooch.get_logger().setLevel("WARNING")  # or it asks users to note the checksum
    known = sha256 or _read_checksum(path)
    pooch.retrieve(
        url,
        known_hash=known and f"sha256:{known}",
        fname=path.name,
        path=path.parent,
        downloader=ResumableDownload(path.with_name(f"{path.name}.part"), progress),
    )

"""Tests of downloads, from a server on this machine."""

import hashlib
import io
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import test_stress_predict

from physio_ssl import datasets
from physio_ssl.datasets import (
    _download,
    fetch,
    fetch_stress_predict,
    get_data_home,
    load_stress_predict,
)

pytest.importorskip("pooch")


class _Handler(BaseHTTPRequestHandler):
    """Serves ``server.data`` once more for each request, in one of the ways of real servers."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        server, start = self.server, 0
        server.requests.append(dict(self.headers))
        if server.status != 200:
            self.send_error(server.status)
            return
        asked = self.headers.get("Range")
        if asked and server.ranges and self.headers.get("If-Range") == server.tag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(server.data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            last = len(server.data) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(server.data)}")
        self.send_header("ETag", server.tag)
        self.send_header("Content-Length", str(len(server.data) - start))
        self.end_headers()
        end = server.cuts.pop(0) if server.cuts else None  # where the connection breaks
        self.wfile.write(server.data[start:end])


def _zip(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Stress-Predict with one subject, as GitHub packs it."""
    folder = tmp_path_factory.mktemp("data")
    test_stress_predict._write_subject(folder, "S02")
    test_stress_predict._write_labels(folder, test_stress_predict._labels(2))
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return _zip({f"main/{path.relative_to(folder)}": path.read_bytes() for path in paths})


@pytest.fixture
def server(archive, monkeypatch):
    """A server that has Stress-Predict; the registry names it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.data, server.tag, server.ranges, server.status = archive, '"1"', True, 200
    server.cuts, server.requests = [], []
    monkeypatch.setattr(_download, "_CHUNK", 1000)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    source = fetch._SOURCES["stress_predict"]
    source = replace(source, url=f"http://127.0.0.1:{server.server_port}/main.zip")
    monkeypatch.setitem(fetch._SOURCES, "stress_predict", source)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def know(monkeypatch):
    """Return a function that lets the registry know a checksum."""

    def know(sha256):
        source = replace(fetch._SOURCES["stress_predict"], sha256=sha256)
        monkeypatch.setitem(fetch._SOURCES, "stress_predict", source)

    return know


def _fetch(home, **settings):
    return fetch_stress_predict(home, progress=False, **settings)


def _sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_reader_takes_what_was_downloaded(server, tmp_path):
    path = _fetch(tmp_path)
    assert [one.subject for one in load_stress_predict(path)] == ["S02"]
    assert path.is_relative_to(tmp_path / "stress_predict")


def test_second_call_downloads_nothing(server, tmp_path):
    assert _fetch(tmp_path) == _fetch(tmp_path)
    assert len(server.requests) == 1
    assert _fetch(tmp_path, download_if_missing=False) == _fetch(tmp_path)


def test_torn_download_continues_where_it_was(server, tmp_path):
    server.cuts = [9000, 20_000]
    load_stress_predict(_fetch(tmp_path))
    asked = [headers.get("Range") for headers in server.requests]
    assert asked == [None, "bytes=9000-", "bytes=20000-"]


def test_later_call_continues_where_an_earlier_one_was(server, tmp_path):
    server.cuts = [9000, 9000, 9000]  # the second and third try bring nothing
    with pytest.raises(OSError, match="What has come is kept, to continue"):
        _fetch(tmp_path)
    server.cuts, server.requests[:] = [], []
    load_stress_predict(_fetch(tmp_path))
    assert [headers["Range"] for headers in server.requests] == ["bytes=9000-"]


def test_server_without_ranges_sends_all_again(server, tmp_path):
    server.ranges, server.cuts = False, [9000]
    load_stress_predict(_fetch(tmp_path))
    assert len(server.requests) == 2


def test_parts_of_two_versions_are_not_joined(server, tmp_path, archive):
    server.cuts = [9000, 9000]
    with pytest.raises(OSError, match="cannot be downloaded"):
        _fetch(tmp_path)
    server.cuts, server.tag, server.data = [], '"2"', archive + bytes(100)
    _fetch(tmp_path)
    assert (tmp_path / "stress_predict" / "stress_predict.zip").read_bytes() == server.data


def test_part_longer_than_the_file_is_dropped(server, tmp_path, archive):
    server.cuts = [9000, 9000]
    with pytest.raises(OSError, match="cannot be downloaded"):
        _fetch(tmp_path)
    part = tmp_path / "stress_predict" / "stress_predict.zip.part"
    part.write_bytes(archive + bytes(100))
    with pytest.raises(OSError, match="cannot be downloaded"):
        _fetch(tmp_path)
    load_stress_predict(_fetch(tmp_path))


def test_known_checksum_is_verified(server, tmp_path, know, archive):
    know(_sha256(archive))
    load_stress_predict(_fetch(tmp_path))


def test_wrong_checksum_is_refused_and_the_file_removed(server, tmp_path, know):
    know(_sha256(b"another"))
    with pytest.raises(ValueError, match="Stress-Predict of http.* is refused: .*hash"):
        _fetch(tmp_path)
    assert list((tmp_path / "stress_predict").iterdir()) == []


def test_unknown_checksum_is_noted_and_verified_later(server, tmp_path, archive):
    path = _fetch(tmp_path)
    folder = tmp_path / "stress_predict"
    note = folder / "stress_predict.zip.sha256"
    assert note.read_text().split() == [_sha256(archive), "stress_predict.zip"]
    (folder / "stress_predict.zip").unlink()
    path.parent.rename(folder / "before")
    server.data = archive + bytes(100)
    with pytest.raises(ValueError, match="is refused"):
        _fetch(tmp_path)


def test_file_put_there_by_hand_is_taken(server, tmp_path, archive):
    folder = tmp_path / "stress_predict"
    folder.mkdir()
    (folder / "stress_predict.zip").write_bytes(archive)
    load_stress_predict(_fetch(tmp_path))
    assert server.requests == []


def test_file_by_hand_of_another_checksum_is_refused(server, tmp_path, archive, know):
    know(_sha256(archive))
    folder = tmp_path / "stress_predict"
    folder.mkdir()
    (folder / "stress_predict.zip").write_bytes(archive[:-10])
    with pytest.raises(ValueError, match=r"stress_predict\.zip must have the SHA-256"):
        _fetch(tmp_path)


def test_offline_error_names_the_address_and_the_place_of_the_file(server, tmp_path):
    url = "http://127.0.0.1:1/main.zip"
    source = replace(fetch._SOURCES["stress_predict"], url=url)
    fetch._SOURCES["stress_predict"] = source  # the fixture restores it
    message = rf"{url}: .* Download it from {source.page}, put it at .*stress_predict\.zip"
    with pytest.raises(OSError, match=message):
        _fetch(tmp_path)
    with pytest.raises(FileNotFoundError, match="put it at .*, and call fetch_stress_predict"):
        _fetch(tmp_path, download_if_missing=False)


def test_refusal_of_the_server_is_an_error(server, tmp_path):
    server.status = 403
    with pytest.raises(OSError, match="403"):
        _fetch(tmp_path)


@pytest.mark.parametrize(
    "data, message",
    [
        (_zip({"../evil": b"1"}), "must be within it"),
        (_zip({"/evil": b"1"}), "must be within it"),
        (_zip({"a": b"1", "a/b": b"1"}), "cannot be read as a zip file"),
        (_zip({"other.txt": b"1"}), "must hold Raw_data, to be Stress-Predict"),
        (b"<html>Please log in</html>", "cannot be read as a zip file"),
    ],
)
def test_bad_zip_file_is_refused_and_leaves_nothing(server, tmp_path, data, message):
    server.data = data
    with pytest.raises(ValueError, match=message):
        _fetch(tmp_path)
    left = [path.name for path in (tmp_path / "stress_predict").iterdir()]
    assert sorted(left) == ["stress_predict.zip", "stress_predict.zip.sha256"]
    assert not (tmp_path / "evil").exists()


def test_zip_file_that_expands_too_much_is_refused(server, tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(2**25))
    server.data = file.getvalue()
    with pytest.raises(ValueError, match="must expand to at most"):
        _fetch(tmp_path)


def test_zip_file_in_the_zip_file_is_extracted(server, tmp_path, archive, monkeypatch):
    source = replace(fetch._SOURCES["stress_predict"], inner="data.zip")
    monkeypatch.setitem(fetch._SOURCES, "stress_predict", source)
    server.data = _zip({"top/data.zip": archive, "top/readme.txt": b"1", "__MACOSX/x": b"1"})
    path = _fetch(tmp_path)
    assert len(load_stress_predict(path)) == 1
    assert not any((tmp_path / "stress_predict" / "files").rglob("data.zip"))


def test_two_threads_may_fetch_at_once(server, tmp_path):
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(_fetch(tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [_fetch(tmp_path)] * 2
    assert len(server.requests) == 1


def test_data_home_is_chosen_by_argument_variable_or_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PHYSIO_SSL_DATA_HOME", raising=False)
    assert get_data_home() == tmp_path / "physio_ssl_data"
    monkeypatch.setenv("PHYSIO_SSL_DATA_HOME", str(tmp_path / "variable"))
    assert get_data_home() == tmp_path / "variable"
    assert get_data_home("~/chosen") == tmp_path / "chosen"
    assert all(get_data_home(folder).is_dir() for folder in (None, "~/chosen"))


@pytest.mark.parametrize("name", sorted(fetch._AGREEMENTS))
def test_agreement_names_whom_to_ask_until_the_files_are_there(name, tmp_path):
    function = getattr(datasets, f"fetch_{name}")
    with pytest.raises(PermissionError, match=rf"ask them, see http.*put its files into .*{name}"):
        function(tmp_path)
    (tmp_path / name).mkdir()
    np.save(tmp_path / name / "x.npy", np.zeros(3))
    assert function(tmp_path) == tmp_path / name


def test_every_fetcher_has_a_docstring_and_a_reader():
    for name, source in fetch._SOURCES.items():
        text = getattr(datasets, f"fetch_{name}").__doc__
        assert source.licence in text and f"load_{name}`" in text and "{" not in text
        assert callable(getattr(datasets, f"load_{name}"))
        assert source.url.startswith("https://")

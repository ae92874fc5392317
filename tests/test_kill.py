"""Work that is killed, shares its folder or finds a full disk loses nothing and is never torn.

``KILLS=50`` kills each kind of work 50 times.
"""

import os
import shutil
import sys
import time

import numpy as np
import pytest
from kill_parts import corpus, pretrain, read, start, start_server, study

WORKS = [pretrain, study, corpus]
KILLS = int(os.environ.get("KILLS", 3))
every_work = pytest.mark.parametrize("work", WORKS, ids=lambda work: work.__name__)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no fork and no limits")


def do(work, folder, **limits):
    _, finish = start(work, folder, **limits)
    return finish()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return what each work writes if nothing happens to it, and the seconds that it takes."""
    results = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
        start_server()
        for work in WORKS:
            for turn in "ab":  # the first loads more than the second
                folder = tmp_path_factory.mktemp(turn) / "folder"
                begin = time.monotonic()
                assert do(work, folder) == "done"
                results[work] = read(work, folder), time.monotonic() - begin
        yield results


@every_work
def test_killed_work_resumes_to_the_same_bits(work, whole, tmp_path):
    expected, seconds = whole[work]
    rng = np.random.default_rng(0)
    folder = tmp_path / "folder"
    for _ in range(KILLS):
        process, _ = start(work, folder)
        time.sleep(rng.uniform(0, seconds))
        process.kill()
        process.join()
        found = read(work, folder)  # never torn
        if work is not pretrain:  # whose parts change with each epoch
            assert all(found[name] == expected[name] for name in found)
        elif found:
            n_epochs = len(found["losses"])
            assert found["losses"] == expected["losses"][:n_epochs]
        if found == expected:  # the next kill shall not find all of it done
            shutil.rmtree(folder)
    assert do(work, folder) == "done"
    assert read(work, folder) == expected


@every_work
def test_two_processes_in_one_folder_end_with_the_right_result(work, whole, tmp_path):
    both = [start(work, tmp_path / "folder") for _ in range(2)]
    outcomes = [finish() for _, finish in both]
    assert "done" in outcomes
    assert work is corpus or outcomes == ["done", "done"]  # a corpus is written once
    assert all(text == "done" or text.startswith("FileExistsError") for text in outcomes)
    assert read(work, tmp_path / "folder") == whole[work][0]
    assert not list(tmp_path.rglob("*.part"))


@every_work
def test_a_full_disk_is_an_error_that_names_the_file_and_loses_nothing(work, whole, tmp_path):
    folder = tmp_path / "folder"
    if work is not corpus:  # begins with what another process has done
        process, _ = start(work, folder)
        while not read(work, folder):
            time.sleep(0.01)
        process.kill()
        process.join()
    before = read(work, folder)
    outcome = do(work, folder, max_bytes=100)
    assert outcome.startswith("OSError: [Errno 27] File too large: ") and str(folder) in outcome
    assert read(work, folder) == before
    assert do(work, folder) == "done"
    assert read(work, folder) == whole[work][0]


@every_work
def test_a_folder_that_cannot_be_written_to_is_an_error_before_the_work(work, whole, tmp_path):
    parent = tmp_path / "parent"
    parent.mkdir()
    folder = parent / "folder"
    if work is not corpus:
        folder.mkdir(mode=0o500)
    parent.chmod(0o500)
    if os.access(parent, os.W_OK):
        pytest.skip("root may write anywhere")
    begin = time.monotonic()
    outcome = do(work, folder)
    parent.chmod(0o700)
    assert outcome.startswith("PermissionError") and str(folder) in outcome
    assert time.monotonic() - begin < whole[work][1]
    assert not [path for path in parent.rglob("*") if path.is_file()]

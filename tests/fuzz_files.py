"""Damage the files of a data set in many ways, and see that its reader says what is wrong.

Usage: fuzz_files.py READER SETTINGS PATH FOLDER N_FILES SEED, from ``test_fuzz_files.py``. Each
damaged file gives one line: its number, the damage, the name of the file and what came of it. The
process ends by itself if a file takes longer than 5 s of computing, or a minute of waiting.
"""

import errno
import faulthandler
import io
import json
import os
import re
import resource
import shutil
import signal
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np

from physio_ssl import datasets

MOST_SECONDS = 5  # of computing, as a busy machine computes slowly
MOST_WAITING = 60
MOST_MEMORY = 2**30  # bytes, beyond those of the interpreter and its libraries
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_BOMB = 32 * 2**20  # bytes of zeros


def _position(data, rng):
    """Draw a position, often in the first bytes, where headers are."""
    most = len(data) if rng.random() < 0.5 else min(len(data), 1024)
    return int(rng.integers(most + 1))


def _block(data, rng):
    """Draw the bounds of a block of up to 4096 bytes."""
    first = _position(data, rng)
    return first, min(len(data), first + int(rng.integers(1, 2 ** rng.integers(1, 13))))


def _replace(data, first, last, new):
    return data[:first] + new + data[last:]


def flip_bit(data, rng):
    first = min(_position(data, rng), len(data) - 1)
    return _replace(data, first, first + 1, bytes([data[first] ^ 1 << int(rng.integers(8))]))


def change_bytes(data, rng):
    for _ in range(rng.integers(1, 16)):
        first = min(_position(data, rng), len(data) - 1)
        data = _replace(data, first, first + 1, rng.bytes(1))
    return data


def insert_byte(data, rng):
    first = _position(data, rng)
    return _replace(data, first, first, rng.bytes(1))


def lose_byte(data, rng):
    first = _position(data, rng)
    return _replace(data, first, first + 1, b"")


def change_word(data, rng):
    first = _position(data, rng) // 4 * 4
    word = rng.choice([0, 1, 2**16, 2**20, 2**24 + 5, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 8])
    return _replace(data, first, first + 4, int(word).to_bytes(4, "little"))


def reverse_word(data, rng):
    first = _position(data, rng) // 4 * 4
    return _replace(data, first, first + 4, data[first : first + 4][::-1])


def cut(data, rng):
    return data[: _position(data, rng)]


def cut_start(data, rng):
    return data[_position(data, rng) :]


def double_block(data, rng):
    first, last = _block(data, rng)
    return _replace(data, last, last, data[first:last])


def delete_block(data, rng):
    return _replace(data, *_block(data, rng), b"")


def zero_block(data, rng):
    first, last = _block(data, rng)
    return _replace(data, first, last, bytes(last - first))


def fill_block(data, rng):
    first, last = _block(data, rng)
    return _replace(data, first, last, b"\xff" * (last - first))


def swap_blocks(data, rng):
    a, b, c = sorted(_position(data, rng) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def append_junk(data, rng):
    return data + rng.bytes(rng.integers(1, 300))


def double_file(data, rng):
    return data + data


def empty(data, rng):
    return b""


def replace_by_junk(data, rng):
    return rng.bytes(rng.integers(1, 3000))


def replace_by_page(data, rng):
    return b"<html><body>Please log in</body></html>\n" * int(rng.integers(1, 40))


def encode_utf_16(data, rng):
    return data.decode("latin-1").encode("utf-16")


def insert_nuls(data, rng):
    first = _position(data, rng)
    return _replace(data, first, first, bytes(int(rng.integers(1, 9))))


def insert_latin_1(data, rng):
    first = _position(data, rng)
    return _replace(data, first, first, "µ°é".encode("latin-1"))


def _change_number(data, rng, new):
    """Replace a number in the text, often one of the first."""
    found = [match.span() for match in _NUMBER.finditer(data[:5000])] or [(0, 0)]
    first, last = found[int(len(found) * rng.random() ** 3)]
    return _replace(data, first, last, new)


def huge_integer(data, rng):
    return _change_number(data, rng, b"9" * 5000)


def absurd_number(data, rng):
    new = [b"5e-324", b"1e308", b"1e999", b"nan", b"-inf", b"0", b"-1", b"", b"1_0", b"1e", b"0x1F"]
    return _change_number(data, rng, new[rng.integers(len(new))])


def other_number(data, rng):
    return _change_number(data, rng, str(rng.integers(10 ** rng.integers(1, 12))).encode())


def _change_lines(data, rng, change):
    lines = data.splitlines(keepends=True) or [b""]
    index = int(rng.integers(min(len(lines), 10) if rng.random() < 0.5 else len(lines)))
    lines[index : index + 1] = change(lines[index])
    return b"".join(lines)


def remove_line(data, rng):
    return _change_lines(data, rng, lambda line: [])


def double_line(data, rng):
    return _change_lines(data, rng, lambda line: [line, line])


def cut_line(data, rng):
    return _change_lines(data, rng, lambda line: [line[: len(line) // 2], b"\n"])


def remove_column(data, rng):
    return re.sub(rb"[,;\t ][^,;\t \n]*$", b"", data, flags=re.MULTILINE)


DAMAGES = [
    *(flip_bit, change_bytes, insert_byte, lose_byte, change_word, reverse_word, cut, cut_start),
    *(double_block, delete_block, zero_block, fill_block, swap_blocks, append_junk, double_file),
    *(empty, replace_by_junk, replace_by_page, encode_utf_16, insert_nuls, insert_latin_1),
    *(huge_integer, absurd_number, other_number, remove_line, double_line, cut_line),
    remove_column,
]
FREQUENT = DAMAGES + 3 * DAMAGES[:6]  # small damage leaves most of a file as it was


def damage_member(path, rng):
    """Damage a file in a zip file, whose checksums are right."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name, damage = rng.choice(sorted(files)), DAMAGES[rng.integers(len(DAMAGES))]
    files[name] = damage(files[name], rng) if files[name] else b"1"
    _write_zip(path, files)


def _write_zip(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def make_bomb(path, rng):
    """Let each file in a zip file expand to many zeros."""
    with zipfile.ZipFile(path) as archive:
        files = dict.fromkeys(archive.namelist()[:4], bytes(_BOMB))
    _write_zip(path, files)


def use_other_method(path, rng):
    """Compress a zip file in another way."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    _write_zip(path, files, [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA][rng.integers(2)])


def encrypt(path, rng):
    """Say of all files in a zip file that they are encrypted, or compressed in any way."""
    data = io.BytesIO(path.read_bytes())
    content, field = data.getbuffer(), int(rng.integers(2))
    for start, offset in [(b"PK\1\2", 8), (b"PK\3\4", 6)]:
        for match in re.finditer(re.escape(start), bytes(content)):
            content[match.start() + offset + 2 * field] |= 1 << int(rng.integers(8)) if field else 1
    path.write_bytes(bytes(content))


def put_folder(path, rng):
    path.unlink()
    path.mkdir()


def put_loop(path, rng):
    path.unlink()
    path.symlink_to(path)


def put_pipe(path, rng):
    path.unlink()
    os.mkfifo(path)


def put_device(path, rng):
    path.unlink()
    path.symlink_to("/dev/zero")


def remove(path, rng):
    path.unlink()


def put_endless_file(path, rng):
    """Put a file of a terabyte, of which the disk holds no part."""
    path.write_bytes(b"")
    try:
        os.truncate(path, 2**40)
    except OSError as error:  # not every file system has such files
        if error.errno != errno.EFBIG:
            raise


PATH_DAMAGES = [put_folder, put_loop, put_pipe, put_device, remove, put_endless_file]
ZIP_DAMAGES = [damage_member] * 10 + [make_bomb, use_other_method, encrypt]


def damage_file(path, rng):
    """Damage a file in one of many ways; return the name of the way."""
    if path.suffix == ".zip" and rng.random() < 0.5:
        damage = ZIP_DAMAGES[rng.integers(len(ZIP_DAMAGES))]
        damage(path, rng)
    elif rng.random() < 0.1:
        damage = PATH_DAMAGES[rng.integers(len(PATH_DAMAGES))]
        damage(path, rng)
    else:
        damage = FREQUENT[rng.integers(len(FREQUENT))]
        data = path.read_bytes()
        path.write_bytes(damage(data, rng) if data else b"1")
    return damage.__name__


def judge(read, folder):
    """Return what came of reading: a value, or an error, which must name a file."""
    names = [str(folder), *(path.name for path in folder.rglob("*"))]
    try:
        read()
    except (ValueError, OSError) as error:
        clear = any(name in str(error) for name in names)
        return "error" if clear else f"WRONG names no file: {error!r}"
    except BaseException as error:
        return f"WRONG bare: {error!r}"
    return "value"


def limit_memory():
    """Limit the memory of this process to some more than it has now."""
    n_pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = n_pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main(reader, settings, path, folder, n_files, seed):
    """Read so many damaged files, one line of output for each."""
    folder, original = Path(folder), Path(f"{folder}.original")
    shutil.copytree(folder, original)
    files = sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())

    def read():
        return getattr(datasets, reader)(path, **json.loads(settings))

    warnings.simplefilter("ignore")
    read()
    limit_memory()
    for number in range(int(n_files)):
        rng = np.random.default_rng([int(seed), number])
        file = files[rng.integers(len(files))]
        kind = damage_file(folder / file, rng)
        print(number, kind, file.name, end=" ", flush=True)
        faulthandler.dump_traceback_later(MOST_WAITING, exit=True)
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)  # ends the process
        print(judge(read, folder), flush=True)
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        if (folder / file).is_dir() and not (folder / file).is_symlink():
            (folder / file).rmdir()
        (folder / file).unlink(missing_ok=True)
        shutil.copy(original / file, folder / file)


if __name__ == "__main__":
    faulthandler.enable()
    faulthandler.register(signal.SIGPROF, chain=True)
    main(*sys.argv[1:])

"""Read tables of text, such as CSV files: all with a header, strictly."""

import csv
from io import BytesIO, StringIO

import numpy as np
import pandas as pd

from ._common import decode_text, explain_errors, list_names, read_file


def check_columns(names, columns, path):
    """Raise if a table has not each of these columns once."""
    if missing := dict.fromkeys(name for name in columns if names.count(name) != 1):
        raise ValueError(
            f"{path} must have each of the columns {list_names(missing)} once, got "
            f"{list_names(names)[:200]}."
        )


def read_rows(path, columns=None, **dialect):
    """Return the rows of a table: where each of them is, and its cells by the column.

    ``columns`` are those that the file must have once; None for all that are in it. Rows without
    text are left out. ``dialect`` is as in :func:`csv.reader`.
    """
    text, rows = decode_text(read_file(path), path), []
    with explain_errors(path, "a table"):
        reader = csv.reader(StringIO(text, newline=""), **dialect)
        names = [name.strip() for name in next(reader, [])]
        check_columns(names, names if columns is None else columns, path)
        for cells in reader:
            place, cells = f"Line {reader.line_num} of {path}", [cell.strip() for cell in cells]
            if any(cells):
                if len(cells) != len(names):
                    raise ValueError(f"{place} must have {len(names)} cells, got {cells}.")
                rows.append((place, dict(zip(names, cells, strict=True))))
    return rows


def read_table(path, columns, text=(), optional=()):
    """Return columns of a CSV file by name, as arrays of finite numbers: fast.

    Parameters
    ----------
    path : Path
        File to read.
    columns : mapping from str to dtype
        Type of each column to read. The file must have all of them, and may have more.
    text : collection of str, default=()
        Columns of text to read as well, as arrays of str.
    optional : collection of str
        Columns of numbers to read if the file has them, in which NaN is a missing one.
    """
    data = read_file(path)
    decode_text(data, path)  # raises if it is no text
    file = BytesIO(data)
    names = [name.strip(' "\r\n') for name in decode_text(file.readline(), path).split(",")]
    check_columns(names, (*columns, *text), path)
    if file.tell() == len(data):
        raise ValueError(f"{path} must hold rows below its header, got none.")
    optional = [name for name in optional if name in names]
    types = {**columns, **dict.fromkeys(text, "category"), **dict.fromkeys(optional, "f8")}
    places = {name: names.index(name) for name in types}  # other names may be there twice
    with explain_errors(path, "a table of numbers"):
        table = pd.read_csv(
            file,
            header=None,
            names=range(len(names)),
            usecols=list(places.values()),
            dtype={places[name]: kind for name, kind in types.items()},
            index_col=False,
            low_memory=False,
        )
    table = {name: table[place] for name, place in places.items()}
    arrays = {name: table[name].to_numpy() for name in columns}
    bad = ~np.logical_and.reduce([np.isfinite(array) for array in arrays.values()])
    if bad.any():
        first, line = list_names(arrays), bad.argmax() + 2
        raise ValueError(
            f"{path} must hold a finite number in each column of {first}, got {bad.sum()} bad "
            f"row(s) from line {line} on."
        )
    arrays |= {name: table[name].astype(str).to_numpy() for name in text}
    return arrays | {name: table[name].to_numpy() for name in optional}

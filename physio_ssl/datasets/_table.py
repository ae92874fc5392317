"""Read columns of a CSV file as arrays: fast, and strict."""

from io import BytesIO

import numpy as np
import pandas as pd

from ._common import decode_text, explain_errors, list_names, read_file


def read_table(path, columns, text=(), optional=()):
    """Return columns of a CSV file with a header, by name, as arrays of finite numbers.

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
    if missing := [name for name in (*columns, *text) if names.count(name) != 1]:
        raise ValueError(
            f"{path} must have one column of each of {list_names(missing)}, got "
            f"{list_names(names)[:200]}."
        )
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

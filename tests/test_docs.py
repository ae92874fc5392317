"""What the docstring of each public object holds, as the reference shows it."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

API = Path(__file__).parents[1] / "docs/api.rst"


def read_names():
    """Yield the full names that docs/api.rst lists, below their ``currentmodule``."""
    module = None
    for line in API.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = match[1]
        elif match := re.fullmatch(r"   (\w[\w.]*)", line):
            yield f"{module}.{match[1]}"


def find(name):
    """Return the object of a full name: of a module, or of a class in one."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError:
        return getattr(find(module), attribute)


def has(docstring, section):
    return re.search(rf"^{section}\n-+$", docstring, re.M)


def find_neighbours(name, docstring):
    """Yield the objects that See Also names, as far as they can be found."""
    (section,) = re.findall(r"^See Also\n-+\n(.*?)(?:\n\n|\Z)", docstring, re.M | re.S)
    for names in re.findall(r"^(\S[^:\n]*?)(?: :.*)?$", section, re.M):
        for other in names.split(", "):
            full = (
                other if other.startswith("physio_ssl.") else f"{name.rpartition('.')[0]}.{other}"
            )
            yield find(full)


NAMES = sorted(read_names())


def test_names_are_listed_once():
    assert len(NAMES) == len({*NAMES}) > 100


@pytest.mark.parametrize("name", NAMES)
def test_docstring_says_where_to_look_and_shows_an_example(name):
    docstring = inspect.getdoc(find(name))
    assert has(docstring, "See Also")
    neighbours = list(find_neighbours(name, docstring))
    documented = [docstring, *(inspect.getdoc(other) or "" for other in neighbours)]
    assert any(has(text, "Examples") for text in documented)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_raised_is_documented(name):
    thing = find(name)
    raises = re.search(r"^\s+raise |\bcheck_\w+\(", inspect.getsource(thing), re.M)
    methods = vars(thing).values() if inspect.isclass(thing) else ()
    docstrings = [inspect.getdoc(part) or "" for part in (thing, *filter(callable, methods))]
    assert not raises or any(has(text, "Raises") for text in docstrings)

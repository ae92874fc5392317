"""The examples of the gallery: what can be checked without running them all."""

import ast
import importlib
import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*/plot_*.py"))
FASTEST = FOLDER / "first_steps" / "plot_windows.py"

by_name = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@by_name
def test_the_title_is_a_question(path):
    title, underline, *_ = ast.get_docstring(parse(path)).splitlines()
    assert title.endswith("?")
    assert underline == "=" * len(title)


@by_name
def test_an_example_imports_public_names_only(path):
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("physio_ssl"):
            public = importlib.import_module(node.module).__all__
            assert {alias.name for alias in node.names} <= set(public)


@by_name
def test_an_example_shows_a_figure_and_ends_with_the_result_in_words(path):
    text = path.read_text(encoding="utf-8")
    assert "plt.show()" in text
    assert text.rstrip().splitlines()[-1].startswith("# ")


def test_sections_have_a_header():
    for folder in {path.parent for path in EXAMPLES}:
        assert (folder / "GALLERY_HEADER.rst").is_file()


def test_the_fastest_example_runs(monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(plt, "show", plt.close)
    names = runpy.run_path(str(FASTEST))
    assert set(names["windows"].y) == {0, 1}

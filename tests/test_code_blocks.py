"""The code that README and guide show, run as it stands there, on simulated people."""

import functools
import re
from pathlib import Path

import matplotlib
import pytest

from physio_ssl import datasets

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "docs/index.rst",
    ROOT / "docs/extending.rst",
    *sorted((ROOT / "docs/guide").glob("*.rst")),
]
# A paragraph that ends in "::", or a directive, and what is indented below it.
RST_BLOCK = re.compile(
    r"^(?:(?!\.\. ).*::|\.\. code-block:: python)\n\n((?:(?: {4,}| {3}(?=\S)).*\n|\n)+)", re.M
)
MARKDOWN_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
NOT_RUN = re.compile(r"^(?:\.\. |<!-- )not run: (.+)$", re.M)


def find_blocks(page):
    """Return pairs of each block of code of a page and the reason not to run it, or None."""
    text = page.read_text(encoding="utf-8")
    pattern = RST_BLOCK if page.suffix == ".rst" else MARKDOWN_BLOCK
    blocks, last = [], 0
    for match in pattern.finditer(text):
        reason = NOT_RUN.search(text, last, match.start())
        lines = match[1].splitlines()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        blocks.append(("\n".join(line[indent:] for line in lines), reason and reason[1]))
        last = match.end()
    return blocks


@pytest.fixture(scope="module", autouse=True)
def simulate_few():
    """Simulate three people at most, and once, so that studies take seconds."""
    simulate = functools.cache(datasets.simulate_wristband)

    def simulate_at_most_three(n_subjects=12, **settings):
        return simulate(min(n_subjects, 3), n_blocks=2, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "simulate_wristband", simulate_at_most_three)
        yield


@pytest.mark.filterwarnings("ignore")  # warnings are not what these pages promise
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_code_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    names = {"__name__": "__main__"}
    for number, (code, reason) in enumerate(find_blocks(page), start=1):
        program = compile(code, f"{page.name}, block {number}", "exec")
        if not reason:
            exec(program, names)


def test_blocks_are_found_with_their_reasons(tmp_path):
    page = tmp_path / "page.rst"
    page.write_text("One::\n\n    a = 1\n\n    b = 2\n\n.. not run: slow\n\n::\n\n    c = 3\n")
    assert find_blocks(page) == [("a = 1\n\nb = 2\n", None), ("c = 3", "slow")]


def test_lines_of_code_fit_the_page():
    for page in PAGES:
        for code, _ in find_blocks(page):
            assert max(map(len, code.splitlines())) <= 100, page

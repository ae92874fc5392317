"""A crawl of the built documentation: links, pictures, titles, and all that is public.

``PHYSIO_SSL_SITE`` names a built site, as ``make docs`` does. Without it, the site is built here,
without running the examples, if Sphinx is installed.
"""

import importlib
import inspect
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import physio_ssl

ROOT = Path(__file__).parents[1]
NEEDED = ("sphinx", "numpydoc", "sphinx_gallery", "pydata_sphinx_theme")
WRITTEN_BY_A_BUILD = shutil.ignore_patterns("_build", "generated", "auto_examples", "sg_*.rst")


@dataclass
class Page(HTMLParser):
    """What a page links to, shows, and can be linked to at."""

    links: list = field(default_factory=list)
    images: list = field(default_factory=list)
    ids: set = field(default_factory=set)
    title: str = ""

    def __post_init__(self):
        super().__init__()
        self._in_title = False

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag == "img":
            self.images.append(attributes.get("src", ""))
        self._in_title = tag == "title"

    def handle_data(self, data):
        if self._in_title:
            self.title += data
            self._in_title = False


def read_pages(site):
    pages = {}
    for path in sorted(site.rglob("*.html")):
        if "_static" not in path.parts:
            pages[path] = page = Page()
            page.feed(path.read_text(encoding="utf-8"))
    return pages


def find_faults(site):
    """Return a line per dead internal link, missing picture and page without a title."""
    pages, faults = read_pages(site), []
    for path, page in pages.items():
        name = path.relative_to(site)
        if not page.title.strip():
            faults.append(f"{name} has no title")
        for link in page.links + page.images:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = Path(os.path.normpath(path.parent / unquote(url.path))) if url.path else path
            if not target.is_file():
                faults.append(f"{name}: {link} does not exist")
            elif url.fragment and target in pages and link in page.links:
                if unquote(url.fragment) not in pages[target].ids:
                    faults.append(f"{name}: {link} has no such place")
    return faults


def find_public():
    """Yield the name and the object of all that the package and its modules export."""
    for name in physio_ssl.__all__:
        thing = getattr(physio_ssl, name)
        if not inspect.ismodule(thing):
            yield f"physio_ssl.{name}", thing
            continue
        for inner in getattr(thing, "__all__", ()):
            if not inspect.ismodule(getattr(thing, inner)):
                yield f"physio_ssl.{name}.{inner}", getattr(thing, inner)


def resolve(name):
    """Return what a dotted name is, or None if it is no name of a module's object."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return None  # a method


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if built := os.environ.get("PHYSIO_SSL_SITE"):
        return Path(built).resolve()
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        pytest.skip(f"set PHYSIO_SSL_SITE to a built site, or install {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("docs")
    for part in ("docs", "examples", "physio_ssl/weights"):
        shutil.copytree(ROOT / part, folder / part, ignore=WRITTEN_BY_A_BUILD)
    shutil.copy(ROOT / "CHANGELOG.md", folder)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-D", "plot_gallery=0"]
    command += ["-b", "html", str(folder / "docs"), str(folder / "site")]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr[-3000:]
    return folder / "site"


def test_links_pictures_and_titles_are_there(site):
    assert (site / "index.html").is_file()
    assert not find_faults(site)


def test_every_public_object_is_documented(site):
    ids = set().union(*(page.ids for page in read_pages(site).values()))
    documented = {id(resolve(name)) for name in ids if name.startswith("physio_ssl.")}
    assert not {name for name, thing in find_public() if id(thing) not in documented}


@pytest.mark.parametrize(
    "body, fault",
    [
        ('<a href="gone.html">', "gone.html does not exist"),
        ('<a href="#gone">', "#gone has no such place"),
        ('<img src="gone.png">', "gone.png does not exist"),
        ("<title></title>", "has no title"),
    ],
)
def test_the_crawl_finds_faults(body, fault, tmp_path):
    title = "" if "title" in body else "<title>Page</title>"
    (tmp_path / "index.html").write_text(f"{title}<a href='#here' id='here'>{body}")
    (found,) = find_faults(tmp_path)
    assert found.endswith(fault)

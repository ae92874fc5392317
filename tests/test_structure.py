import ast
import subprocess
import sys
from pathlib import Path

import pytest

import physio_ssl

PACKAGE = Path(physio_ssl.__file__).parent

# What each module or folder may import of ours, beside itself. Imports point one way.
_BASE = {"_check", "containers"}
_NET = {*_BASE, "_training", "networks", "pretext", "transforms"}
ALLOWED = {
    "__init__": set(),
    "_check": set(),
    "_files": set(),
    "_training": set(),
    "containers": {"_check"},
    "functional": {"_check"},
    "heartbeats": {"functional"},
    "networks": {"_check"},
    "transforms": {"_check"},
    "windows": _BASE,
    "corpora": {*_BASE, "windows"},
    "datasets": _BASE,
    "compose": _BASE,
    "features": {*_BASE, "functional", "heartbeats"},
    "quality": {*_BASE, "windows", "functional", "heartbeats"},
    "preprocessing": {*_BASE, "functional", "heartbeats", "windows"},
    "pretext": {"_check", "transforms"},
    # persistence in the method save only: what a user calls on an encoder, behind which it stands
    "encoder": {*_NET, "preprocessing", "persistence"},
    "persistence": {"_files", *_NET, "preprocessing", "encoder"},
    "classifier": {*_NET, "encoder", "persistence"},
    # these two sit on top, and nothing imports them
    "evaluation": {
        "__version__",
        "_files",
        *_NET,
        "compose",
        "encoder",
        "features",
        "persistence",
        "classifier",
    },
    "plotting": {*_NET, "encoder"},
}
FILES = sorted(PACKAGE.rglob("*.py"))
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))


def modules_imported_by(file):
    """Yield the dotted names that a file imports, at its top or in a function."""
    package = ("physio_ssl", *file.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*start, *filter(None, [node.module])))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def topic(file):
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


@every_file
def test_imports_point_one_way(file):
    ours = {
        name.split(".")[1] for name in modules_imported_by(file) if name.startswith("physio_ssl.")
    }
    assert ours - {topic(file)} <= ALLOWED[topic(file)]


@every_file
def test_modules_have_a_docstring(file):
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))


def test_no_module_is_named_like_one_of_the_standard_library():
    assert not {file.stem for file in FILES} & set(sys.stdlib_module_names)


def test_import_loads_neither_torch_nor_neurokit2_nor_scikit_learn():
    code = "import sys, physio_ssl; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert not {"torch", "neurokit2", "sklearn"} & set(loaded.stdout.decode().split())


@pytest.mark.parametrize(
    "name",
    [
        "preprocessing",
        "quality",
        "compose",
        "transforms",
        "datasets",
        "evaluation",
        "plotting",
    ],
)
def test_what_needs_no_network_needs_no_torch(name):
    code = f"import sys, physio_ssl.{name}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert not {"torch", "neurokit2"} & set(loaded.stdout.decode().split())


@pytest.mark.parametrize("name", physio_ssl.__all__)
def test_public_names_can_be_had(name):
    assert name in dir(physio_ssl)
    assert getattr(physio_ssl, name).__name__.split(".")[-1] == name


def test_other_names_cannot_be_had():
    with pytest.raises(AttributeError, match="no attribute 'SSLDecoder'"):
        _ = physio_ssl.SSLDecoder

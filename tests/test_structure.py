import ast
import subprocess
import sys
from pathlib import Path

import pytest

import physio_ssl

PACKAGE = Path(physio_ssl.__file__).parent

# Imports point one way: each module or folder may import those of the levels above its own.
LEVELS = [
    {"_check", "_files", "_units"},
    {"_timestamps"},
    {"interchange"},
    {"containers"},
    {"functional"},
    {"windows", "heartbeats"},
    {"quality"},
    {"compose", "datasets", "features", "preprocessing", "transforms"},
    {"networks"},
    {"pretext"},
    {"training"},
    {"encoder", "head_classifier"},
    {"classifier", "persistence", "published"},
    {"leakage", "regressor"},
    {"evaluation"},
    {"plotting"},
]
FILES = sorted(PACKAGE.rglob("*.py"))
# What needs no network must not load torch.
NEED_NO_TORCH = [
    "compose",
    "datasets",
    "evaluation",
    "features",
    "leakage",
    "plotting",
    "preprocessing",
    "quality",
    "transforms",
    "windows",
]


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


def test_imports_point_one_way():
    allowed = {"__version__"}
    for level in LEVELS:
        for file in FILES:
            if topic(file) in level:
                names = {name for name in modules_imported_by(file) if "physio_ssl." in name}
                ours = {name.split(".")[1] for name in names} - {topic(file)}
                assert ours <= allowed, f"{file} imports {ours - allowed}"
        allowed |= level
    assert {topic(file) for file in FILES} - {"__init__"} == allowed - {"__version__"}


def test_modules_have_a_docstring():
    for file in FILES:
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), file


def test_files_and_classes_have_one_topic():
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, file
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                assert node.end_lineno - node.lineno < 300, f"{node.name} in {file}"


def test_no_module_is_named_like_one_of_the_standard_library():
    assert not {file.stem for file in FILES} & set(sys.stdlib_module_names)


def loaded_by(code):
    """Return the modules that a new interpreter has loaded after some code."""
    code = f"{code}; import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return set(run.stdout.decode().split())


def test_import_loads_neither_torch_nor_neurokit2_nor_scikit_learn():
    assert not {"torch", "neurokit2", "sklearn"} & loaded_by("import physio_ssl")


def test_what_needs_no_network_needs_no_torch():
    modules = ", ".join(f"physio_ssl.{name}" for name in NEED_NO_TORCH)
    assert not {"torch", "neurokit2"} & loaded_by(f"import {modules}")


def test_public_names_can_be_had():
    for name in physio_ssl.__all__:
        assert name in dir(physio_ssl)
        assert getattr(physio_ssl, name).__name__.split(".")[-1] == name


def test_other_names_cannot_be_had():
    with pytest.raises(AttributeError, match="no attribute 'SSLDecoder'"):
        _ = physio_ssl.SSLDecoder

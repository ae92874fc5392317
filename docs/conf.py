"""Configuration of Sphinx."""

import os
import warnings

from sphinx_gallery.sorting import ExplicitOrder

import physio_ssl

# Warnings that examples show would name a path of this machine.
warnings.formatwarning = lambda message, category, *_: f"{category.__name__}: {message}\n"

project = "physio_ssl"
author = copyright = "physio_ssl developers"
version = release = physio_ssl.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates"]

autosummary_generate = True
autodoc_preserve_defaults = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "subsection_order": ExplicitOrder(
        [
            f"../examples/{part}"
            for part in ("first_steps", "pretraining", "evaluation", "extending")
        ]
    ),
    "filename_pattern": rf"{os.sep}plot_",
    "ignore_pattern": r"^(?!.*plot_)",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "show_prev_next": False,
    "header_links_before_dropdown": 4,
    "navbar_align": "left",
}
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_title = project
html_show_sourcelink = False
# Pages without others below them would have an empty list at the left.
html_sidebars = {
    page: [] for page in ("index", "extending", "wristband-small", "ecg-small", "whats_new")
}


def leave_out(app, what, name, obj, skip, options):
    """Leave out methods that scikit-learn generates, and skorch's that a net does not have."""
    generated = name.startswith("set_") and name.endswith("_request")
    of_skorch = str(getattr(obj, "__module__", "")).startswith("skorch")
    return True if generated or of_skorch else skip


def setup(app):
    """Connect what Sphinx asks."""
    app.connect("autodoc-skip-member", leave_out)

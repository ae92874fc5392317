"""What the displays have in common: panels, colours and markers, legends, text."""

import re
import textwrap
from math import ceil

import numpy as np

from .._check import check_kind, check_number

# Okabe and Ito's colours, distinct for the colour-blind; without yellow, faint on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"
N_MARKS = len(COLORS) * len(MARKERS)
GREY = "0.45"


def make_panels(ax, n_panels, panel_size, n_columns=None):
    """Return a figure and an array of axes: new ones, those given, or parts of the one given."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('Displays need matplotlib: pip install "physio_ssl[plot]".') from error
    for one in [] if ax is None else np.asarray(ax, dtype=object).ravel():
        check_kind(one, "ax", plt.Axes, "matplotlib's Axes")
    if ax is not None and (n_panels == 1 or np.ndim(ax)):
        axes = np.asarray(ax, dtype=object).ravel()
        if len(axes) != n_panels:
            raise ValueError(f"ax must be one axes or {n_panels} of them, got {len(axes)}.")
        return axes[0].figure, axes
    n_columns = n_columns or n_panels
    n_rows = ceil(n_panels / n_columns)
    if ax is None:
        size = (panel_size[0] * n_columns, panel_size[1] * n_rows)
        figure = plt.figure(figsize=size, layout="constrained")
        grid = figure.add_gridspec(n_rows, n_columns)
    elif ax.get_subplotspec() is None:
        raise ValueError(f"ax must be a subplot of a grid to be divided in {n_panels}.")
    else:
        figure = ax.figure
        grid = ax.get_subplotspec().subgridspec(n_rows, n_columns)
        ax.set_axis_off()
    return figure, np.array([figure.add_subplot(grid[i]) for i in range(n_panels)], dtype=object)


def mark(i):
    """Return the colour and marker of the ``i``-th of several things, ``N_MARKS`` of them."""
    color = i % len(COLORS)
    return COLORS[color], MARKERS[(color + i // len(COLORS)) % len(MARKERS)]


def draw_chance(ax, chance, **kwargs):
    """Draw and return a line at the level of chance, if it is given."""
    if chance is None:
        return None
    return ax.axhline(check_number(chance, "chance"), color=GREY, linestyle=":", **kwargs)


def add_legend(ax, **kwargs):
    """Put the legend at the right of the axes, where it covers no data."""
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0, frameon=False, **kwargs)


def count_characters(ax):
    """Return about how many characters of tick labels fit side by side into the axes' width."""
    return int(11 * ax.get_window_extent().width / ax.figure.dpi)


def wrap(name, width):
    """Break a text into lines of about ``width`` characters, at spaces and underscores."""
    lines = textwrap.wrap(str(name).replace("_", "_ "), width, break_long_words=False)
    return "\n".join(line.replace("_ ", "_") for line in lines)


def natural_order(names):
    """Return the distinct names with S2 before S10."""

    def key(name):
        parts = re.split(r"(\d+)", str(name))
        return [int(part) if part.isdecimal() else part for part in parts], str(name)

    return sorted(set(names), key=key)

"""RecordingDisplay: the signals of a recording, its annotations, gaps and quality."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .._check import check_kind, check_list
from ..containers import Recording
from ..quality import measure_quality
from ._figure import COLORS, GREY, add_legend, make_panels, mark, wrap

_N_BINS = 1500  # of which the highest and lowest samples are drawn, about the pixels of a line
_COLUMNS = ("onset", "duration", "description")  # of annotations
_UNITS = ((3 * 3600, 3600, "h"), (300, 60, "min"), (0, 1, "s"))  # from a duration on, in s
_GRADES = {"good": "#0072B2", "fair": "#A6CEE8", "poor": "#D55E00", "unknown": "0.85"}
_GAP = "0.6"
_LINE = 0.2  # inches per line of the legend


@dataclass(eq=False, repr=False)
class RecordingDisplay:
    """The signals of a recording on one time axis.

    A panel per signal shows its samples, or the highest and lowest of each of 1,500 stretches of a
    long recording. Gaps are hatched, stages are bands behind the signals, and events without a
    duration lines. The last panel shows the quality of each signal, and whether the device was
    worn.

    Parameters
    ----------
    recording : Recording
        What is drawn.
    quality : DataFrame, default=None
        What ``measure_quality`` returns; None leaves it out.

    Attributes
    ----------
    figure_, axes_ : matplotlib Figure and ndarray of Axes, of shape (n_panels,)
        The panels: signals, ratings if there are any, then quality.
    lines_ : dict from str to list of matplotlib Line2D
        The channels of each signal, and the scales of ``"ratings"``.
    gaps_ : dict from str to list of matplotlib Polygon
        The gaps of each signal.
    bands_ : dict from str to list of matplotlib artists
        Stages and events, by their description, in the first panel.
    quality_ : matplotlib AxesImage or None
        The panel of quality.

    Raises
    ------
    TypeError, ValueError
        If ``recording`` is none, or lacks a signal.

    See Also
    --------
    physio_ssl.describe : Summarise many recordings in a table.

    Examples
    --------
    >>> from physio_ssl.datasets import load_example_wristband
    >>> from physio_ssl.plotting import RecordingDisplay
    >>> display = RecordingDisplay.from_recording(load_example_wristband())
    """

    recording: Recording
    quality: pd.DataFrame | None = None

    @classmethod
    def from_recording(cls, recording, signals=None, *, quality=True, ax=None):
        """Draw a recording.

        Parameters
        ----------
        recording : Recording
            As read: quality is judged in the units of ``physio_ssl.quality.measure_quality``.
        signals : list of str, default=None
            Signals to draw, in this order; None means all.
        quality : bool, default=True
            Whether to measure and draw the quality.
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw; one is divided. None makes a figure.

        Returns
        -------
        RecordingDisplay

        Raises
        ------
        TypeError, ValueError
            If ``recording`` is no recording, or lacks one of ``signals``.
        """
        check_kind(recording, "recording", Recording, "a Recording")
        check_kind(quality, "quality", bool, "True or False")
        display = cls(recording, measure_quality(recording) if quality else None)
        return display.plot(signals, ax=ax)

    def plot(self, signals=None, *, ax=None):
        """Draw some or all signals on ``ax``, and return self."""
        recording = self.recording
        names = check_list([*recording.signals] if signals is None else signals, "signals", of=str)
        if not names or not set(names) <= set(recording.signals):
            raise ValueError(
                f"signals must name some of {', '.join(recording.signals)}, got {names}."
            )
        ratings = _find_ratings(recording)
        n_panels = len(names) + bool(ratings) + (self.quality is not None)
        n_stages = len({*(recording.annotations or {}).get("description", ())})
        height = max(1.5, (2 * n_stages + 6) / n_panels * _LINE)  # room for the legend
        self.figure_, self.axes_ = make_panels(ax, n_panels, (9, height), n_columns=1)
        self._unit = next(unit for unit in _UNITS if recording.duration >= unit[0])
        self.lines_, self.gaps_, self.bands_, self.quality_ = {}, {}, {}, None
        for name, panel in zip(names, self.axes_, strict=False):
            self._draw_signal(panel, name)
            self._draw_annotations(panel, first=name == names[0])
        if ratings:
            self._draw_ratings(self.axes_[len(names)], ratings)
        if self.quality is not None:
            self._draw_quality(self.axes_[-1], names)
        for panel in self.axes_:
            panel.set_xlim(0, recording.duration / self._unit[1])
            panel.tick_params(labelbottom=panel is self.axes_[-1])
        self.axes_[-1].set_xlabel(f"time since the start, {self._unit[2]}")
        self.axes_[0].set_title(self._make_title(), loc="left")
        self.figure_.align_ylabels(self.axes_)
        self._add_legend(ax)
        return self

    def _add_legend(self, ax):
        """Explain stages, gaps, ratings and grades beside the panels."""
        handles = {wrap(name, 18): bands[0] for name, bands in self.bands_.items()}
        if gaps := [gap for gaps in self.gaps_.values() for gap in gaps]:
            handles["gap"] = gaps[0]
        handles |= {line.get_label(): line for line in self.lines_.get("ratings", ())}
        if self.quality_ is not None:
            marks = self.axes_[-1].scatter
            for name, color in _GRADES.items():
                handles[f"quality: {name}"] = marks([], [], marker="s", color=color)
        if not handles:
            return
        texts = {"handles": handles.values(), "labels": handles.keys()}
        if ax is None:
            self.figure_.legend(loc="outside right upper", frameon=False, **texts)
        else:
            add_legend(self.axes_[0], **texts)

    def _make_title(self):
        recording = self.recording
        title = f"{recording.subject}: {recording.duration / self._unit[1]:.1f} {self._unit[2]}"
        if self.quality is not None and "wear" in self.quality:
            title += f", worn for {self.quality['wear'].mean():.0%} of the time"
        return title

    def _draw_signal(self, panel, name):
        signal, rate = self.recording.signals[name][0], self.recording.sampling_rate[name]
        self.lines_[name] = []
        for i, channel in enumerate(signal):
            times, values = _thin_out(channel, rate)
            color = GREY if len(signal) == 1 else COLORS[i % len(COLORS)]
            self.lines_[name] += panel.plot(
                times / self._unit[1], values, color=color, linewidth=0.7
            )
        hatch = {"facecolor": "none", "edgecolor": _GAP, "hatch": "////", "linewidth": 0}
        edges = np.diff(np.isnan(signal).all(axis=0), prepend=False, append=False)
        gaps = np.flatnonzero(edges).reshape(-1, 2) / rate / self._unit[1]
        self.gaps_[name] = [panel.axvspan(*gap, **hatch) for gap in gaps]
        panel.set_ylabel(f"{name}\n{rate:g} Hz")
        panel.locator_params(axis="y", nbins=4)

    def _draw_annotations(self, panel, first):
        events = self.recording.annotations or {}
        if "description" not in events:
            return
        names = list(dict.fromkeys(map(str, events["description"])))
        for onset, duration, name in zip(*(events[k] for k in _COLUMNS), strict=True):
            number, start = names.index(str(name)), onset / self._unit[1]
            color = mark(number)[0]
            if duration > 0:
                end = (onset + duration) / self._unit[1]
                hatch = ".." * (number // len(COLORS))  # tells those of one colour apart
                band = panel.axvspan(
                    start, end, color=color, alpha=0.2, linewidth=0, hatch=hatch or None
                )
            else:
                band = panel.axvline(start, color=color, linestyle="--", linewidth=1)
            if first:
                self.bands_.setdefault(str(name), []).append(band)

    def _draw_ratings(self, panel, ratings):
        times = np.asarray(ratings["time"]) / self._unit[1]
        scales = [name for name in ratings if name != "time"]
        self.lines_["ratings"] = [
            panel.plot(times, ratings[name], color=mark(i)[0], label=name)[0]
            for i, name in enumerate(scales)
        ]
        panel.set_ylabel("ratings")

    def _draw_quality(self, panel, names):
        from matplotlib.colors import ListedColormap

        names = [*names, *(["wear"] if "wear" in self.quality else [])]
        grades = np.array([_grade(self.quality[name].to_numpy()) for name in names])
        n_seconds = len(self.quality)
        self.quality_ = panel.imshow(
            _most_frequent(grades),
            extent=(0, n_seconds / self._unit[1], len(names) - 0.5, -0.5),
            aspect="auto",
            interpolation="nearest",
            cmap=ListedColormap([*_GRADES.values()]),
            vmin=-0.5,
            vmax=len(_GRADES) - 0.5,
        )
        panel.set_yticks(range(len(names)), names)
        panel.set_ylabel("quality")
        for row in range(1, len(names)):
            panel.axhline(row - 0.5, color="white", linewidth=2)


def _find_ratings(recording):
    """Return the ratings over time, from where the recording holds them, or None."""
    if recording.ratings:
        return recording.ratings
    annotations = recording.annotations or {}
    return annotations if "time" in annotations else None


def _thin_out(channel, rate):
    """Return times, in s, and samples of (n_times,): the lowest and highest of each bin if long."""
    n_bin = len(channel) // _N_BINS
    if n_bin < 4:
        return np.arange(len(channel)) / rate, channel
    bins = channel[: len(channel) // n_bin * n_bin].reshape(-1, n_bin)
    values = np.stack([np.fmin.reduce(bins, axis=1), np.fmax.reduce(bins, axis=1)], axis=1)
    times = (np.arange(len(bins)) * n_bin + (n_bin - 1) / 2) / rate
    return np.repeat(times, 2), values.ravel()


def _grade(quality):
    """Return the number of the grade in ``_GRADES`` of each second."""
    grades = np.where(quality >= 0.75, 0, np.where(quality >= 0.5, 1, 2))
    return np.where(np.isnan(quality), 3, grades)


def _most_frequent(grades):
    """Return the most frequent grade of each bin of a long recording, of (n_rows, n_seconds)."""
    n_bin = max(1, grades.shape[1] // 600)
    places = np.arange(0, grades.shape[1], n_bin)
    counts = [np.add.reduceat(grades == k, places, axis=1) for k in range(len(_GRADES))]
    return np.argmax(counts, axis=0)

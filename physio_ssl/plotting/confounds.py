"""ConfoundsDisplay: how well each confound tells the classes by itself."""

from dataclasses import KW_ONLY, dataclass

import numpy as np

from .._check import check_kind
from ..evaluation import ConfoundReport
from ._figure import COLORS, GREY, make_panels, wrap


@dataclass(eq=False, repr=False)
class ConfoundsDisplay:
    """AUROC of each confound by itself, and of models at the same time, with intervals.

    Parameters
    ----------
    scores : array-like of shape (n_rows,)
        AUROC, NaN where it could not be measured.
    interval : array-like of shape (n_rows, 2)
        Lower and upper end of each interval; NaN leaves it out.
    names : sequence of str, of length n_rows
        Names of the rows, from top to bottom.
    flagged : array-like of bool, of shape (n_rows,)
        Which rows are coloured.
    n_confounds : int, default=None
        Number of first rows that are confounds; the others are position-matched scores of
        models. None means all.
    confidence : float, default=0.95
        Coverage of the intervals.

    Attributes
    ----------
    figure_, ax_ : matplotlib Figure and Axes
        Where the scores are drawn.
    points_, intervals_ : list of matplotlib Line2D
        The dot and the interval of each row that has a score.
    chance_ : matplotlib Line2D
        The line at .5, the level of chance.

    Raises
    ------
    TypeError
        If ``report`` is no ``ConfoundReport``.

    See Also
    --------
    physio_ssl.evaluation.audit_confounds : Make the report, with an example.
    """

    scores: np.ndarray
    interval: np.ndarray
    _: KW_ONLY
    names: list
    flagged: np.ndarray
    n_confounds: int | None = None
    confidence: float = 0.95

    @classmethod
    def from_report(cls, report, *, ax=None):
        """Draw what ``audit_confounds`` returned.

        Parameters
        ----------
        report : ConfoundReport
            The report. Its position-matched scores, if any, follow the confounds.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ConfoundsDisplay
        """
        check_kind(report, "report", ConfoundReport, "a ConfoundReport")
        tables = [report.table.set_index("confound")]
        if report.position_table is not None:
            tables.append(report.position_table.set_index("estimator").assign(flagged=False))
        columns = ["auroc", "low", "high", "flagged"]
        rows = [row for table in tables for row in table[columns].itertuples(name=None)]
        names, scores, low, high, flagged = zip(*rows, strict=True)
        display = cls(
            np.array(scores, dtype=float),
            np.column_stack([low, high]).astype(float),
            names=list(names),
            flagged=np.array(flagged, dtype=bool),
            n_confounds=len(tables[0]),
            confidence=report.confidence,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None, **kwargs):
        """Draw on ``ax``, with ``kwargs`` for the dots; return self."""
        n_rows = len(self.names)
        n_confounds = n_rows if self.n_confounds is None else self.n_confounds
        places = np.arange(n_rows) + (np.arange(n_rows) >= n_confounds)  # a gap between the parts
        self.figure_, (ax,) = make_panels(ax, 1, (6.4, 1.3 + 0.38 * (places[-1] + 1)))
        self.ax_, self.points_, self.intervals_ = ax, [], []
        self.chance_ = ax.axvline(0.5, color=GREY, linestyle=":", linewidth=1, zorder=0)
        for row, (place, score) in enumerate(zip(places, self.scores, strict=True)):
            if np.isnan(score):
                ax.text(0.02, place, "not looked at", color=GREY, va="center", fontsize="small")
                continue
            color = COLORS[1] if self.flagged[row] else COLORS[0] if row >= n_confounds else GREY
            style = {"color": color, "marker": "o", "markersize": 7, "linestyle": "", **kwargs}
            self.intervals_ += ax.plot(self.interval[row], [place] * 2, color=color, linewidth=2)
            self.points_ += ax.plot([score], [place], **style)
        if n_confounds < n_rows:
            ax.text(0, n_confounds, "models, at the same time:", color=GREY, va="center")
        ax.set_yticks(places, [wrap(name, 30) for name in self.names])
        ax.set_ylim(places[-1] + 0.6, -0.6)
        ax.set_xlim(-0.02, 1.02)
        text = f"AUROC of people left out, {100 * self.confidence:g}% interval over people"
        ax.set_xlabel(f"{text}\ncoloured: flagged confounds; dotted: chance")
        return self

"""SubjectScoresDisplay: every subject's score under every model."""

from dataclasses import KW_ONLY, dataclass

import numpy as np

from ..evaluation.records import choose_metric
from ._figure import COLORS, GREY, count_characters, draw_chance, make_panels, wrap
from ._results import METRIC_NAMES, select_results


@dataclass(eq=False, repr=False)
class SubjectScoresDisplay:
    """Scores of held-out subjects, a column per model, with their mean.

    The lines join each subject's scores: a mean alone would hide that some gain and others
    lose. A subject whose score is undefined is left out, and counted under the column.

    Parameters
    ----------
    scores : array-like of shape (n_estimators, n_subjects)
        Scores, NaN where undefined.
    mean : array-like of shape (n_estimators,)
        Mean over subjects.
    interval : array-like of shape (n_estimators, 2)
        Lower and upper end of the mean's interval; NaN leaves it out.
    estimators : sequence of str, of length n_estimators
        Names of the columns.
    metric : str, default="macro_f1"
        What the scores are.
    confidence : float, default=0.95
        Coverage of the intervals.

    Attributes
    ----------
    figure_, ax_ : matplotlib Figure and Axes
        Where the scores are drawn.
    lines_ : list of matplotlib Line2D
        The line of each subject; none for one estimator.
    points_, means_, intervals_ : list of matplotlib Line2D
        The dots of each estimator, their mean and its interval.
    chance_ : matplotlib Line2D or None
        The line at the level of chance.

    See Also
    --------
    physio_ssl.evaluation.leave_subjects_out : Make the results.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from physio_ssl import Windows
    >>> from physio_ssl.evaluation import leave_subjects_out
    >>> from physio_ssl.plotting import SubjectScoresDisplay
    >>> X = np.random.default_rng(0).normal(size=(60, 4))
    >>> info = {"subject": np.repeat(["S1", "S2", "S3"], 20), "label": np.tile([0, 1], 30)}
    >>> windows = Windows(X, pd.DataFrame(info))
    >>> results = leave_subjects_out({"linear": LogisticRegression()}, windows)
    >>> display = SubjectScoresDisplay.from_results(results)
    """

    scores: np.ndarray
    mean: np.ndarray
    interval: np.ndarray
    _: KW_ONLY
    estimators: list
    metric: str = "macro_f1"
    confidence: float = 0.95

    @classmethod
    def from_results(
        cls,
        results,
        metric="macro_f1",
        estimators=None,
        *,
        confidence=0.95,
        chance=None,
        ax=None,
        **conditions,
    ):
        """Draw the results of a study.

        Parameters
        ----------
        results : StudyResults
            What ``leave_subjects_out`` or ``label_efficiency`` returned.
        estimators : str or list of str, default=None
            Which estimators, in this order; None means all.
        metric, confidence
            As for the class. The intervals are those of ``results.summary``.
        chance : float, default=None
            Score of guessing, drawn as a line; None draws none.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **conditions
            Which of several conditions, e.g. ``label_fraction=0.1``. Repeats are averaged.

        Returns
        -------
        SubjectScoresDisplay

        Raises
        ------
        ValueError
            If a name or value is unknown, or a condition with several values is not given.
        """
        results, names = select_results(results, estimators, conditions)
        metric = choose_metric(results.records, metric)
        summary = results.summary(metric, confidence=confidence).set_index("estimator").loc[names]
        mean, interval = summary["mean"].to_numpy(), summary[["low", "high"]].to_numpy()
        frame = results.to_frame()
        scores = frame[frame["metric"] == metric].groupby(["estimator", "subject"])["value"].mean()
        scores = scores.unstack().loc[names, results.subjects].to_numpy()
        display = cls(
            scores, mean, interval, estimators=names, metric=metric, confidence=confidence
        )
        return display.plot(chance=chance, ax=ax)

    def plot(self, *, chance=None, ax=None, **kwargs):
        """Draw on ``ax``, with a line at ``chance`` and ``kwargs`` for the dots; return self."""
        scores = np.asarray(self.scores)
        places = np.arange(len(scores))
        self.figure_, (ax,) = make_panels(ax, 1, (max(4.8, 1.4 + 1.3 * len(scores)), 4.2))
        self.lines_ = ax.plot(places, scores, color="0.8", linewidth=0.8) if len(scores) > 1 else []
        self.ax_, self.points_, self.means_, self.intervals_ = ax, [], [], []
        dots = {"color": GREY, "marker": "o", "markersize": 4, "linestyle": "", **kwargs}
        means = {"color": COLORS[1], "marker": "D", "markersize": 6, "linestyle": ""}
        for place, column, mean, ends in zip(places, scores, self.mean, self.interval, strict=True):
            defined = column[np.isfinite(column)]
            self.points_ += ax.plot(np.full(len(defined), place), defined, **dots)
            right = place + 0.14  # the dots would be covered
            self.intervals_ += ax.plot([right, right], ends, color=COLORS[1], linewidth=2)
            self.means_ += ax.plot([right], [mean], **means)
        self.chance_ = draw_chance(ax, chance, linewidth=1, zorder=0)
        if chance is not None:
            where = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
            ax.annotate("chance", (1, chance), (4, 0), color=GREY, va="center", **where)
        ax.set_xlim(-0.5, len(scores) - 0.5)
        self._name_columns(ax, np.isnan(scores).sum(axis=1))
        text = f"dots: subjects; diamonds: mean, {100 * self.confidence:g}% interval over subjects"
        ax.set_xlabel(wrap(text, max(20, count_characters(ax))))
        ax.set_ylabel(f"{METRIC_NAMES.get(self.metric, self.metric)} of a held-out subject")
        return self

    def _name_columns(self, ax, n_missing):
        """Write the columns' names and how many scores are missing, upright if room is short."""
        room = max(1, count_characters(ax) // len(n_missing) - 1)
        for width, rotation in ((room, "horizontal"), (24, "vertical")):
            labels = [
                wrap(name, width) + (f"\n{n} missing" if n else "")
                for name, n in zip(self.estimators, n_missing, strict=True)
            ]
            ax.set_xticks(range(len(labels)), labels, rotation=rotation)
            if max(len(line) for text in labels for line in text.split("\n")) <= width:
                break

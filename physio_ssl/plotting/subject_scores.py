"""SubjectScoresDisplay: every subject's score under every model."""

import numpy as np

from ._figure import COLORS, GREY, count_characters, make_panels, wrap
from ._results import METRIC_NAMES, check_metric, select_results


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
    ax_ : matplotlib Axes
        Where the scores are drawn.
    figure_ : matplotlib Figure
        The figure that holds it.
    points_ : list of matplotlib Line2D
        The dots of each estimator.
    lines_ : list of matplotlib Line2D
        The line of each subject; none for one estimator.
    means_, intervals_ : list of matplotlib Line2D
        Mean of each estimator, and its interval.
    chance_ : matplotlib Line2D or None
        The line at the level of chance.
    """

    def __init__(
        self,
        scores,
        mean,
        interval,
        *,
        estimators,
        metric="macro_f1",
        confidence=0.95,
    ):
        self.scores = scores
        self.mean = mean
        self.interval = interval
        self.estimators = estimators
        self.metric = metric
        self.confidence = confidence

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
        metric : str, default="macro_f1"
            Which metric.
        estimators : str or list of str, default=None
            Which estimators, in this order; None means all.
        confidence : float, default=0.95
            Coverage of the intervals, which are those of ``results.summary``.
        chance : float, default=None
            Score of guessing, drawn as a line; None draws none.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **conditions
            The condition to show, e.g. ``label_fraction=0.1``, where the study has several. Repeats
            are averaged within subjects.

        Returns
        -------
        SubjectScoresDisplay
            After ``plot``.

        Raises
        ------
        ValueError
            If a name or value is unknown, or a condition with several values is not given.
        """
        check_metric(metric)
        chosen, names = select_results(results, estimators, conditions)
        summary = chosen.summary(metric, confidence=confidence).set_index("estimator").loc[names]
        frame = chosen.to_frame()
        scores = frame[frame["metric"] == metric].groupby(["estimator", "subject"])["value"].mean()
        scores = scores.unstack().loc[names, chosen.subjects]
        display = cls(
            scores.to_numpy(),
            summary["mean"].to_numpy(),
            summary[["low", "high"]].to_numpy(),
            estimators=names,
            metric=metric,
            confidence=confidence,
        )
        return display.plot(chance=chance, ax=ax)

    def plot(self, *, chance=None, ax=None, **kwargs):
        """Draw dots, lines, means and their intervals.

        Parameters
        ----------
        chance, ax
            As in ``from_results``.
        **kwargs
            Passed to ``Axes.plot`` for the dots, e.g. ``markersize``.

        Returns
        -------
        self
        """
        scores, mean = np.asarray(self.scores), np.asarray(self.mean)
        places = np.arange(len(scores))
        size = (max(4.8, 1.4 + 1.3 * len(scores)), 4.2)
        self.figure_, (ax,) = make_panels(self, ax, 1, size)
        self.ax_ = ax
        self.lines_ = ax.plot(places, scores, color="0.8", linewidth=0.8) if len(scores) > 1 else []
        self.points_, self.means_, self.intervals_ = [], [], []
        dots = {"color": GREY, "marker": "o", "markersize": 4, "linestyle": "", **kwargs}
        means = {"color": COLORS[1], "marker": "D", "markersize": 6, "linestyle": ""}
        for place, column, center, ends in zip(places, scores, mean, self.interval, strict=True):
            defined = column[np.isfinite(column)]
            self.points_ += ax.plot(np.full(len(defined), place), defined, **dots)
            right = place + 0.14  # the dots would be covered
            self.intervals_ += ax.plot([right, right], ends, color=COLORS[1], linewidth=2)
            self.means_ += ax.plot([right], [center], **means)
        self.chance_ = None
        if chance is not None:
            self.chance_ = ax.axhline(chance, color=GREY, linestyle=":", linewidth=1, zorder=0)
            ax.annotate(
                "chance",
                (1, chance),
                (4, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                color=GREY,
                verticalalignment="center",
            )
        ax.set_xlim(-0.5, len(scores) - 0.5)
        self._name_columns(ax, places)
        caption = (
            f"dots: subjects; diamonds: mean, {100 * self.confidence:g}% interval over subjects"
        )
        ax.set_xlabel(wrap(caption, max(20, count_characters(ax))))
        ax.set_ylabel(f"{METRIC_NAMES.get(self.metric, self.metric)} of a held-out subject")
        return self

    def _name_columns(self, ax, places):
        """Write the columns' names and how many scores are missing, upright if room is short."""

        def label(width):
            for name, column in zip(self.estimators, np.asarray(self.scores), strict=True):
                n_missing = int(np.isnan(column).sum())
                yield wrap(name, width) + (f"\n{n_missing} missing" if n_missing else "")

        width = max(1, count_characters(ax) // len(places) - 1)
        labels = list(label(width))
        if max(len(line) for text in labels for line in text.split("\n")) <= width:
            ax.set_xticks(places, labels)
        else:
            ax.set_xticks(places, list(label(24)), rotation="vertical")

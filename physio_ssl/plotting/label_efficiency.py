"""LabelEfficiencyDisplay: the score against the amount of labels."""

import numpy as np

from ._figure import GREY, count_characters, legend_beside, make_panels, mark, wrap
from ._results import METRIC_NAMES, check_metric, select_results

_AMOUNTS = {
    "label_fraction": "labelled fraction of the training windows",
    "n_labelled_subjects": "number of labelled subjects",
}


class LabelEfficiencyDisplay:
    """Mean score of held-out subjects against the amount of labels, a line per model.

    Parameters
    ----------
    amounts : array-like of shape (n_amounts,)
        Fractions of the training windows, or numbers of subjects, that were labelled.
    mean : array-like of shape (n_estimators, n_amounts)
        Mean over subjects, NaN where there is none.
    interval : array-like of shape (n_estimators, n_amounts, 2)
        Lower and upper end of the mean's interval.
    estimators : sequence of str, of length n_estimators
        Names of the lines.
    against : {"label_fraction", "n_labelled_subjects"}, default="label_fraction"
        What the amounts are.
    metric : str, default="macro_f1"
        What the scores are.
    confidence : float, default=0.95
        Coverage of the intervals.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the lines are drawn.
    figure_ : matplotlib Figure
        The figure that holds it.
    lines_ : list of matplotlib Line2D
        The mean of each estimator.
    bands_ : list of matplotlib PolyCollection
        The interval of each estimator.
    chance_ : matplotlib Line2D or None
        The line at the level of chance.
    """

    def __init__(
        self,
        amounts,
        mean,
        interval,
        *,
        estimators,
        against="label_fraction",
        metric="macro_f1",
        confidence=0.95,
    ):
        self.amounts = amounts
        self.mean = mean
        self.interval = interval
        self.estimators = estimators
        self.against = against
        self.metric = metric
        self.confidence = confidence

    @classmethod
    def from_results(
        cls,
        results,
        metric="macro_f1",
        estimators=None,
        *,
        against=None,
        confidence=0.95,
        chance=None,
        ax=None,
        **conditions,
    ):
        """Draw the results of a study with few labels.

        Parameters
        ----------
        results : StudyResults
            What ``label_efficiency`` returned.
        metric : str, default="macro_f1"
            Which metric.
        estimators : str or list of str, default=None
            Which estimators, in this order; None means all.
        against : {"label_fraction", "n_labelled_subjects"}, default=None
            What to draw along the horizontal axis; None means the one that the study varies.
        confidence : float, default=0.95
            Coverage of the intervals, which are those of ``results.summary``.
        chance : float, default=None
            Score of guessing, drawn as a line; None draws none.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **conditions
            Other conditions, e.g. ``target="arousal"``, where the study has several. Repeats
            are averaged within subjects.

        Returns
        -------
        LabelEfficiencyDisplay
            After ``plot``.

        Raises
        ------
        ValueError
            If a name or value is unknown, a condition with several values is not given, or
            the study has no or both amounts of labels and ``against`` is not given.
        """
        check_metric(metric)
        found = [name for name in _AMOUNTS if name in results.conditions and name not in conditions]
        if against is None and len(found) != 1:
            raise ValueError(
                f"against must name what to draw along, one of {', '.join(_AMOUNTS)}: the "
                f"study varies {' and '.join(found) or 'neither'}"
                f"{f' under {conditions}' if conditions else ''}."
            )
        against = against or found[0]
        if against not in found:
            raise ValueError(f"The study does not vary against={against!r}, only {found}.")
        chosen, names = select_results(results, estimators, conditions, along=against)
        summary = chosen.summary(metric, confidence=confidence)
        ends = ["mean", "low", "high"]
        table = summary.pivot(index="estimator", columns=against, values=ends).loc[names]
        display = cls(
            table["mean"].columns.to_numpy(),
            table["mean"].to_numpy(),
            np.stack([table["low"].to_numpy(), table["high"].to_numpy()], axis=-1),
            estimators=names,
            against=against,
            metric=metric,
            confidence=confidence,
        )
        return display.plot(chance=chance, ax=ax)

    def plot(self, *, chance=None, ax=None, **kwargs):
        """Draw a line and a band per estimator.

        Parameters
        ----------
        chance, ax
            As in ``from_results``.
        **kwargs
            Passed to ``Axes.plot`` for the lines, e.g. ``linewidth``.

        Returns
        -------
        self
        """
        amounts = np.asarray(self.amounts)
        self.figure_, (ax,) = make_panels(self, ax, 1, (7.0, 4.2))
        self.ax_, self.lines_, self.bands_ = ax, [], []
        for i, (name, mean, interval) in enumerate(
            zip(self.estimators, self.mean, self.interval, strict=True)
        ):
            color, marker = mark(i)
            given = np.isfinite(mean)
            style = {
                "color": color,
                "marker": marker,
                "markersize": 5,
                "label": wrap(name, 22),
                **kwargs,
            }
            self.lines_ += ax.plot(amounts[given], np.asarray(mean)[given], **style)
            low, high = np.asarray(interval)[given].T
            band = ax.fill_between(amounts[given], low, high, color=color, alpha=0.15, linewidth=0)
            self.bands_.append(band)
        self.chance_ = None
        if chance is not None:
            self.chance_ = ax.axhline(chance, color=GREY, linestyle=":", label="chance", zorder=0)
        self._set_ticks(ax, amounts)
        ax.set_xlabel(_AMOUNTS[self.against])
        metric = METRIC_NAMES.get(self.metric, self.metric)
        ax.set_ylabel(f"{metric}: mean over subjects\nand its {100 * self.confidence:g}% interval")
        legend_beside(ax)
        return self

    def _set_ticks(self, ax, amounts):
        """Put a tick at each amount, from the largest on, where its label has room."""
        from matplotlib.ticker import NullLocator

        places, labels = amounts, [f"{amount:g}" for amount in amounts]
        if self.against == "label_fraction":
            ax.set_xscale("log")
            ax.xaxis.set_minor_locator(NullLocator())
            places, labels = np.log(amounts), [f"{100 * fraction:g}%" for fraction in amounts]
        # the legend takes some of the width
        n_characters = 0.7 * count_characters(ax)
        room = np.ptp(places) / n_characters * (max(map(len, labels)) + 1)
        kept = []
        for i in np.argsort(-amounts):
            if not kept or places[kept[-1]] - places[i] >= room:
                kept.append(i)
        ax.set_xticks(amounts[kept], [labels[i] for i in kept])

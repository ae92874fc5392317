"""LabelEfficiencyDisplay: the score against the amount of labels."""

from dataclasses import KW_ONLY, dataclass

import numpy as np

from .._check import check_kind
from ..evaluation import StudyResults
from ..evaluation.records import choose_metric
from ._figure import add_legend, count_characters, draw_chance, make_panels, mark, wrap
from ._results import METRIC_NAMES, select_results

_AMOUNTS = {
    "label_fraction": "labelled fraction of the training windows",
    "n_labelled_subjects": "number of labelled subjects",
    "calibration_minutes": "labelled minutes of the test subject",
}


@dataclass(eq=False, repr=False)
class LabelEfficiencyDisplay:
    """Mean score of held-out subjects against the amount of labels, a line per model.

    Lines of baselines are dashed, and without their intervals, which would cover each other.

    Parameters
    ----------
    amounts : array-like of shape (n_amounts,)
        Fractions of the training windows, numbers of subjects, or minutes of the test subject
        that were labelled.
    mean : array-like of shape (n_estimators, n_amounts)
        Mean over subjects, NaN where there is none.
    interval : array-like of shape (n_estimators, n_amounts, 2)
        Lower and upper end of the mean's interval.
    estimators : sequence of str, of length n_estimators
        Names of the lines.
    against : {"label_fraction", "n_labelled_subjects", "calibration_minutes"}, \
            default="label_fraction"
        What the amounts are.
    baselines : sequence of str, default=()
        Which of the estimators are baselines.
    metric : str, default="macro_f1"
        What the scores are.
    confidence : float, default=0.95
        Coverage of the intervals.

    Attributes
    ----------
    figure_, ax_ : matplotlib Figure and Axes
        Where the lines are drawn.
    lines_, bands_ : list of matplotlib Line2D and of PolyCollection
        The mean of each estimator, and the interval of each that is no baseline.
    chance_ : matplotlib Line2D or None
        The line at the level of chance.

    Raises
    ------
    TypeError, ValueError
        If the results are not those of a study that varies what they are drawn against.

    See Also
    --------
    physio_ssl.evaluation.label_efficiency : Make the results.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from physio_ssl import ChannelStatistics, StageLabels, make_windows
    >>> from physio_ssl.datasets import simulate_wristband
    >>> from physio_ssl.evaluation import label_efficiency
    >>> from physio_ssl.plotting import LabelEfficiencyDisplay
    >>> people = simulate_wristband(3, signals=("eda", "temp"), random_state=0)
    >>> windows = make_windows(people, 60, labels=StageLabels({"rest": 0, "stress": 1}))
    >>> model = make_pipeline(ChannelStatistics(), LogisticRegression(max_iter=10_000))
    >>> results = label_efficiency(model, windows, baselines=False)
    >>> display = LabelEfficiencyDisplay.from_results(results)
    """

    amounts: np.ndarray
    mean: np.ndarray
    interval: np.ndarray
    _: KW_ONLY
    estimators: list
    against: str = "label_fraction"
    baselines: list = ()
    metric: str = "macro_f1"
    confidence: float = 0.95

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
        estimators : str or list of str, default=None
            Which estimators, in this order; None means all.
        against : {"label_fraction", "n_labelled_subjects", "calibration_minutes"}, default=None
            What to draw along the horizontal axis; None means the one that the study varies.
        metric, confidence
            As for the class. The intervals are those of ``results.summary``.
        chance : float, default=None
            Score of guessing, drawn as a line; None draws none.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **conditions
            Which of several other conditions, e.g. ``target="arousal"``. Repeats are averaged.

        Returns
        -------
        LabelEfficiencyDisplay

        Raises
        ------
        ValueError
            If a name or value is unknown, a condition with several values is not given, or
            the study has no or both amounts of labels and ``against`` is not given.
        """
        check_kind(results, "results", StudyResults, "the StudyResults of a study")
        varied = [name for name in _AMOUNTS if name in results.conditions.keys() - conditions]
        if against is None and len(varied) == 1:
            against = varied[0]
        if not isinstance(against, str) or against not in varied:
            found = f"{varied} under {conditions}, got {against!r}"
            raise ValueError(f"against must be what the study varies: {found}.")
        results, names = select_results(results, estimators, conditions, along=against)
        metric = choose_metric(results.records, metric)
        summary = results.summary(metric, confidence=confidence)
        ends = ["mean", "low", "high"]
        table = summary.pivot(index="estimator", columns=against, values=ends).loc[names]
        mean, interval = table["mean"], np.stack([table["low"], table["high"]], axis=-1)
        what = {
            "estimators": names,
            "against": against,
            "baselines": results.protocol.get("baselines", ()),
            "metric": metric,
            "confidence": confidence,
        }
        display = cls(mean.columns.to_numpy(), mean.to_numpy(), interval, **what)
        return display.plot(chance=chance, ax=ax)

    def plot(self, *, chance=None, ax=None, **kwargs):
        """Draw on ``ax``, with a line at ``chance`` and ``kwargs`` for the curves; return self."""
        amounts, means = np.asarray(self.amounts), np.asarray(self.mean)
        self.figure_, (ax,) = make_panels(ax, 1, (7.0, 4.2))
        self.ax_, self.lines_, self.bands_ = ax, [], []
        rows = zip(self.estimators, means, np.asarray(self.interval), strict=True)
        for i, (name, mean, interval) in enumerate(rows):
            color, marker = mark(i)
            given = np.isfinite(mean)
            is_baseline = name in self.baselines
            style = {"color": color, "marker": marker, "markersize": 5, "label": wrap(name, 22)}
            style |= {"linestyle": "--", "linewidth": 1} if is_baseline else {}
            self.lines_ += ax.plot(amounts[given], mean[given], **{**style, **kwargs})
            if is_baseline:
                continue
            low, high = interval[given].T
            band = ax.fill_between(amounts[given], low, high, color=color, alpha=0.15, linewidth=0)
            self.bands_.append(band)
        self.chance_ = draw_chance(ax, chance, label="chance", zorder=0)
        self._set_ticks(ax, amounts)
        ax.set_xlabel(_AMOUNTS[self.against])
        mean = f"{METRIC_NAMES.get(self.metric, self.metric)}: mean over subjects"
        ax.set_ylabel(f"{mean}\nand its {100 * self.confidence:g}% interval")
        add_legend(ax)
        return self

    def _set_ticks(self, ax, amounts):
        """Put a tick at each amount, from the largest on, where its label has room."""
        places, labels = amounts, [f"{amount:g}" for amount in amounts]
        if self.against != "calibration_minutes":  # which may be 0
            ax.set_xscale("log")
            ax.minorticks_off()
            places = np.log(amounts)
        if self.against == "label_fraction":
            labels = [f"{100 * fraction:g}%" for fraction in amounts]
        # the legend takes some of the width
        n_characters = 0.7 * count_characters(ax)
        room = np.ptp(places) / n_characters * (max(map(len, labels)) + 1)
        kept = []
        for i in np.argsort(-amounts):
            if not kept or places[kept[-1]] - places[i] >= room:
                kept.append(i)
        ax.set_xticks(amounts[kept], [labels[i] for i in kept])

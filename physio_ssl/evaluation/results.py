"""The results of a study: scores of each subject, their summary and comparison."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .._files import replace_file
from .comparisons import compare_models, measure_added_value
from .inference import summarise, summarise_repeats
from .metrics import score_limits
from .position import tabulate_positions
from .records import (
    UNIQUE,
    average_repeats,
    check_name,
    check_records,
    choose_metric,
    distinct,
    find_conditions,
    list_metrics,
    name_models,
    split_repeats,
)
from .report import describe

_FORM = {"format": "physio_ssl.study", "version": 1}


@dataclass(frozen=True, repr=False)
class StudyResults:
    """Scores of several models on subjects that were held out.

    Parameters
    ----------
    records : list of dict
        One per model, condition and test subject, in plain values that JSON can hold:

        - ``estimator``, ``fold``, ``subject``: the model, and the subject it was tested on.
        - ``n_windows``, ``class_counts``, ``confusion``: number of windows, of all and of each
          class of the study; and true classes in rows, predicted ones in columns.
        - ``accuracy``, ``balanced_accuracy``, ``macro_f1``, ``auroc``, ``kappa``: None where
          undefined, as balanced accuracy is for a subject who lacks a class.
        - ``mae``, ``r2``, ``ccc``, in place of counts and scores of classes, for a continuous
          target: mean absolute error, R2 and Lin's concordance within the subject. The last two
          are None for a subject whose target is constant.
        - ``target``, ``label_fraction``, ``n_labelled_subjects``, ``repeat``: the conditions and
          the repetition, where there are several; and anything else, e.g. ``predictions``.
        - ``added_to``: the baseline whose features were joined with the embedding of
          ``estimator``; the scores are those of both together. Absent elsewhere.
    protocol : dict
        How the scores came about, in plain values too. ``baselines`` lists the estimators that
        are baselines.

    Raises
    ------
    TypeError, ValueError
        If a record lacks a key, holds a score that is not a finite number, or is repeated.

    See Also
    --------
    leave_subjects_out : Make them, with an example.
    physio_ssl.plotting.SubjectScoresDisplay : Draw them.
    """

    records: list
    protocol: dict

    def __post_init__(self):
        if not isinstance(self.protocol, Mapping):
            raise TypeError(f"protocol must be a dict, got {self.protocol!r}.")
        check_records(self.records)

    def __repr__(self):
        protocol = self.protocol.get("protocol")
        text = f"{len(self.estimators)} estimators, {len(self.subjects)} subjects"
        for name, values in self.conditions.items():
            text += f", {name}: {', '.join(map(str, values))}"
        text += f"; {protocol}" if protocol else ""
        unknown = self.protocol.get("audit", {}).get("unknown")
        text += f" ({len(unknown)} not known)" if unknown else ""
        text += ", transductive" if self.protocol.get("transductive") else ""
        if self.protocol.get("pretrained_on_test_subjects"):
            text += ", pre-trained on test subjects"
        return f"StudyResults({text})"

    def __str__(self):
        return "\n".join([repr(self), *describe(self)])

    @property
    def estimators(self):
        """Names of the models, as a list."""
        return name_models(self.records)

    @property
    def subjects(self):
        """Names of the test subjects, as a list."""
        return distinct(self.records, "subject")

    @property
    def conditions(self):
        """Values of each condition of the study, as a dict of lists."""
        return find_conditions(self.records)

    def to_frame(self):
        """Return all scores as a tidy table.

        Returns
        -------
        DataFrame
            A row per model, condition, repeat, subject and metric; ``value`` is NaN where that is
            undefined. ``n_windows`` and ``n_class_...`` count the subject's windows. A column
            ``added_to`` names the baseline whose features were joined with the embedding of
            the model, and is missing in the rows of the model itself.
        """
        given = [name for name in UNIQUE if any(name in record for record in self.records)]
        rows, metrics = [], list_metrics(self.records)
        for record in self.records:
            row = {name: record.get(name) for name in given}
            row["n_windows"] = record["n_windows"]
            counts = record.get("class_counts", {})
            row |= {f"n_class_{name}": n for name, n in counts.items()}
            rows += [{**row, "metric": name, "value": record[name]} for name in metrics]
        frame = pd.DataFrame(rows).astype({"value": float})  # None becomes NaN
        last = ["metric", "value"]  # also where later records bring other classes
        return frame[[*frame.columns.drop(last), *last]]

    def summary(self, metric=None, confidence=0.95, n_resamples=10_000, random_state=0):
        """Average the scores over subjects.

        Repeats are averaged within each subject first. The interval is that of a studentised
        bootstrap over subjects, not windows, and stays within the range of the metric. For 15 or
        more subjects its coverage is close to nominal, unless nearly all have the same score:
        ``benchmarks/interval_coverage.py`` measures it.

        Parameters
        ----------
        metric : str or list of str, default=None
            Which metrics; None means all.
        confidence, n_resamples : float, default=0.95, and int, default=10_000
            Coverage of the interval, and number of bootstrap samples.
        random_state : int, Generator or None, default=0
            Seed of the bootstrap; one seed gives one interval, whatever the other rows are.

        Returns
        -------
        DataFrame
            A row per model, condition and metric: ``mean``, ``low``, ``high``, ``std``, and
            ``n_subjects`` whose score is defined and ``n_missing`` whose score is not. The
            interval and ``std`` are NaN for fewer than two subjects. ``n_repeats`` is the number
            of repeats, e.g. seeds, and ``std_repeats`` the standard deviation, over them, of
            the mean over subjects (NaN for one repeat).

        Raises
        ------
        ValueError
            If a metric is unknown, or the settings of the bootstrap do not fit.
        """
        metrics = list_metrics(self.records) if metric is None else np.atleast_1d(metric).tolist()
        scores = {name: average_repeats(self.records, name) for name in metrics}
        repeats = {name: split_repeats(self.records, name) for name in metrics}
        known, rows = self.conditions, []
        for estimator, condition in average_repeats(self.records, choose_metric(self.records)):
            key = {"estimator": estimator, **dict(zip(known, condition, strict=True))}
            for name in metrics:
                of_subjects = scores[name][estimator, condition]
                how = score_limits(name), confidence, n_resamples, random_state
                row = summarise(of_subjects, *how)
                row |= summarise_repeats(repeats[name][estimator, condition])
                rows.append({**key, "metric": name, **row})
        return pd.DataFrame(rows)

    def compare(
        self,
        estimator,
        other=None,
        metric=None,
        *,
        confidence=0.95,
        n_resamples=10_000,
        random_state=0,
        **conditions,
    ):
        """Compare one model with others on the same subjects.

        Differences are paired within subjects, after averaging their repeats.

        Parameters
        ----------
        estimator : str
            Name of a model.
        other : str or list of str, default=None
            Which models to compare it with; None means all others.
        metric : str, default=None
            Which metric; None means macro-F1, or MAE of a continuous target.
        confidence, n_resamples, random_state
            As in ``summary``.
        **conditions
            Compare under this condition only, e.g. ``label_fraction=0.1``.

        Returns
        -------
        DataFrame
            A row per other model and condition under which both were tested:

            - ``difference``: mean over subjects, positive where ``estimator`` is better (of
              MAE: by how much its error is lower), with its interval ``low`` to ``high``, as in
              ``summary`` (NaN for one subject);
            - ``n_subjects`` on whom both scores are defined, and ``n_missing``;
            - ``p_value`` of the two-sided Wilcoxon signed-rank test, 1 where all scores tie;
            - ``effect_size``: matched-pairs rank-biserial correlation, from -1 to 1;
            - ``p_holm``, only if ``other`` is given: the p-value corrected for the number of
              rows, by Holm's method. Name the comparisons that you planned. Among all others,
              the correction would depend on which models happen to be in the study.

        Raises
        ------
        ValueError
            If a name or condition is unknown, there is no other model, or two models have no
            condition, or no subject with both scores, in common.
        """
        how, metric = (confidence, n_resamples, random_state), choose_metric(self.records, metric)
        return compare_models(self.records, estimator, other, metric, how, conditions)

    def added_value(
        self,
        estimator=None,
        over="hand-crafted",
        metric=None,
        *,
        confidence=0.95,
        n_resamples=10_000,
        random_state=0,
        **conditions,
    ):
        """Return what an embedding adds to the features of a baseline.

        This is the score of a linear model on the features and the embedding together, minus
        that of the same model on the features alone, on the same subjects. Of an error, such as
        MAE, it is how much lower the error is.

        Parameters
        ----------
        estimator : str or list of str, default=None
            Names of models; None means all whose embedding was added to the features.
        over : str or list of str or None, default="hand-crafted"
            Names of baselines; None means all whose features were joined with an embedding.
        metric : str, default=None
            As in ``compare``.
        confidence, n_resamples, random_state
            As in ``summary``.
        **conditions
            Only under this condition, e.g. ``label_fraction=0.1``.

        Returns
        -------
        DataFrame
            A row per model, baseline and condition: ``features`` and ``with_embedding``, the
            means over the subjects who have both scores, and the columns of ``compare``, for
            ``with_embedding`` minus ``features``. The values are NaN if nobody has both.

        Raises
        ------
        ValueError
            If the study has no baselines with features, a model has no embedding that was added
            to them, or a name is unknown.
        """
        how, metric = (confidence, n_resamples, random_state), choose_metric(self.records, metric)
        return measure_added_value(self.records, estimator, over, metric, how, conditions)

    def position_matched(
        self,
        estimator=None,
        *,
        tolerance=30.0,
        confidence=0.95,
        n_resamples=1000,
        random_state=0,
    ):
        """Compare windows of different people at the same time since their recordings' start.

        A model that knows only the time scores .5; see ``position_matched_auroc``. The scores of
        repeats are averaged.

        Parameters
        ----------
        estimator : str or list of str, default=None
            Which models; None means all.
        tolerance : float, default=30.0
            Largest difference of two onsets, in seconds.
        confidence, n_resamples, random_state
            As in ``summary``.

        Returns
        -------
        DataFrame
            A row per model and condition: ``auroc``, its interval ``low`` to ``high``,
            ``n_pairs`` of windows, ``n_subjects``, ``tied``, ``classes``, ``estimable``, and
            ``why_not`` where it is not estimable.

        Raises
        ------
        ValueError
            If a name is unknown, the target is continuous, or the records hold no predictions or
            onsets.
        """
        if "auroc" not in list_metrics(self.records):
            raise ValueError(
                "Position-matched scores are of classes, but the target is continuous."
            )
        for name in [] if estimator is None else np.atleast_1d(estimator).tolist():
            check_name(name, self.estimators, "estimator")
        options = tolerance, confidence, n_resamples, random_state
        return tabulate_positions(self, estimator, *options)

    def save(self, path):
        """Write the results as JSON, all or nothing; an existing file is replaced."""
        replace_file(path, json.dumps({**_FORM, **vars(self)}, allow_nan=False).encode())

    @classmethod
    def load(cls, path):
        """Read results that ``save`` wrote; raise ValueError if a file holds something else."""
        try:
            content = json.loads(Path(path).read_text("utf-8"), parse_constant=_refuse_constant)
            form = {name: content[name] for name in _FORM}
            if form != _FORM:
                raise ValueError(f"expected {_FORM}, got {form}")
            return cls(content["records"], content["protocol"])
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"{path} does not hold results: {error!r}") from error


def _refuse_constant(name):
    raise ValueError(f"{name} is not a value of JSON")

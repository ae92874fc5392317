"""The results of a study: scores of each subject, their summary and comparison."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from .._files import replace_file
from .inference import compare_pairs, holm, summarise
from .metrics import METRICS
from .position import tabulate_positions
from .records import UNIQUE, average_repeats, check_name, check_records, distinct, find_conditions

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
        - ``target``, ``label_fraction``, ``n_labelled_subjects``, ``repeat``: the conditions and
          the repetition, where there are several; and anything else, e.g. ``predictions``.
    protocol : dict
        How the scores came about, in plain values too.

    Raises
    ------
    TypeError, ValueError
        If a record lacks a key, holds a score that is not a finite number, or is repeated.
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
        text += ", transductive" if self.protocol.get("transductive") else ""
        return f"StudyResults({text})"

    def __str__(self):
        return f"{self!r}\n{self.summary().to_string(index=False, float_format='{:.3f}'.format)}"

    @property
    def estimators(self):
        """Names of the models, as a list."""
        return distinct(self.records, "estimator")

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
            undefined. ``n_windows`` and ``n_class_...`` count the subject's windows.
        """
        given = [name for name in UNIQUE if any(name in record for record in self.records)]
        rows = []
        for record in self.records:
            row = {name: record.get(name) for name in given}
            row["n_windows"] = record["n_windows"]
            row |= {f"n_class_{name}": n for name, n in record["class_counts"].items()}
            rows += [{**row, "metric": name, "value": record[name]} for name in METRICS]
        frame = pd.DataFrame(rows).astype({"value": float})  # None becomes NaN
        last = ["metric", "value"]  # also where later records bring other classes
        return frame[[*frame.columns.drop(last), *last]]

    def summary(self, metric=None, confidence=0.95, n_resamples=10_000, random_state=0):
        """Average the scores over subjects.

        Repeats are averaged within each subject first. The interval is that of the percentile
        bootstrap over subjects, not windows.

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
            interval and ``std`` are NaN for fewer than two subjects.
        """
        metrics = METRICS if metric is None else [metric] if isinstance(metric, str) else metric
        scores = {name: average_repeats(self.records, name) for name in metrics}
        known, rows = self.conditions, []
        for estimator, condition in average_repeats(self.records, METRICS[0]):
            key = {"estimator": estimator, **dict(zip(known, condition, strict=True))}
            for name in metrics:
                of_subjects = scores[name][estimator, condition]
                row = summarise(of_subjects, confidence, n_resamples, random_state)
                rows.append({**key, "metric": name, **row})
        return pd.DataFrame(rows)

    def compare(
        self,
        estimator,
        other=None,
        metric="macro_f1",
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
        metric : str, default="macro_f1"
            Which metric.
        confidence, n_resamples, random_state
            As in ``summary``.
        **conditions
            Compare under this condition only, e.g. ``label_fraction=0.1``.

        Returns
        -------
        DataFrame
            A row per other model and condition under which both were tested:

            - ``difference``: mean over subjects, positive where ``estimator`` is better, with
              its bootstrap interval ``low`` to ``high`` (NaN for one subject);
            - ``n_subjects`` on whom both scores are defined, and ``n_missing``;
            - ``p_value`` of the two-sided Wilcoxon signed-rank test, 1 where all scores tie, and
              ``p_holm``, corrected for the number of rows;
            - ``effect_size``: matched-pairs rank-biserial correlation, from -1 to 1.
        """
        others = [name for name in self.estimators if name != estimator]
        if other is not None:
            others = list(dict.fromkeys([other] if isinstance(other, str) else other))
        for name in (estimator, *others):
            check_name(name, self.estimators, "estimator")
        if not others or estimator in others:
            raise ValueError(f"There must be other estimators than {estimator!r} to compare with.")
        known = self.conditions
        for name, value in conditions.items():
            check_name(name, known, "condition")
            check_name(value, known[name], name)

        scores, rows = average_repeats(self.records, metric), []
        for second, (name, condition) in product(others, scores):
            named = dict(zip(known, condition, strict=True))
            is_chosen = name == estimator and conditions.items() <= named.items()
            if not is_chosen or (second, condition) not in scores:
                continue
            pair = scores[estimator, condition], scores[second, condition]
            row = compare_pairs(*pair, confidence, n_resamples, random_state)
            if row is None:
                raise ValueError(f"No subject has {metric} of both {estimator!r} and {second!r}.")
            rows.append({"estimator": estimator, "other": second, **named, "metric": metric, **row})
        if not rows:
            raise ValueError(f"{estimator!r} and {others} were not tested under one condition.")
        frame = pd.DataFrame(rows)
        frame["p_holm"] = holm(frame["p_value"].to_numpy())
        return frame

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
            If a name is unknown, or the records hold no predictions or onsets.
        """
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

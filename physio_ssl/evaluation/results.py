"""The results of a study: scores of each subject, their summary and comparison."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

import numpy as np
from scipy.stats import wilcoxon

from .._files import replace_file
from ._inference import bootstrap_mean, holm, rank_biserial
from ._metrics import METRICS

_FORMAT = "physio_ssl.study"
_VERSION = 1
_NEEDED = ("estimator", "fold", "subject", "n_windows", "class_counts", "confusion", *METRICS)
_CONDITIONS = ("target", "share", "n_labelled_subjects")  # what a study may vary
_UNIQUE = ("estimator", *_CONDITIONS, "repeat", "fold", "subject")


@dataclass(frozen=True, repr=False)
class StudyResults:
    """Scores of several estimators on subjects that were held out.

    Parameters
    ----------
    records : list of dict
        One per estimator, condition and test subject, in plain values that JSON can hold:

        - ``estimator``, ``fold``, ``subject``: who was tested on whom. Protocols that do not
          split by subject name their folds here instead.
        - ``n_windows``, ``class_counts``, ``confusion``: number of windows; number of windows
          of each class of the study; and true classes in rows, predicted ones in columns.
        - ``accuracy``, ``balanced_accuracy``, ``macro_f1``, ``auroc``, ``kappa``: None where
          undefined, as balanced accuracy is for a subject who lacks a class.
        - ``target``, ``share`` (of the training windows that were labelled),
          ``n_labelled_subjects``: the conditions, where the study has several.
        - ``repeat``: number of the repetition, where there are several.
        - what else is worth keeping, e.g. ``best_params``, ``seconds`` and ``predictions``.
    protocol : dict
        How the scores came about, e.g. ``protocol``, ``unit`` (subject or fold),
        ``random_state``, ``audit``, in plain values too.

    Raises
    ------
    TypeError, ValueError
        If a record lacks a key, holds a score that is not a finite number, or is there twice.
    """

    records: list
    protocol: dict

    def __post_init__(self):
        if not isinstance(self.protocol, Mapping):
            raise TypeError(f"protocol must be a dict, got {self.protocol!r}.")
        if not isinstance(self.records, list) or not self.records:
            raise ValueError(f"records must be a list of one dict or more, got {self.records!r}.")
        seen = set()
        for number, record in enumerate(self.records):
            _check_record(record, f"Record {number}")
            key = tuple(record.get(name) for name in _UNIQUE)
            if key in seen:
                raise ValueError(
                    f"Record {number} is there twice: {record['estimator']!r} on "
                    f"{record['subject']!r} in fold {record['fold']}, same condition."
                )
            seen.add(key)

    def __repr__(self):
        protocol, unit = self.protocol.get("protocol"), self.protocol.get("unit", "subject")
        text = f"{len(self.estimators)} estimators, {len(self.subjects)} {unit}s"
        for name, values in self.conditions.items():
            text += f", {name}: {', '.join(map(str, values))}"
        return f"StudyResults({text}{f'; {protocol}' if protocol else ''})"

    def __str__(self):
        table = self.summary().to_string(index=False, float_format="{:.3f}".format)
        return f"{self!r}\n{table}"

    @property
    def estimators(self):
        """Names of the estimators, as a list."""
        return _values(self.records, "estimator")

    @property
    def subjects(self):
        """Names of the test subjects (or folds), as a list."""
        return _values(self.records, "subject")

    @property
    def conditions(self):
        """Values of each condition of the study, as a dict of lists."""
        values = {name: _values(self.records, name) for name in _CONDITIONS}
        return {name: found for name, found in values.items() if found}

    def to_frame(self):
        """Return all scores as a tidy table.

        Returns
        -------
        DataFrame
            A row per estimator, condition, repeat, subject and metric. ``value`` is NaN
            where the metric is undefined; ``n_windows`` and, for each class, ``n_class_...``
            count the subject's windows.
        """
        import pandas as pd

        given = [name for name in _UNIQUE if any(name in record for record in self.records)]
        rows = []
        for record in self.records:
            row = {name: record.get(name) for name in given}
            row["n_windows"] = record["n_windows"]
            row |= {f"n_class_{name}": n for name, n in record["class_counts"].items()}
            rows += [{**row, "metric": name, "value": _number(record[name])} for name in METRICS]
        frame = pd.DataFrame(rows)
        last = ["metric", "value"]  # also where later records bring other classes
        return frame[[*frame.columns.drop(last), *last]]

    def summary(self, metric=None, confidence=0.95, n_resamples=10_000, random_state=0):
        """Average the scores over subjects.

        Repeats are averaged within each subject first. The interval is the percentile
        bootstrap's, from drawing subjects (not windows) with replacement.

        Parameters
        ----------
        metric : str or list of str, default=None
            Which metrics; None stands for all.
        confidence : float, default=0.95
            Coverage of the interval.
        n_resamples : int, default=10_000
            Number of bootstrap samples.
        random_state : int, Generator or None, default=0
            Seed of the bootstrap; one seed gives one interval, whatever rows stand beside it.

        Returns
        -------
        DataFrame
            A row per estimator, condition and metric: ``mean``, ``low``, ``high``, ``std``
            (sample standard deviation), ``n_subjects`` whose score is defined and
            ``n_missing`` whose score is not. The interval and ``std`` need two subjects, and
            are NaN for fewer.

        Raises
        ------
        ValueError
            If a metric is unknown.
        """
        import pandas as pd

        metrics = METRICS if metric is None else [metric] if isinstance(metric, str) else metric
        scores = {name: self._score_subjects(name) for name in metrics}
        known, rows = self.conditions, []
        for estimator, condition in self._score_subjects(METRICS[0]):
            for name in metrics:
                values = np.array(list(scores[name][estimator, condition].values()))
                defined = values[~np.isnan(values)]
                low, high = bootstrap_mean(defined, confidence, n_resamples, random_state)
                row = {"estimator": estimator, **dict(zip(known, condition, strict=True))}
                row |= {"metric": name, "mean": defined.mean() if len(defined) else np.nan}
                row |= {"low": low, "high": high}
                row["std"] = defined.std(ddof=1) if len(defined) > 1 else np.nan
                row["n_subjects"] = len(defined)
                row["n_missing"] = len(values) - len(defined)
                rows.append(row)
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
        """Compare one estimator with others on the same subjects.

        Differences are paired within subjects, after averaging their repeats. Of a protocol
        whose unit is the fold, folds are paired instead; folds that share subjects are not
        independent, and their p-values are too small.

        Parameters
        ----------
        estimator : str
            Name of an estimator.
        other : str or list of str, default=None
            Which to compare it with; None stands for all others.
        metric : str, default="macro_f1"
            Which metric.
        confidence : float, default=0.95
            Coverage of the interval.
        n_resamples : int, default=10_000
            Number of bootstrap samples.
        random_state : int, Generator or None, default=0
            Seed of the bootstrap.
        **conditions
            Compare under this condition only, e.g. ``share=0.1``.

        Returns
        -------
        DataFrame
            A row per other estimator and condition that both were tested under:

            - ``difference``: mean over subjects, positive where ``estimator`` is better, with
              its bootstrap interval ``low`` to ``high`` (NaN for one subject);
            - ``n_subjects`` on whom both scores are defined, and ``n_missing``;
            - ``p_value`` of the two-sided Wilcoxon signed-rank test, 1 where all scores tie;
            - ``effect_size``: matched-pairs rank-biserial correlation, from -1 to 1;
            - ``p_holm``: ``p_value`` corrected for the number of rows.

        Raises
        ------
        ValueError
            If a name or value is unknown, or two estimators share no subject.
        """
        import pandas as pd

        others = [name for name in self.estimators if name != estimator]
        if other is not None:
            others = list(dict.fromkeys([other] if isinstance(other, str) else other))
        for name in (estimator, *others):
            _check_name(name, self.estimators, "estimator")
        if not others or estimator in others:
            raise ValueError(f"There must be other estimators than {estimator!r} to compare with.")
        known = self.conditions
        for name, value in conditions.items():
            _check_name(name, known, "condition")
            _check_name(value, known[name], name)

        scores = self._score_subjects(metric)
        rows = []
        for name in others:
            for (left, condition), ours in scores.items():
                named = dict(zip(known, condition, strict=True))
                if left != estimator or (name, condition) not in scores:
                    continue
                if any(named[key] != value for key, value in conditions.items()):
                    continue
                theirs = scores[name, condition]
                differences = _pair(ours, theirs)
                if not len(differences):
                    raise ValueError(
                        f"No subject has the {metric} of both {estimator!r} and {name!r}"
                        f"{f' under {named}' if named else ''}."
                    )
                low, high = bootstrap_mean(differences, confidence, n_resamples, random_state)
                row = {"estimator": estimator, "other": name, **named, "metric": metric}
                row |= {"difference": differences.mean(), "low": low, "high": high}
                row["n_subjects"] = len(differences)
                row["n_missing"] = len({*ours, *theirs}) - len(differences)
                row["p_value"] = wilcoxon(differences).pvalue if differences.any() else 1.0
                row["effect_size"] = rank_biserial(differences)
                rows.append(row)
        if not rows:
            raise ValueError(
                f"{estimator!r} and {', '.join(map(repr, others))} were not tested under one "
                f"condition{f' with {conditions}' if conditions else ''}."
            )
        frame = pd.DataFrame(rows)
        frame["p_holm"] = holm(frame["p_value"].to_numpy())
        return frame

    def save(self, path):
        """Write the results as JSON, all or nothing; an existing file is replaced."""
        content = {
            "format": _FORMAT,
            "version": _VERSION,
            "protocol": self.protocol,
            "records": self.records,
        }
        replace_file(path, json.dumps(content, allow_nan=False).encode())

    @classmethod
    def load(cls, path):
        """Read results that ``save`` wrote.

        Parameters
        ----------
        path : str or path
            The file.

        Returns
        -------
        StudyResults
            Equal to those that were saved.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file holds something else, or was written by a newer version.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"No results at {path}.")
        try:
            content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not strict JSON: {error}") from error
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise ValueError(f"{path} does not hold results: its format is not {_FORMAT!r}.")
        version = content.get("version")
        if not isinstance(version, int) or not 1 <= version <= _VERSION:
            raise ValueError(
                f"{path} is of version {version!r}, but this physio_ssl reads up to {_VERSION}."
            )
        missing = {"records", "protocol"} - set(content)
        if missing:
            raise ValueError(f"{path} lacks {', '.join(sorted(missing))}.")
        try:
            return cls(content["records"], content["protocol"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} does not hold results: {error}") from error

    def _score_subjects(self, metric):
        """Return {(estimator, condition): {subject: score}}, means over repeats, or NaN."""
        _check_name(metric, METRICS, "metric")
        names, scores = list(self.conditions), {}
        for record in self.records:
            key = record["estimator"], tuple(record.get(name) for name in names)
            repeats = scores.setdefault(key, {}).setdefault(record["subject"], [])
            if record[metric] is not None:
                repeats.append(record[metric])
        return {
            key: {who: np.mean(found) if found else np.nan for who, found in by_subject.items()}
            for key, by_subject in scores.items()
        }


def _values(records, name):
    """Return the different values that records have for a name, in order of appearance."""
    return list(dict.fromkeys(record[name] for record in records if name in record))


def _number(value):
    return np.nan if value is None else value


def _check_name(name, known, what):
    if name not in known:
        raise ValueError(f"No {what} {name!r}, only {', '.join(map(str, known)) or 'none'}.")


def _check_record(record, where):
    if not isinstance(record, dict):
        raise TypeError(f"{where} must be a dict, got {record!r}.")
    missing = [name for name in _NEEDED if name not in record]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}.")
    for name in ("estimator", "subject"):
        if not isinstance(record[name], str):
            raise TypeError(f"{where} must name its {name} as text, got {record[name]!r}.")
    for name in METRICS:
        value = record[name]
        if value is not None and not (isinstance(value, Real) and math.isfinite(value)):
            raise ValueError(f"{where} must have a finite {name} or None, got {value!r}.")
    n_classes = len(record["class_counts"])
    if np.shape(record["confusion"]) != (n_classes, n_classes):
        raise ValueError(
            f"{where} counts {n_classes} classes, but its confusion has the shape "
            f"{np.shape(record['confusion'])}."
        )


def _refuse_constant(name):
    raise ValueError(f"{name} is not a value of JSON")


def _pair(ours, theirs):
    """Return the differences on the subjects for whom both scores are defined."""
    differences = np.array([ours[who] - theirs[who] for who in ours if who in theirs])
    # Means over repeats that are equal but for rounding must tie.
    return differences[~np.isnan(differences)].round(12)

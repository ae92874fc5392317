"""leave_subjects_out: a whole study over subjects in one call."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import check_scalar

from .engine import run_study
from .fold import Draw, derive_seed


@dataclass(kw_only=True)
class StudySettings:
    """How a study is run; ``leave_subjects_out`` documents each setting."""

    targets: str | list | None = None
    cv: object = None
    search: dict | None = None
    inner_cv: int = 5
    scoring: object = None
    sample_weight: object = None
    transductive: bool | str = False
    pretrained_on_test_subjects: bool | str = False
    on_leak: str = "raise"
    n_jobs: int | None = None
    random_state: int | None = 0
    folder: Path | None = None
    keep_predictions: bool = True
    baselines: bool | dict = True
    recordings: list | None = None
    added_value: bool | list = True
    verbose: int = 0

    def __post_init__(self):
        """Check the values, and fill in a seed."""
        check_scalar(self.inner_cv, "inner_cv", Integral, min_val=2)
        if self.targets is not None:
            self.targets = [self.targets] if isinstance(self.targets, str) else list(self.targets)
            if not self.targets or len(set(self.targets)) < len(self.targets):
                raise ValueError(f"targets must name one column or several, got {self.targets}.")
        if isinstance(self.cv, Iterable) and not hasattr(self.cv, "split"):
            self.cv = list(self.cv)  # a generator could be used once only
        self.search = dict(self.search or {})
        if not isinstance(self.baselines, (bool, Mapping)):
            raise TypeError(f"baselines must be True, False or a dict, got {self.baselines!r}.")
        if self.folder is not None:
            self.folder = Path(self.folder)
            if self.random_state is None:
                raise ValueError("A resumable study (folder=...) needs a random_state, got None.")
        if self.random_state is None:
            self.random_state = np.random.default_rng().integers(2**31)
        check_scalar(self.random_state, "random_state", Integral)
        self.random_state = int(self.random_state)


def leave_subjects_out(
    models,
    windows,
    *,
    targets=None,
    cv=None,
    search=None,
    inner_cv=5,
    scoring=None,
    sample_weight=None,
    transductive=False,
    pretrained_on_test_subjects=False,
    on_leak="raise",
    n_jobs=None,
    random_state=0,
    folder=None,
    keep_predictions=True,
    baselines=True,
    recordings=None,
    added_value=True,
    verbose=0,
):
    """Test several models on subjects that they have not seen.

    Each fold fits a copy of each model on the training subjects and scores it on each subject
    held out. Leading steps of a pipeline that learn nothing, or are frozen, are applied once. An
    unfitted ``SSLEncoder``, as the first step that learns or in an ``SSLClassifier``, is
    pre-trained once per fold, on the training subjects' windows without their labels.

    Parameters
    ----------
    models : mapping from str to estimator, or estimator
        Classifiers, or regressors for a continuous target, by the names that they have in the
        results. A pair ``(model, X)`` has its own input, with a row per window, instead of
        ``windows.X``. A list of models, or of pairs, is one model with several seeds, whose
        scores are averaged as repeats.
    windows : Windows
        Windows, or features, with subjects and labels: integers or strings, or numbers for
        regressors.
    targets : str or list of str, default=None
        Columns of ``windows.info`` with labels. Each gets a model of its own, and the results a
        condition ``target``; None is the column "label", without that condition.
    cv : splitter or iterable of (train, test), default=None
        Which windows are held out together. None holds out one subject at a time.
    search : mapping from str to dict, default=None
        Grid of parameters, by the model's name, for a search on each fold's training subjects.
    inner_cv : int, default=5
        Number of folds of the search, by subject; at most the number of training subjects.
    scoring : str or callable, default=None
        What the search maximises. None means macro-F1, or of regressors the negative MAE.
    sample_weight : array-like of shape (n_windows,), default=None
        Weight of each window in the training. Each model's ``fit`` must take ``sample_weight``.
        Scores count each window alike.
    transductive : bool or str, default=False
        Whether, or how, signals are scaled over each test subject's unlabelled windows.
    pretrained_on_test_subjects : bool or str, default=False
        Whether, or why, encoders were pre-trained on test subjects; as in ``audit_leakage``.
    on_leak : {"raise", "record"}, default="raise"
        Whether a leak that ``audit_leakage`` finds is an error, or only recorded in the results.
    n_jobs : int, default=None
        Number of folds that run at a time, in processes. The numbers do not depend on it.
    random_state : int or None, default=0
        Seed of every estimator whose own ``random_state`` is None.
    folder : path, default=None
        Where each fold's result is written. A study that was killed resumes from there, with the
        same numbers. Folds are computed again if the data, a model's parameters or weights, a
        setting or a package's version has changed, but not if the code of your own classes has.
    keep_predictions : bool, default=True
        Whether the records hold each window's predicted class, and the scores of all classes,
        which position-matched scores need.
    baselines : bool or dict, default=True
        Models that run beside yours; one of yours with the same name replaces it. True means
        those of ``make_baselines``, scaled as the windows are, or by recording if
        ``transductive`` declares it. False means none, which the results say.
    recordings : Recording or list of Recording, default=None
        The recordings as read, in the order in which the windows number them, for the
        hand-crafted features among the baselines; see ``make_baselines``.
    added_value : bool or list of str, default=True
        Whether embeddings, or those of the models named, are also joined with each table of
        features among the baselines, for ``StudyResults.added_value``.
    verbose : int, default=0
        Whether to show a progress bar over folds.

    Returns
    -------
    StudyResults
        A record per model and subject, with the audit's verdict and the settings.

    Raises
    ------
    LeakageError
        If the audit finds a leak.
    TypeError, ValueError, RuntimeError
        If the data, a model or a setting do not fit, or a model fails in a fold.

    See Also
    --------
    label_efficiency : The same with few labels.
    physio_ssl.leakage.audit_leakage : The audit by itself.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from physio_ssl import Windows
    >>> from physio_ssl.evaluation import leave_subjects_out
    >>> X = np.random.default_rng(0).normal(size=(60, 4))
    >>> info = {"subject": np.repeat(["S1", "S2", "S3"], 20), "label": np.tile([0, 1], 30)}
    >>> models = {"tree": DecisionTreeClassifier(), "linear": LogisticRegression()}
    >>> results = leave_subjects_out(models, Windows(X, pd.DataFrame(info)))
    >>> results.estimators
    ['tree', 'linear', 'majority class', 'channel statistics']
    """
    settings = StudySettings(
        targets=targets,
        cv=cv,
        search=search,
        inner_cv=inner_cv,
        scoring=scoring,
        sample_weight=sample_weight,
        transductive=transductive,
        pretrained_on_test_subjects=pretrained_on_test_subjects,
        on_leak=on_leak,
        n_jobs=n_jobs,
        random_state=random_state,
        folder=folder,
        keep_predictions=keep_predictions,
        baselines=baselines,
        recordings=recordings,
        added_value=added_value,
        verbose=verbose,
    )
    return run_study(models, windows, settings, _draw_all)


def _draw_all(windows, train, test, fold, random_state):
    """Return one draw, with all labels."""
    return [Draw(train, {}, derive_seed(random_state, fold, 0))]

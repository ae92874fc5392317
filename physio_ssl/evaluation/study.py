"""leave_subjects_out: a whole study over subjects in one call."""

from ._study import derive_seed, run_study


def leave_subjects_out(
    estimators,
    X,
    y,
    groups,
    *,
    onset=None,
    duration=None,
    recording=None,
    cv=None,
    search=None,
    inner_cv=5,
    scoring="f1_macro",
    protocol="leak_free",
    transductive=False,
    on_leak="raise",
    n_jobs=None,
    random_state=0,
    folder=None,
    keep_predictions=False,
    verbose=0,
):
    """Test several estimators on subjects that they have not seen.

    Each fold fits a copy of each estimator on the training subjects and scores it on each
    subject held out. Steps of a pipeline that learn nothing, or are frozen, are applied once,
    if they treat windows one by one; an unfitted ``SSLEncoder`` is pre-trained once per fold,
    on the training subjects' windows without their labels, and embeds each window once,
    whatever is searched behind it.

    Parameters
    ----------
    estimators : mapping from str to estimator, or estimator
        Classifiers, by the names that they have in the results.
    X : SignalDict, array of shape (n_windows, ...), or DataFrame
        Windows, or features; all numbers.
    y : array-like of shape (n_windows,), or mapping from str to these
        Labels, integers or strings. Of several targets, such as valence and arousal, each
        gets a model of its own, and the results a condition ``target``.
    groups : array-like of shape (n_windows,)
        Subject of each window.
    onset : array-like of shape (n_windows,), default=None
        Start of each window, in seconds, and
    duration : float, default=None
        its length, in seconds: with both, the audit finds windows that overlap.
    recording : array-like of shape (n_windows,), default=None
        Recording of each window, where a subject has several clocks.
    cv : splitter or iterable of (train, test), default=None
        Who is held out together; None stands for one subject at a time.
    search : mapping from str to dict, default=None
        Grid of parameters, by the estimator's name. They are searched inside each fold, on
        the training subjects, split by subject.
    inner_cv : int, default=5
        Number of inner folds, or of training subjects where these are fewer.
    scoring : str or callable, default="f1_macro"
        What the search maximises.
    protocol : {"leak_free", "published_a", "published_b"}, default="leak_free"
        How scores are made. ``"published_a"`` is that of the code of Wu et al. (2023): the best
        epoch of each ``SSLClassifier``, *chosen on the held-out subject*, and the mean of the
        batches' accuracies. ``"published_b"`` is that of Vazquez-Rodriguez et al. (2022): ten
        folds over shuffled windows, *which share subjects*. Both are there to show how much
        they flatter, and their results say so.
    transductive : bool or str, default=False
        Whether test subjects' data are used without their labels, e.g. "each signal is
        z-scored over its recording". It is written into the results, and the audit lets
        such uses pass.
    on_leak : {"raise", "record"}, default="raise"
        Whether a leak that ``audit_leakage`` finds is an error, or only written into the
        results. Leaks that the ``published_...`` protocols consist of are recorded.
    n_jobs : int, default=None
        Folds at a time, in processes. The numbers do not depend on it.
    random_state : int or None, default=0
        Seed of every estimator whose own ``random_state`` is None.
    folder : path, default=None
        Where each fold's result is written as it ends. A study that was killed goes on from
        there, with the same numbers. Folds are computed anew where the data, an estimator's
        parameters or weights, a setting or a package's version has changed; the code of
        one's own classes is not looked at.
    keep_predictions : bool, default=False
        Whether the records hold the predictions of each window, and its probabilities (or
        decision scores) of the classes.
    verbose : int, default=0
        Whether to show a progress bar over folds.

    Returns
    -------
    StudyResults
        A record per estimator and subject, with the audit's verdict and the protocol.
        ``seconds`` are those of fitting and predicting, without what is done once before.

    Raises
    ------
    LeakageError
        If the audit finds a leak.
    TypeError, ValueError
        If the data, an estimator or a setting do not fit.
    RuntimeError
        If an estimator fails in a fold; the message names both.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from physio_ssl.evaluation import leave_subjects_out
    >>> X, y = np.random.default_rng(0).normal(size=(60, 4)), np.tile([0, 1], 30)
    >>> models = {"majority": DummyClassifier(), "linear": LogisticRegression()}
    >>> leave_subjects_out(models, X, y, groups=np.repeat(["S1", "S2", "S3"], 20))
    StudyResults(2 estimators, 3 subjects; leak_free)
    """
    return run_study(
        estimators,
        X,
        y,
        groups,
        _all_labels,
        onset=onset,
        duration=duration,
        recording=recording,
        cv=cv,
        search=search,
        inner_cv=inner_cv,
        scoring=scoring,
        protocol=protocol,
        transductive=transductive,
        on_leak=on_leak,
        n_jobs=n_jobs,
        random_state=random_state,
        folder=folder,
        keep_predictions=keep_predictions,
        verbose=verbose,
    )


def _all_labels(train, y, groups, fold, random_state):
    return [(derive_seed(random_state, fold, 0), train, {})]

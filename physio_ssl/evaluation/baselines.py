"""make_baselines: the models that an encoder has to beat."""

from functools import partial

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from .._check import check_choice, check_count
from ..containers import SignalDict
from ..leakage.audit import require_windows
from ..windows import count_samples, cut_from_recordings
from .candidates import list_candidates, predict_numbers
from .embedding import find_encoder
from .linear_probe import LinearProbe, LinearProbeRegressor

_SCALINGS = (None, "recording", "subject", "past")


def make_baselines(
    windows, recordings=None, *, models=None, scaling="same", n_seeds=5, random_state=None
):
    """Return the models that any study of wearable signals has to beat.

    Parameters
    ----------
    windows : Windows
        The windows of the study.
    recordings : Recording or list of Recording, default=None
        The recordings as read, in the order in which the windows number them. Hand-crafted
        features are then those of the recorded signals of the same modalities, at their own
        rates: heart rate needs the pulse at 32 Hz or more. None takes the windows' signals.
    models : mapping or estimator, default=None
        Models of the study. Those that begin with an encoder are repeated with random weights.
        If they are regressors, so are the baselines.
    scaling : {"same", None, "recording", "subject", "past"}, default="same"
        Whether hand-crafted features are z-scored over the windows of each recording or subject,
        or of each recording up to the window, as the signals that a model sees often are; "same"
        means ``windows.scaling``.
    n_seeds : int, default=5
        Number of random weights of each network.
    random_state : int, RandomState instance or None, default=None
        Seed of the random forests; None leaves it to the study.

    Returns
    -------
    dict
        What ``leave_subjects_out`` takes as models:

        - ``"majority class"``, or for regressors ``"training mean"``;
        - ``"clock"`` and ``"clock, forest"``, which see the minutes since the recording began and
          nothing else; not for windows without onsets;
        - ``"hand-crafted"`` and ``"hand-crafted, forest"``: ``HandcraftedFeatures``, not for
          windows without sampling rates;
        - ``"channel statistics"``: ``ChannelStatistics`` of the windows' own channels, or the
          columns of a dense table of features; ``"hand-crafted + channel statistics"`` has both.
          Those of windows with context are of the window, and of the window with its context;
        - ``"..., untrained"``: a model with the random weights of ``n_seeds`` seeds, for the first
          model with each encoder.

        Those without "forest" are ``LinearProbe`` or ``LinearProbeRegressor``, the clock with
        powers up to the third.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, e.g. recordings that are not those of the windows.

    See Also
    --------
    leave_subjects_out : A study, which adds these baselines by itself.
    audit_confounds : What the clock, and other things that are no physiology, tell.

    Examples
    --------
    >>> from physio_ssl import StageLabels, make_windows
    >>> from physio_ssl.datasets import simulate_wristband
    >>> from physio_ssl.evaluation import make_baselines
    >>> people = simulate_wristband(3, signals=("eda", "temp"), random_state=0)
    >>> windows = make_windows(people, 60, labels=StageLabels({"rest": 0, "stress": 1}))
    >>> for name in make_baselines(windows):
    ...     print(name)
    majority class
    clock
    clock, forest
    hand-crafted
    hand-crafted, forest
    channel statistics
    hand-crafted + channel statistics
    """
    require_windows(windows)
    check_choice("scaling", scaling, ("same", *_SCALINGS))
    check_count(n_seeds, "n_seeds")
    if recordings is not None and not isinstance(windows.X, SignalDict):
        kind = type(windows.X).__name__
        raise TypeError(f"With recordings, windows must hold signals by modality, got {kind}.")
    scaling = windows.scaling if scaling == "same" else scaling
    # not "if models": an unfitted forest has no length
    candidates = [] if models is None else list_candidates(models, len(windows))
    how = {"min_samples_leaf": 3, "random_state": random_state}
    if predict_numbers(candidates):
        baselines, probe = {"training mean": DummyRegressor()}, LinearProbeRegressor()
        forest = RandomForestRegressor(100, **how)
    else:
        baselines, probe = {"majority class": DummyClassifier()}, LinearProbe()
        forest = RandomForestClassifier(100, class_weight="balanced", **how)
    if windows.onset is not None:
        minutes = windows.onset[:, np.newaxis] / 60
        cubic = make_pipeline(PolynomialFeatures(3, include_bias=False), clone(probe))
        baselines |= {"clock": (cubic, minutes), "clock, forest": (forest, minutes)}
    features = {}
    if isinstance(windows.X, SignalDict) and (recordings is not None or windows.sampling_rate):
        crafted = _compute_features(windows, recordings)
        features["hand-crafted"] = _scale(crafted, windows, scaling)
        forest = make_pipeline(SimpleImputer(keep_empty_features=True), forest)
    statistics = _compute_statistics(windows)
    if statistics is not None:
        features["channel statistics"] = statistics
    for name, X in features.items():
        baselines[name] = clone(probe), X
        if name == "hand-crafted":
            baselines["hand-crafted, forest"] = forest, X
    if len(features) == 2:
        widths = tuple(X.shape[1] for X in features.values())
        joined = np.hstack(list(features.values()))
        baselines[" + ".join(features)] = clone(probe).set_params(widths=widths), joined
    return baselines | _repeat_untrained(candidates, n_seeds)


def _compute_features(windows, recordings):
    """Return the hand-crafted features of windows, at the rates of the recordings if given."""
    if recordings is None:
        parts = _cut_parts(windows) or [windows.X]
        return np.hstack([_describe(part, windows.sampling_rate) for part in parts])
    features = [_compute_recorded(windows, recordings, (0.0, 0.0))]
    if any(windows.context):
        features.append(_compute_recorded(windows, recordings, windows.context))
    return np.hstack(features)


def _compute_recorded(windows, recordings, context):
    """Return the hand-crafted features of the recorded signals of windows."""
    rows, parts = [], []
    for chosen, signals, rates in cut_from_recordings(windows, recordings, context):
        names = [name for name in windows.X if name in signals]
        if not names:
            raise ValueError(
                f"Recordings must have one of the modalities {', '.join(windows.X)}, got "
                f"{', '.join(signals)} for {windows.groups[chosen[0]]!r}."
            )
        rows.append(chosen)
        parts.append(_describe({name: signals[name] for name in names}, rates))
    widths = {part.shape[1] for part in parts}
    if len(widths) > 1:
        raise ValueError(f"All recordings must have the same signals, got features: {widths}.")
    features = np.empty((len(windows), *widths))
    features[np.concatenate(rows)] = np.concatenate(parts)
    return features


def _describe(signals, rates):
    """Return the features of windows; those of one modality only, where its rate allows."""
    from ..features import LOWEST_RATES, HandcraftedFeatures  # imports neurokit2

    specific = [name for name, low in LOWEST_RATES.items() if rates.get(name, 0) >= low]
    return HandcraftedFeatures(rates, specific=tuple(specific)).fit_transform(signals)


def _compute_statistics(windows):
    """Return the statistics of each channel of windows, a table of features as it is, or None."""
    from ..features import ChannelStatistics

    if parts := _cut_parts(windows):
        return np.hstack([ChannelStatistics().fit_transform(part) for part in parts])
    X = windows.X
    if isinstance(X, SignalDict) or np.ndim(X) == 3:
        return ChannelStatistics().fit_transform(X)
    is_table = isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "biuf"
    return X if is_table else None


def _cut_parts(windows):
    """Return windows without their context, and with it; None if they have none."""
    if not any(windows.context):
        return None
    start, rates = windows.context[0], windows.sampling_rate
    n_times = count_samples(windows.duration, rates)
    first = {name: round(start * rate) for name, rate in rates.items()}
    inner = {name: x[..., first[name] :][..., : n_times[name]] for name, x in windows.X.items()}
    return [SignalDict(inner), windows.X]


def _scale(features, windows, scaling):
    """Return z-scores over the windows of each recording or subject; constant columns are 0."""
    if scaling is None:
        return features
    is_past = scaling == "past"
    if is_past and windows.onset is None:
        raise ValueError("scaling='past' needs the onset of each window.")
    add = partial(np.cumsum, axis=0) if is_past else partial(np.sum, axis=0, keepdims=True)
    together = windows.groups.astype(object)
    if scaling != "subject" and windows.recording is not None:
        together = together + "/" + windows.recording.astype(str)
    scaled = np.empty_like(features)
    for name in np.unique(together.astype(str)):
        rows = np.flatnonzero(together == name)
        if is_past:
            rows = rows[np.argsort(windows.onset[rows], kind="stable")]
        some = features[rows]
        known = ~np.isnan(some)
        filled = np.where(known, some, 0)
        count, total, squares = (add(x) for x in (known, filled, filled**2))
        count = np.maximum(count, 1)
        mean = total / count
        variance = np.maximum(squares / count - mean**2, 0)
        std = np.sqrt(np.where(variance > 1e-12 * mean**2, variance, 0))
        scaled[rows] = np.where(std > 0, (some - mean) / np.where(std > 0, std, 1), 0 * some)
    return scaled


def _repeat_untrained(candidates, n_seeds):
    """Return each model that begins with an encoder, with random weights of several seeds."""
    untrained, seen = {}, set()
    for candidate in candidates:
        place = find_encoder(candidate.estimator)
        if place is None:
            continue
        name, step = candidate.estimator.steps[place]
        encoder = getattr(step, "estimator", step)
        if id(encoder) in seen or not hasattr(encoder, "untrained"):
            continue
        seen.add(id(encoder))
        several = []
        for seed in range(n_seeds):
            if isinstance(step, FrozenEstimator):
                start = FrozenEstimator(encoder.untrained(seed))
            else:
                start = clone(encoder).set_params(max_epochs=0, random_state=seed)
            steps = list(candidate.estimator.steps)
            steps[place] = (name, start)
            model = Pipeline(steps)
            several.append(model if candidate.X is None else (model, candidate.X))
        untrained[f"{candidate.name}, untrained"] = several
    return untrained

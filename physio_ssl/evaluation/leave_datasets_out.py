"""leave_datasets_out: a study that tests models on data sets that they have not seen."""

from collections.abc import Mapping
from dataclasses import replace

from sklearn.model_selection import PredefinedSplit

from ..containers import as_recordings
from ..leakage.audit import require_windows
from ..windows import concatenate_windows
from .candidates import list_candidates, predict_numbers
from .engine import run_study
from .fold import Draw, derive_seed
from .study import StudySettings


def leave_datasets_out(models, datasets, *, recordings=None, **settings):
    """Test models on each data set, trained on all people of the others.

    Another study has another device, protocol and people. A score that holds there is no habit
    of one study.

    Parameters
    ----------
    models : mapping from str to estimator, or estimator
        As in ``leave_subjects_out``. The rows of a model's own input are those of the data sets,
        one after the other.
    datasets : mapping from str to Windows
        Windows of each data set, at least two, with the same modalities, channels, rates,
        duration, scaling and, for classifiers, classes. Rename the labels of each first, so that
        one name means the same in all.
    recordings : mapping from str to list of Recording, default=None
        The recordings of each data set as read, by the same names, for the hand-crafted
        features among the baselines, as in ``make_baselines``. None takes the windows' signals.
    **settings
        Those of ``leave_subjects_out`` except ``cv``, with the same defaults.

    Returns
    -------
    StudyResults
        A record per model and subject, who is called ``"data set/subject"``, with the condition
        ``dataset``, the one held out: ``summary`` has a row for each of them.

    Raises
    ------
    LeakageError
        If the audit finds a leak, e.g. a frozen encoder that was pre-trained on people of a
        data set.
    TypeError, ValueError, RuntimeError
        As ``leave_subjects_out``; also if the data sets differ in what must be the same.

    See Also
    --------
    leave_subjects_out : Test models on people of the same data set.
    physio_ssl.concatenate_windows : How the windows are joined.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from physio_ssl import ChannelStatistics, StageLabels, make_windows
    >>> from physio_ssl.datasets import simulate_wristband
    >>> from physio_ssl.evaluation import leave_datasets_out
    >>> datasets = {}
    >>> for seed, name in enumerate(("winter", "summer")):
    ...     people = simulate_wristband(3, signals=("eda", "temp"), random_state=seed)
    ...     labels = StageLabels({"rest": 0, "stress": 1})
    ...     datasets[name] = make_windows(people, 60, labels=labels)
    >>> model = make_pipeline(ChannelStatistics(), LogisticRegression(max_iter=10_000))
    >>> leave_datasets_out(model, datasets, baselines=False)
    StudyResults(1 estimators, 6 subjects, dataset: winter, summer; leak_free)
    """
    if not isinstance(datasets, Mapping) or len(datasets) < 2:
        found = list(datasets) if isinstance(datasets, Mapping) else type(datasets).__name__
        raise ValueError(f"datasets must be a mapping of two or more Windows, got {found}.")
    for one in datasets.values():
        require_windows(one)
    windows = concatenate_windows(datasets)
    names = windows.info["corpus"].tolist()
    place = {name: i for i, name in enumerate(datasets)}
    if recordings is not None:
        recordings = _join_recordings(datasets, recordings)
    held_out = PredefinedSplit([place[name] for name in names])
    settings = StudySettings(cv=held_out, recordings=recordings, **settings)
    if not predict_numbers(list_candidates(models, len(windows))):
        _check_classes(datasets, settings.targets or ["label"])

    def draw_labels(windows, train, test, fold, random_state):
        return [Draw(train, {"dataset": names[test[0]]}, derive_seed(random_state, fold, 0))]

    results = run_study(models, windows, settings, draw_labels)
    return replace(results, protocol=results.protocol | {"cv": "leave one data set out"})


def _check_classes(datasets, targets):
    """Raise unless all data sets have the same classes."""
    for target in targets:
        classes = {}
        for name, windows in datasets.items():
            if target not in windows.info:
                found = ", ".join(windows.info)
                raise ValueError(f"Data set {name!r} must have the column {target!r}, got {found}.")
            classes[name] = sorted(windows.info[target].dropna().unique().tolist(), key=str)
        if len(set(map(tuple, classes.values()))) > 1:
            raise ValueError(f"All data sets must have the same classes in {target!r}: {classes}.")


def _join_recordings(datasets, recordings):
    """Return the recordings of all data sets, in the order in which joined windows number them."""
    if not isinstance(recordings, Mapping) or set(recordings) != set(datasets):
        found = list(recordings) if isinstance(recordings, Mapping) else type(recordings).__name__
        raise ValueError(f"recordings must have the names {', '.join(datasets)}, got {found}.")
    joined = []
    for name, windows in datasets.items():
        own = as_recordings(recordings[name])
        if windows.recording is None or windows.recording.max() >= len(own):
            raise ValueError(
                f"Windows of {name!r} must come from the {len(own)} recordings given, got "
                f"recording {None if windows.recording is None else windows.recording.max()}."
            )
        joined += own[: windows.recording.max() + 1]
    return joined

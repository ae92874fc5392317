"""Recordings from MNE's Raw, and back; MNE's units are those of the SI."""

from datetime import UTC, datetime
from importlib import import_module

import numpy as np

from .._check import check_kind
from .._units import get_factor
from ._columns import find_runs, group_columns, name_channels

_SKIP = "BAD_ACQ_SKIP"  # MNE's name of what was not recorded
# A word in a modality's name, MNE's type of its channels, and our unit in that of the type.
_TYPES = {
    "ecg": ("ecg", get_factor("mV", "V")),
    "eda": ("gsr", get_factor("uS", "S")),
    "eeg": ("eeg", get_factor("uV", "V")),
    "emg": ("emg", get_factor("mV", "V")),
    "eog": ("eog", get_factor("uV", "V")),
    "resp": ("resp", 1.0),
    "temp": ("temperature", 1.0),
}
_UNITS = dict(_TYPES.values())
_NO_SIGNALS = ("stim", "exci", "ias", "syst")


def _import_mne():
    """Import MNE, or say how to install it."""
    try:
        return import_module("mne")
    except ImportError as error:
        raise ImportError('A Raw needs MNE: pip install "physio_ssl[mne]".') from error


def from_mne(cls, raw, subject=None, channels=None, *, picks=None):
    """Make a recording of an MNE Raw.

    Parameters
    ----------
    raw : mne.io.Raw
        Continuous data, of one sampling rate.
    subject : str, default=None
        Who was recorded; None for ``raw.info["subject_info"]["his_id"]``.
    channels : mapping from str to str or list of str, default=None
        Channel of each modality, or several: ``{"eda": "GSR", "eeg": ["Fp1", "Fp2"]}``. None makes
        each channel a modality of its own.
    picks : str or list of str, default=None
        Channels to take without ``channels``, as in ``raw.pick``; None for all but those of
        stimuli and of the system.

    Returns
    -------
    Recording
        Signals as float64: ECG and EMG in mV, EDA in microsiemens, EEG and EOG in microvolts,
        other types in MNE's units, such as degrees Celsius. Spans that MNE marks as
        ``BAD_ACQ_SKIP`` are gaps of NaN. Other annotations are kept, with those that start with
        ``BAD``. The measurement date gives ``start_time``.

    Raises
    ------
    ImportError
        If MNE is not installed.
    TypeError, ValueError
        If ``raw`` is no Raw, ``subject`` is not known, or a channel is missing or no identifier.

    See Also
    --------
    Recording.to_mne
    """
    mne = _import_mne()
    check_kind(raw, "raw", mne.io.BaseRaw, "an MNE Raw")
    if subject is None and not (subject := (raw.info["subject_info"] or {}).get("his_id")):
        raise ValueError(f"subject must be given, as the Raw names none, got {subject!r}.")
    kinds = dict(zip(raw.ch_names, raw.get_channel_types(), strict=True))
    default = [name for name, kind in kinds.items() if kind not in _NO_SIGNALS]
    if picks is not None and channels is None:
        default = raw.copy().pick(picks).ch_names
    groups = group_columns(channels, raw.ch_names, default, "channels")
    rate = raw.info["sfreq"]
    onset = raw.annotations.onset - raw.first_time
    description = np.array([str(text) for text in raw.annotations.description], dtype=str)
    is_skip = np.char.upper(description) == _SKIP
    signals = {}
    for modality, names in groups.items():
        # By number, as a name such as "ecg" is a type to MNE, too.
        signal = raw.get_data([raw.ch_names.index(name) for name in names])
        for i, name in enumerate(names):
            signal[i] /= _UNITS.get(kinds[name], 1.0)
            for j in np.flatnonzero(is_skip):
                if name in (raw.annotations.ch_names[j] or [name]):
                    stop = onset[j] + raw.annotations.duration[j]
                    signal[i, max(round(onset[j] * rate), 0) : round(stop * rate)] = np.nan
        signals[modality] = signal
    events = {
        "onset": onset[~is_skip],
        "duration": raw.annotations.duration[~is_skip],
        "description": description[~is_skip],
    }
    date = raw.info["meas_date"]
    return cls(
        signals,
        dict.fromkeys(signals, rate),
        subject,
        events if len(events["onset"]) else None,
        None if date is None else date.timestamp() + raw.first_time,
    )


def _find_gaps(missing, rate):
    """Yield onset and duration of the stretches in which the same channels are missing."""
    bounds = find_runs(missing.T)
    for first, last in zip(bounds[:-1], bounds[1:], strict=True):
        if missing[:, first].any():
            yield first / rate, (last - first) / rate, missing[:, first]


def _make_raw(mne, recording, groups):
    """Return signals of one rate as a Raw, as long as the longest."""
    rate = recording.sampling_rate[next(iter(groups))]
    n_times = max(recording.signals[name].shape[-1] for name in groups)
    names = [name for channels in groups.values() for name in channels]
    data, kinds = np.full((len(names), n_times), np.nan), []
    for modality, channels in groups.items():
        word = next((word for word in modality.split("_") if word in _TYPES), None)
        kind, unit = _TYPES.get(word, ("misc", 1.0))
        signal = recording.signals[modality][0]
        rows = slice(len(kinds), len(kinds) + len(channels))
        data[rows, : signal.shape[-1]] = signal * unit
        kinds += [kind] * len(channels)
    events = recording.annotations or {}
    rows = [] if "time" in events else list(zip(*events.values(), strict=True))
    rows = [(*row, []) for row in rows]
    for onset, duration, missing in _find_gaps(np.isnan(data), rate):
        absent = [] if missing.all() else list(np.array(names)[missing])
        rows.append((onset, duration, _SKIP, absent))
    raw = mne.io.RawArray(
        np.nan_to_num(data, copy=False), mne.create_info(names, rate, kinds), verbose="error"
    )
    if recording.start_time is not None:
        raw.set_meas_date(datetime.fromtimestamp(recording.start_time, UTC))
    raw.info["subject_info"] = {"his_id": recording.subject}
    onset, duration, description, ch_names = zip(*rows, strict=True) if rows else ([], [], [], [])
    date = raw.info["meas_date"]
    return raw.set_annotations(
        mne.Annotations(onset, duration, description, date, ch_names=ch_names or None)
    )


def to_mne(self, channels=None):
    """Return the signals as an MNE Raw, or one for each modality.

    Parameters
    ----------
    channels : mapping from str to str or list of str, default=None
        Names of the channel of each modality, or of several. Other modalities are left out. None
        takes all of them; channels of ``acc`` with three are ``acc_0``, ``acc_1`` and ``acc_2``.

    Returns
    -------
    mne.io.RawArray or dict from str to mne.io.RawArray
        One Raw if all signals have one sampling rate, otherwise one for each modality. Units are
        MNE's: volts of ``ecg`` and ``emg`` (from mV), ``eeg`` and ``eog`` (from microvolts),
        siemens of ``eda`` (from microsiemens), degrees Celsius of ``temp``. The type of a channel
        follows from such a word in the modality's name, as in ``chest_ecg``; others are of type
        "misc", unchanged. Gaps are 0, annotated as ``BAD_ACQ_SKIP`` of their channels. Ratings
        and metadata are left out.

    Raises
    ------
    ImportError
        If MNE is not installed.
    ValueError
        If ``channels`` does not fit the signals, or two have one name.

    See Also
    --------
    Recording.from_mne
    """
    mne = _import_mne()
    groups = name_channels(self, channels, "channels")
    if len({self.sampling_rate[name] for name in groups}) == 1:
        return _make_raw(mne, self, groups)
    return {name: _make_raw(mne, self, {name: groups[name]}) for name in groups}

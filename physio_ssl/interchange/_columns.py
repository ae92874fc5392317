"""What frames and raws share: which columns make a modality, and runs of equal values."""

import numpy as np

from .._check import check_groups


def group_columns(columns, names, default, what="columns"):
    """Map each modality to the list of its columns, all of them among ``names``.

    ``columns`` maps a modality to one name or several; None makes one modality of each default.
    """
    groups = {name: [name] for name in default} if columns is None else check_groups(columns, what)
    missing = [name for group in groups.values() for name in group if name not in set(names)]
    if missing:
        raise ValueError(
            f"{what} must be of {', '.join(map(str, names))}, got {', '.join(map(str, missing))}."
        )
    if wrong := [key for key in groups if not (isinstance(key, str) and key.isidentifier())]:
        raise ValueError(
            f"A modality's name must be an identifier, got {wrong[0]!r}: name it, for example "
            f'{what}={{"eda": {wrong[0]!r}}}.'
        )
    return groups


def name_channels(recording, columns, what="columns"):
    """Map each modality, all of them or those of ``columns``, to the names of its channels."""
    channels = {}
    for name, signal in recording.signals.items():
        several = [f"{name}_{i}" for i in range(signal.shape[1])]
        channels[name] = [name] if len(several) == 1 else several
    chosen = channels if columns is None else check_groups(columns, what)
    for name, group in chosen.items():
        if len(group) != len(channels.get(name, ())):
            counts = ", ".join(f"{key}: {len(group)}" for key, group in channels.items())
            raise ValueError(
                f"{what} must have a name for each channel, {counts}, got {name}: {group}."
            )
    names = [name for group in chosen.values() for name in group]
    if len(set(names)) < len(names):
        raise ValueError(f"{what} must have different names, got {', '.join(map(str, names))}.")
    return chosen


def find_runs(values):
    """Return the bounds of runs of equal values, or equal rows: each start, and the last end."""
    changes = (values[1:] != values[:-1]).reshape(len(values) - 1, -1).any(axis=1)
    return np.flatnonzero(np.concatenate([[True], changes, [True]]))

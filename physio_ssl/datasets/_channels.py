"""Which of a file's channels belong to which modality."""

from collections.abc import Mapping

from .._check import check_groups
from ._common import name_modalities
from .reading import choose_signals


def choose_channels(names, signals, path):
    """Map modalities to the indices of their channels in a file.

    Parameters
    ----------
    names : list of str
        Names of the file's channels.
    signals : None, sequence of str or mapping from str to str or list of str
        None makes a modality of each channel, whose name is the channel's in lower case. A sequence
        has some of these modalities, a mapping the names of each modality's channels.
    path : str or path-like
        The file, for messages.
    """
    if not isinstance(signals, Mapping):
        known = dict(zip(name_modalities(names, path), names, strict=True))
        signals = {modality: known[modality] for modality in choose_signals(signals, known)}
    chosen = {}
    for modality, wanted in check_groups(signals, "signals").items():
        if any(names.count(name) != 1 for name in wanted):
            raise ValueError(
                f"{path} must have each signal of {modality!r} once, {wanted}, got "
                f"{names[:60]}. Leave {modality!r} out of signals."
            )
        chosen[modality] = [names.index(name) for name in wanted]
    return chosen

"""What WESAD and PPG-DaLiA, of the same authors, share: their signals, pickles and sources."""

import numpy as np

from ._array_pickle import load_array_pickle
from ._common import list_names
from ._plausible import check_samples

_CHEST_RATE = 700  # Hz


def list_signals(*chest):
    """Map signals to their device, name in a pickle and sampling rate in Hz."""
    return {
        "bvp": ("wrist", "BVP", 64),
        "eda": ("wrist", "EDA", 4),
        "temp": ("wrist", "TEMP", 4),
        "acc": ("wrist", "ACC", 32),
        **{f"chest_{key.lower()}": ("chest", key, _CHEST_RATE) for key in chest},
    }


def load_pickle(folder, what, keys):
    """Return the path of a subject's pickle, and the dict in it, which must have some keys."""
    path = folder / f"{folder.name}.pkl"
    content = load_array_pickle(path, f"a pickle of {what}")
    if not isinstance(content, dict) or not {*keys} <= content.keys():
        found = list_names(map(str, content), 10) if isinstance(content, dict) else type(content)
        raise ValueError(f"{path} must hold a dict with {list_names(keys)}, got {found}.")
    if (subject := str(content.get("subject", folder.name))) != folder.name:
        raise ValueError(f"{path} must be of the subject {folder.name}, got {subject!r} in it.")
    return path, content


def read_pickled_signals(content, chosen, path, *, duration, tolerance, acc_units_per_g=1):
    """Return the chosen signals, of ``list_signals``, which last so many seconds.

    Each is of shape (n_channels, n_times). Acceleration of the wrist becomes g.
    """
    samples = {}
    for name, (device, key, rate) in chosen.items():
        try:
            signal = np.asarray(content["signal"][device][key], dtype=np.float32)
        except (KeyError, TypeError):
            place = f"['signal'][{device!r}][{key!r}]"
            raise ValueError(f"{path} must hold {name!r} as {place}.") from None
        signal = signal.reshape(len(signal), -1).T
        if abs((found := signal.shape[1] / rate) - duration) > tolerance:
            raise ValueError(
                f"{name!r} of {path} must be as long as its labels, {duration:.1f} s, got "
                f"{found:.1f} s."
            )
        if not np.isfinite(signal).all():
            raise ValueError(f"{path} must hold finite samples, got NaN or infinity in {name!r}.")
        samples[name] = signal / np.float32(acc_units_per_g) if name == "acc" else signal
        if device == "wrist":
            check_samples(samples[name], name, path)
    return samples


def check_wrist(signals, folder):
    """Raise if a signal is of the chest, which the exports of the wristband do not have."""
    if on_chest := [name for name in signals if name.startswith("chest_")]:
        pickle = f"{folder.name}.pkl"
        raise ValueError(f"{list_names(on_chest)} must be read from {pickle}, got {folder}.")


def choose_source(folder, source, sources):
    """Return the function of the first source of a subject, a file, that is there."""
    files = {
        folder / file.format(folder.name): load
        for key, (file, load) in sources.items()
        if source in ("auto", key)
    }
    for file, load in files.items():
        if file.exists():
            return load
    names = " or ".join(file.name for file in files)
    raise ValueError(f"{folder} must hold {names} for source={source!r}, got none.")

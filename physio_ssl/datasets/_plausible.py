"""What can be: the rates and values of an Empatica E4, and the ratings of a scale."""

import warnings
from typing import NamedTuple

import numpy as np


class _Limits(NamedTuple):
    """What an E4 writes of one signal."""

    rate: float  # Hz
    low: float
    high: float
    unit: str


# EDA, temperature and acceleration: the widest ranges of the device. The others are wider than
# what 119 sessions hold, -3067 to 3111 for the BVP, but narrower than the sentinel -9999.
_E4 = {
    "bvp": _Limits(64, -9000, 9000, "units"),
    "eda": _Limits(4, 0, 100, "microsiemens"),
    "temp": _Limits(4, -40, 115, "degrees Celsius"),
    "acc": _Limits(32, -8, 8, "g"),
    "hr": _Limits(1, 20, 250, "beats per minute"),
}
_SENTINEL = (382, 383)  # degrees C, which the thermometer reports until it has settled
_HIGHEST_EDA, _LOWEST_TEMPERATURE = 20, 15  # usual medians of a session, in the units above
_SHORTEST = 10  # s: by chance, a shorter signal may have one sign or two equal halves


def warn_of_ratings(ratings, scales, place):
    """Warn if ratings, by scale, are outside the lowest and highest value of its scale."""
    for name, values in ratings.items():
        low, high = scales.get(name, (-np.inf, np.inf))
        values = np.ravel(values)
        outside = values[(values < low) | (values > high)]  # NaN is neither
        if outside.size:
            warnings.warn(
                f"{name} in {place} should be from {low} to {high}, got {outside[0]:g}.",
                stacklevel=4,
            )


def is_sentinel(temperature):
    """Return where a thermometer that has not settled reports its sentinel."""
    low, high = _SENTINEL
    return (temperature >= low) & (temperature <= high)


def check_e4_rate(rate, name, file):
    """Raise if an E4 does not measure a signal at this rate."""
    if rate != _E4[name].rate:
        raise ValueError(
            f"{file} must be sampled at {_E4[name].rate} Hz, as an E4 does, got {rate:g} Hz."
        )


def check_samples(samples, name, file):
    """Raise if an E4 cannot have measured samples, of shape (n_channels, n_times).

    Samples that are there twice are a warning: one of 119 published sessions is such a file.
    """
    rate, low, high, unit = _E4[name]
    outside = (samples < low) | (samples > high)
    if name == "temp":
        outside &= ~is_sentinel(samples)
    if outside.any():
        n_times, first = outside.any(axis=0).sum(), outside.any(axis=0).argmax()
        value = samples[:, first][outside[:, first]][0]
        raise ValueError(
            f"{file} must lie within {low} to {high} {unit} for {name!r}, got {n_times} sample(s) "
            f"outside, the first {value:g} at index {first}."
        )
    if samples.shape[-1] < _SHORTEST * rate:
        return
    if name == "bvp" and samples.any() and not samples.min() < 0 < samples.max():
        raise ValueError(
            f"{file} must swing around 0 for 'bvp', got {samples.min():g} to {samples.max():g}: it "
            "may hold another signal."
        )
    for n_header in (0, 2):  # the rows between both halves
        half, odd = divmod(samples.shape[-1] - n_header, 2)
        first, second = samples[:, :half], samples[:, half + n_header :]
        if not odd and np.ptp(first) and np.array_equal(first, second):
            warnings.warn(
                f"{file} should be written once, got the same {half} samples twice in a row.",
                stacklevel=5,
            )


def check_exchange(samples, session):
    """Raise if EDA and temperature are exchanged, or warn if one has the values of the other."""
    medians = {name: np.median(samples[name]) for name in ("eda", "temp") if name in samples}
    high, low = medians.get("eda", 0) > _HIGHEST_EDA, medians.get("temp", 99) < _LOWEST_TEMPERATURE
    message = (
        f"{session} should have a median EDA of at most {_HIGHEST_EDA} microsiemens and a median "
        f"temperature of at least {_LOWEST_TEMPERATURE} degrees Celsius, got "
        f"{', '.join(f'{median:g} ({name})' for name, median in medians.items())}"
    )
    if high and low:
        raise ValueError(f"{message}: EDA.csv and TEMP.csv are exchanged.")
    if high or low:
        warnings.warn(f"{message}: check that no file holds another signal.", stacklevel=4)

"""Statistics of any signal, and its slope."""

import numpy as np

STATISTICS = (
    "mean",
    "std",
    "min",
    "max",
    "skewness",
    "kurtosis",
    "slope",
    "mean_abs_change",
)


def slope(X, sampling_rate):
    """Return the least-squares slope per second along the last axis, 0 for one sample."""
    times = (np.arange(X.shape[-1]) - (X.shape[-1] - 1) / 2) / sampling_rate
    # a sum and not a matrix product: BLAS rounds a row differently in another batch
    return (X * times).sum(axis=-1) / max((times**2).sum(), np.finfo(float).tiny)


def compute_statistics(X, sampling_rate):
    """Return the statistics of each channel: (..., n_times) to (..., n_statistics)."""
    low, high = X.min(axis=-1), X.max(axis=-1)
    constant = low == high
    # rounding would leave a constant window a spread of about 1e-16, and any skewness
    mean = np.where(constant, low, X.mean(axis=-1))
    centred = X - mean[..., np.newaxis]
    std = np.sqrt((centred**2).mean(axis=-1))
    scores = centred / np.where(std > 0, std, 1)[..., np.newaxis]
    squares = scores**2
    skewness = (squares * scores).mean(axis=-1)
    kurtosis = np.where(std > 0, (squares**2).mean(axis=-1) - 3, 0)
    change = np.abs(np.diff(X, axis=-1)).sum(axis=-1) / max(X.shape[-1] - 1, 1)
    return np.stack(
        [
            mean,
            std,
            low,
            high,
            skewness,
            kurtosis,
            slope(centred, sampling_rate),
            change * sampling_rate,
        ],
        axis=-1,
    )

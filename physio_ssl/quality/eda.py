"""Find the samples of skin conductance that no skin under a worn sensor gives."""

import numpy as np
from scipy.ndimage import maximum_filter1d

from .._check import check_number, check_positive, check_sampling_rate, check_windows

EDA_RANGE = (0.05, 60.0)  # microsiemens
SKIN_TEMPERATURES = (30.0, 40.0)  # degrees Celsius


def find_poor_eda(X, sampling_rate, *, temp=None, max_slope=10.0, reach=5.0):
    """Find the samples of skin conductance that are no measurement, and say why.

    The rules are those of Kleckner et al. (2018), with their thresholds, on the signal as it is.
    Gaps, which are samples of NaN, break no rule; what lies next to them is kept.

    Parameters
    ----------
    X : array-like of shape (n_windows, n_channels, n_times) or (n_windows, n_times)
        Skin conductance as recorded, in microsiemens.
    sampling_rate : float
        Sampling rate of ``X``, in Hz.
    temp : array-like of the shape of ``X``, default=None
        Skin temperature at the same times, in degrees Celsius; None leaves its rule out.
    max_slope : float, default=10.0
        Largest change from one sample to the next, in microsiemens per second.
    reach : float, default=5.0
        Time before and after a sample that breaks a rule which is poor, too, in seconds; 0 for
        none.

    Returns
    -------
    dict from str to ndarray of bool, of the shape of ``X``
        Which samples are ``"out of range"``, not within 0.05-60 microsiemens, ``"too steep"``,
        ``"not worn"``, with a skin temperature outside 30-40 degrees Celsius, or ``"near"`` one
        of these. A sample may have several of the first three.

    Raises
    ------
    TypeError, ValueError
        If a threshold is out of range, or ``temp`` has another shape.

    See Also
    --------
    measure_quality : Grade all signals of a recording, second by second.

    References
    ----------
    Kleckner et al. (2018), IEEE Transactions on Biomedical Engineering 65(7), 1460-1467.

    Examples
    --------
    >>> from physio_ssl.quality import find_poor_eda
    >>> find_poor_eda([[0.01, 0.6, 0.7, 4.9, 4.8]], 4, reach=0)["too steep"]
    array([[False, False, False,  True, False]])
    """
    sampling_rate = check_sampling_rate(sampling_rate)
    X = check_windows(X, allow_nan=True)
    reach = check_number(reach, "reach", 0, 1e9, "a number of seconds, at least 0")
    steepest = check_positive(max_slope, "max_slope") / sampling_rate
    low, high = EDA_RANGE
    steep = np.abs(np.diff(X, axis=-1, prepend=X[..., :1])) > steepest
    found = {"out of range": (X < low) | (X > high), "too steep": steep}
    found["not worn"] = np.zeros(X.shape, dtype=bool)
    if temp is not None:
        temp = check_windows(temp, allow_nan=True)
        if temp.shape != X.shape:
            raise ValueError(f"temp must have the shape of X, {X.shape}, got {temp.shape}.")
        found["not worn"] = (temp < SKIN_TEMPERATURES[0]) | (temp > SKIN_TEMPERATURES[1])
    broken = np.any(list(found.values()), axis=0)
    n_times = min(round(reach * sampling_rate), X.shape[-1])
    found["near"] = maximum_filter1d(broken, 2 * n_times + 1, axis=-1) & ~broken
    return found

"""Features of the modality eda."""

import numpy as np
from scipy.signal import find_peaks

from ._filter import filter_as_neurokit
from ._summary import slope

SKIN_CONDUCTANCE = (
    "tonic_mean",
    "tonic_slope",
    "phasic_std",
    "n_scrs",
    "scr_amplitude",
)


def skin_conductance_features(X, sampling_rate, missing, min_scr_amplitude):
    """Return tonic and phasic features: (..., n_times) to (..., n_features)."""
    tonic = filter_as_neurokit(X, 0.05, "lowpass", sampling_rate)
    phasic = filter_as_neurokit(X, 0.05, "highpass", sampling_rate)
    responses = np.zeros((*X.shape[:-1], 2))  # their number and mean amplitude
    for row in np.ndindex(X.shape[:-1]):
        _, found = find_peaks(phasic[row], prominence=min_scr_amplitude)
        if len(found["prominences"]):
            responses[row] = len(found["prominences"]), found["prominences"].mean()
    levels = (tonic.mean(axis=-1), slope(tonic, sampling_rate), phasic.std(axis=-1))
    return np.concatenate([np.stack(levels, axis=-1), responses], axis=-1)

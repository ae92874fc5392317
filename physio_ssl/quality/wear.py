"""Tell when a wristband was worn, from the signs of skin that its sensors see."""

import numpy as np
from scipy.ndimage import uniform_filter1d

_MINUTE = 61  # s around each second, in whose majority there must be a pulse


def grade_wear(warm, touching, beating):
    """Return 1 where a wristband was worn, 0 where it was not, and NaN where nothing is known.

    Each sign is an array of shape (n_seconds,), or None without its sensor: whether the
    temperature is that of skin, whether the electrodes touch skin, and whether a pulse is
    found; NaN where there is a gap. The wristband is off where most of the known signs are
    missing: at least two of three, or both of two.
    """
    if beating is not None:  # movement hides the pulse for a while, and noise may look like one
        known = np.isfinite(beating)
        found, n = (uniform_filter1d(x.astype(float), _MINUTE) for x in (beating > 0, known))
        beating = np.where(known, found >= n / 2 - 1e-9, np.nan)  # a running mean may round
    signs = np.array([sign for sign in (warm, touching, beating) if sign is not None])
    n_known = np.isfinite(signs).sum(axis=0)
    wear = 2 * np.nansum(signs > 0, axis=0) >= n_known
    return np.where(n_known > 0, wear, np.nan)

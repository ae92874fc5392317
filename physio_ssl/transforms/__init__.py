"""Signal transforms: pure functions of an array and its random draws, and their estimators.

Wu, Daoudi & Amad (IEEE TAFFC 15(1), 2024), whose parameters are the defaults, use noise, warps,
permutation and crops; Sarkar & Etemad (IEEE TAFFC 2022) scaling, negation and reversal, too.
Random views change each window by another amount, for tasks that do not recognise a transform.
"""

from .amplitude import (
    GaussianNoise,
    MagnitudeWarp,
    Negation,
    Scaling,
    gaussian_noise,
    magnitude_warp,
    negation,
    scaling,
)
from .random_views import (
    CircularShift,
    RandomApply,
    RandomScaling,
    TimeMask,
    circular_shift,
    random_scaling,
    time_mask,
)
from .temporal import (
    CropResize,
    Permutation,
    TimeReverse,
    TimeWarp,
    crop_resize,
    permutation,
    time_reverse,
    time_warp,
)

__all__ = [
    "CircularShift",
    "CropResize",
    "GaussianNoise",
    "MagnitudeWarp",
    "Negation",
    "Permutation",
    "RandomApply",
    "RandomScaling",
    "Scaling",
    "TimeMask",
    "TimeReverse",
    "TimeWarp",
    "circular_shift",
    "crop_resize",
    "gaussian_noise",
    "magnitude_warp",
    "negation",
    "permutation",
    "random_scaling",
    "scaling",
    "time_mask",
    "time_reverse",
    "time_warp",
]

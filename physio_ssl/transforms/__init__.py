"""Signal transforms: pure functions of an array and its random draws, and their estimators.

Wu, Daoudi & Amad (IEEE TAFFC 15(1), 2024), whose parameters are the defaults, use noise, warps,
permutation and crops; Sarkar & Etemad (IEEE TAFFC 2022) scaling, negation and reversal, too.
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
    "CropResize",
    "GaussianNoise",
    "MagnitudeWarp",
    "Negation",
    "Permutation",
    "Scaling",
    "TimeReverse",
    "TimeWarp",
    "crop_resize",
    "gaussian_noise",
    "magnitude_warp",
    "negation",
    "permutation",
    "scaling",
    "time_reverse",
    "time_warp",
]

"""Signal transforms: pure functions of an array and its random draws, and their estimators.

The five of Wu, Daoudi & Amad (IEEE TAFFC 2023), with their parameters as defaults:
``gaussian_noise``, ``permutation``, ``time_warp``, ``crop_resize``, ``magnitude_warp``; and
three more of Sarkar & Etemad (IEEE TAFFC 2022): ``scaling``, ``negation``, ``time_reverse``.
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

"""Training of networks with skorch: data, models, schedules and the base of both nets."""

from .data import EvenBatches, WindowDataset
from .models import ClassificationModel, measure_scale
from .net import WindowNet, add_groups, never
from .pretraining import PretrainingNet, check_preprocessor
from .schedule import WarmupDecay

__all__ = [
    "ClassificationModel",
    "EvenBatches",
    "PretrainingNet",
    "WarmupDecay",
    "WindowDataset",
    "WindowNet",
    "add_groups",
    "check_preprocessor",
    "measure_scale",
    "never",
]

"""Pretext tasks: what a network is trained on without labels."""

from .base import Pretext, check_pretext
from .masked_prediction import MaskedPrediction
from .multi_task_recognition import MultiTaskRecognition
from .statistics_prediction import StatisticsPrediction
from .transform_recognition import TransformRecognition

__all__ = [
    "MaskedPrediction",
    "MultiTaskRecognition",
    "Pretext",
    "StatisticsPrediction",
    "TransformRecognition",
    "check_pretext",
]

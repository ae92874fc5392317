"""Pretext tasks: what a network is trained on without labels."""

from .base import Pretext, check_pretext
from .combined import Combined
from .feature_prediction import FeaturePrediction
from .masked_prediction import MaskedPrediction
from .multi_task_recognition import MultiTaskRecognition
from .recording_contrast import RecordingContrast
from .statistics_prediction import StatisticsPrediction
from .transform_recognition import TransformRecognition

__all__ = [
    "Combined",
    "FeaturePrediction",
    "MaskedPrediction",
    "MultiTaskRecognition",
    "Pretext",
    "RecordingContrast",
    "StatisticsPrediction",
    "TransformRecognition",
    "check_pretext",
]

"""Pretext tasks: what a network is trained on where there are no labels."""

from .masked_prediction import MaskedPrediction
from .transform_recognition import TransformRecognition

__all__ = ["MaskedPrediction", "TransformRecognition"]

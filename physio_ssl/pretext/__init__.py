"""Pretext tasks: what a network is trained on where there are no labels."""

from .multi_task_recognition import MultiTaskRecognition
from .transform_recognition import TransformRecognition

__all__ = ["MultiTaskRecognition", "TransformRecognition"]

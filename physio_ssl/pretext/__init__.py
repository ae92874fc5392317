"""Pretext tasks: what a network is trained on where there are no labels."""

from .transform_recognition import TransformRecognition

__all__ = ["TransformRecognition"]

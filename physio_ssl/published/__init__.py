"""Settings and weights of published work, a module per paper."""

from . import wu2023

__all__ = ["wu2023"]

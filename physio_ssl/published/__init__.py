"""Settings and weights of published work, a module per paper."""

from . import vazquez2022, wu2023

__all__ = ["vazquez2022", "wu2023"]

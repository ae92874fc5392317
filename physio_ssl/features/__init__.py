"""Hand-crafted features of windows: the baseline that learned embeddings have to beat."""

from .handcrafted import HandcraftedFeatures

__all__ = ["HandcraftedFeatures"]

"""Features of windows without learning: the baselines that learned embeddings have to beat."""

from .channel_statistics import ChannelStatistics
from .handcrafted import HandcraftedFeatures

__all__ = ["ChannelStatistics", "HandcraftedFeatures"]

"""Features of windows without learning: the baselines that learned embeddings have to beat."""

from .channel_statistics import ChannelStatistics
from .handcrafted import LOWEST_RATES, HandcraftedFeatures

__all__ = ["LOWEST_RATES", "ChannelStatistics", "HandcraftedFeatures"]

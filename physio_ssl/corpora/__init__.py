"""Put the windows of many corpora together, in memory or in files, and weigh the corpora."""

from ._concatenate import concatenate_windows
from ._files import open_windows
from ._weights import corpus_weights

__all__ = ["concatenate_windows", "corpus_weights", "open_windows"]

"""Save and load encoders, without running code that a file may hold."""

from ._encoder_file import load_encoder, save_encoder
from ._wer_ssl import load_wer_ssl_checkpoint
from .resumable import fit_resumable

__all__ = ["fit_resumable", "load_encoder", "load_wer_ssl_checkpoint", "save_encoder"]

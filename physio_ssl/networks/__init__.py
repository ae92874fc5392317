"""Networks: PyTorch modules that map signals to tokens and tokens to an embedding."""

from .multimodal_transformer import MultimodalTransformer

__all__ = ["MultimodalTransformer"]

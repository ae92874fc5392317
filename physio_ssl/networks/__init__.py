"""Networks: PyTorch modules that map signals to tokens and tokens to an embedding."""

from .base import TokenNetwork, check_network
from .classification_head import ClassificationHead
from .conv_encoder import ConvEncoder
from .ecg_transformer import ECGTransformer
from .multimodal_transformer import MultimodalTransformer
from .resnet1d import ResNet1d

__all__ = [
    "ClassificationHead",
    "ConvEncoder",
    "ECGTransformer",
    "MultimodalTransformer",
    "ResNet1d",
    "TokenNetwork",
    "check_network",
]

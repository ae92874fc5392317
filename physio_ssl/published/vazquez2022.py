"""Vazquez-Rodriguez et al., "Transformer-based self-supervised learning for emotion recognition".

J. Vazquez-Rodriguez, G. Lefebvre, J. Cumin, J. L. Crowley, "Transformer-based self-supervised
learning for emotion recognition", International Conference on Pattern Recognition (ICPR), 2022.

The code of the paper is not public. Batch sizes are unknown, the other values uncertain.
"""

import torch
from skorch.callbacks import LRScheduler

from ..networks import ECGTransformer
from ..pretext import MaskedPrediction

#: How the encoder is pre-trained: ``SSLEncoder(**PRETRAINING)``. The paper has 500 epochs.
PRETRAINING = {
    "module": ECGTransformer,
    "pretext": MaskedPrediction,
    "optimizer__weight_decay": 5e-3,
    "lr": 1e-3,
    "callbacks__lr_schedule__warmup": 0.06,
    "max_epochs": 500,
}
#: How network and head are fine-tuned: ``SSLClassifier(encoder, **CLASSIFICATION)``. The paper has
#: one output for two classes, which is the same loss as the two outputs here.
CLASSIFICATION = {
    "encoder_lr": None,
    "head__hidden_sizes": (1024, 512),
    "head__dropout": 0.3,
    "head__standardize": False,
    "head__batch_norm": False,
    "optimizer": torch.optim.Adam,
    "optimizer__weight_decay": 1e-5,
    "lr": 1e-4,
    "callbacks": [LRScheduler("StepLR", step_size=45, gamma=0.65)],
    "max_epochs": 100,
    "min_steps": 0,
}

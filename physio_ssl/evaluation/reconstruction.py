"""reconstruct_masked: what an encoder predicts of masked samples, next to interpolation."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from .._check import check_generator


@dataclass(frozen=True, eq=False, repr=False)
class Reconstruction:
    """Masked windows and what was put in place of the masked samples, by modality.

    Attributes
    ----------
    original, predicted, interpolated : dict from str to ndarray
        The windows, of shape (n_windows, n_channels, n_times), in the unit the encoder was given;
        the network's prediction of every sample; and lines across the masked samples.
    mask : dict from str to ndarray of bool, of shape (n_windows, 1, n_times)
        Which samples were masked.

    See Also
    --------
    reconstruct_masked : Make one, with an example.
    """

    original: dict
    predicted: dict
    interpolated: dict
    mask: dict

    @property
    def error(self):
        """Mean squared errors on masked samples: ``network``, ``interpolation``, ``ratio``."""
        errors = {}
        for name, x in self.original.items():
            mask = np.broadcast_to(self.mask[name], x.shape)
            network, lines = (
                float(np.square(values[name][mask] - x[mask], dtype=np.float64).mean())
                for values in (self.predicted, self.interpolated)
            )
            errors[name] = {"network": network, "interpolation": lines, "ratio": network / lines}
        return errors

    def __repr__(self):
        ratios = ", ".join(f"{name}: {e['ratio']:.2f}" for name, e in self.error.items())
        return f"Reconstruction({ratios} times the error of interpolation)"


def reconstruct_masked(encoder, X, random_state=0):
    """Mask windows, and have an encoder predict what was masked.

    Parameters
    ----------
    encoder : SSLEncoder, or FrozenEstimator around one
        Pre-trained on ``MaskedPrediction``.
    X : SignalDict, or array of shape (n_windows, n_channels, n_times)
        Windows, best of recordings that the encoder has not seen.
    random_state : int, RandomState instance or None, default=0
        Seed of the masks.

    Returns
    -------
    Reconstruction
        With the error on masked samples and that of linear interpolation.

    Raises
    ------
    TypeError
        If the encoder was not trained on ``MaskedPrediction``.

    See Also
    --------
    physio_ssl.pretext.MaskedPrediction : The task.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder
    >>> from physio_ssl.evaluation import reconstruct_masked
    >>> from physio_ssl.pretext import MaskedPrediction
    >>> X = np.random.default_rng(0).normal(size=(8, 1, 64))
    >>> encoder = SSLEncoder(
    ...     pretext=MaskedPrediction, max_epochs=1, module__d_model=8, random_state=0
    ... )
    >>> reconstruct_masked(encoder.fit(X), X).mask["signal"].shape
    (8, 1, 64)
    """
    import torch

    from ..pretext import MaskedPrediction
    from ..training import WindowDataset

    encoder = getattr(encoder, "estimator", encoder)
    check_is_fitted(encoder)
    task = getattr(encoder, "pretext_", None)
    if not isinstance(task, MaskedPrediction):
        raise TypeError(f"The pretext must be MaskedPrediction, got {type(task).__name__}.")
    signals, model = encoder.check_windows(X), encoder.module_.eval()
    windows, rng = WindowDataset(signals), check_generator(random_state)
    predicted, masks = [], []
    with torch.inference_mode():
        for rows in gen_batches(len(signals), 64):
            batch, _ = windows[np.arange(rows.start, rows.stop)]
            batch = {name: x.to(encoder.device) for name, x in batch.items()}
            inputs, target = task.make_views(model.scaler(batch), rng)
            outputs = task.reconstruct(model.network, model.heads, inputs)
            predicted.append(model.scaler.inverse(outputs))
            masks.append({name: mask for name, (_, mask) in target.items()})
    predicted, masks = (
        {name: np.concatenate([part[name].cpu().numpy() for part in parts]) for name in signals}
        for parts in (predicted, masks)
    )
    original = {name: np.asarray(signals[name], dtype=np.float32) for name in signals}
    lines = {
        name: _interpolate(x, masks[name], model.scaler.get_buffer(f"center_{name}").cpu().numpy())
        for name, x in original.items()
    }
    return Reconstruction(original, predicted, lines, masks)


def _interpolate(X, mask, center):
    """Put straight lines across masked samples; a whole window gets the center of each channel."""
    times, lines = np.arange(X.shape[-1]), X.copy()
    for window, masked in zip(lines, mask[:, 0], strict=True):
        if masked.all():
            window[:] = center
            continue
        for channel in window:
            channel[masked] = np.interp(times[masked], times[~masked], channel[~masked])
    return lines

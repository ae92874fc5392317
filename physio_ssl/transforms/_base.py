"""The base of the signal transforms: windows in, a changed view of each out."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from .._check import StatelessMixin, check_generator, check_kind, check_windows


def check_shape(X):
    """Return the shape of windows, or raise if it is not (n_windows, n_channels, n_times)."""
    if getattr(X, "ndim", None) != 3:
        raise TypeError(
            f"X must be an array or tensor of shape (n_windows, n_channels, n_times), got {X!r}."
        )
    return tuple(X.shape)


def check_rng(rng):
    """Return a generator, or raise if it is none."""
    check_kind(rng, "rng", np.random.Generator, "a numpy.random.Generator")
    return rng


def check_draws(draws, name, shape, kinds="iu"):
    """Return draws as an array, or raise unless they are numbers of this shape (-1 for any)."""
    draws = np.asarray(draws)
    fits = len(shape) == draws.ndim and all(
        n in (-1, m) for n, m in zip(shape, draws.shape, strict=True)
    )
    if draws.dtype.kind not in kinds or not fits:
        kind = "integers" if kinds == "iu" else "numbers"
        raise ValueError(f"{name} must be {kind} of shape {shape}, got {draws!r}.")
    return draws


class SignalTransform(StatelessMixin, TransformerMixin, BaseEstimator):
    """Base of the signal transforms; a child names its ``_function`` and has its parameters.

    Pretext tasks call ``transform(X, rng=rng)`` with torch tensors on any device.
    """

    def fit(self, X, y=None):
        """Check ``X``; nothing is learned."""
        check_windows(X, self, reset=True)
        return self

    def transform(self, X):
        """Return a changed view of each window of ``X``, of the same shape."""
        X = check_windows(X, self)
        windows = X if X.ndim == 3 else X[:, None]
        rng = check_generator(getattr(self, "random_state", None))
        return self(windows, rng=rng).reshape(X.shape)

    def __call__(self, X, *, rng):
        """Change an array or tensor of shape (n_windows, n_channels, n_times)."""
        # get_params inspects the signature, which takes longer than some transforms.
        params = {k: v for k, v in vars(self).items() if k[0] != "_" and k[-1] != "_"}
        params.pop("random_state", None)
        return self._function(X, **params, rng=rng)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # A window's draw depends on its place in the batch.
        tags.non_deterministic = hasattr(self, "random_state")
        return tags

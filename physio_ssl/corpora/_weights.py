"""How often the windows of each corpus are drawn."""

from numbers import Real

import numpy as np


def corpus_weights(groups, shares=None):
    """Weigh windows so that each corpus has its share of those that are drawn.

    Parameters
    ----------
    groups : array-like of str, of shape (n_windows,)
        Corpus and subject of each window, as of ``concatenate_windows``.
    shares : mapping from str to float, default=None
        Share of each corpus, relative to each other: ``{"cinc2017": 3, "eegmat": 1}`` draws
        three windows of the first for one of the other, however many each has; 0 leaves a
        corpus out. None gives all corpora the same.

    Returns
    -------
    ndarray of float, of shape (n_windows,)
        For ``SSLEncoder.fit(X, groups=groups, sampling_weight=...)``. The mean is 1: a window
        of weight 2 is drawn twice per pass, on average.

    Raises
    ------
    ValueError
        If a group has no corpus, or ``shares`` are not one number that is not negative for
        each of the corpora.

    Examples
    --------
    >>> from physio_ssl import corpus_weights
    >>> corpus_weights(["rest/S1", "rest/S1", "rest/S2", "driving/S1"])
    array([0.66666667, 0.66666667, 0.66666667, 2.        ])
    """
    groups, subject, n_windows = np.unique(groups, return_inverse=True, return_counts=True)
    for group in groups.tolist():
        if not str(group).partition("/")[0] or "/" not in str(group):
            raise ValueError(
                f"Groups must be named 'corpus/subject', as by concatenate_windows, got {group!r}."
            )
    if not len(groups):
        raise ValueError("There must be at least one window, got none.")
    names, corpus = np.unique(
        [str(group).partition("/")[0] for group in groups], return_inverse=True
    )
    names, counts = names.tolist(), np.bincount(corpus, weights=n_windows)
    shares = dict.fromkeys(names, 1) if shares is None else dict(shares)
    good = all(isinstance(n, Real) and np.isfinite(n) and n >= 0 for n in shares.values())
    if set(shares) != set(names) or not good or not sum(shares.values()) > 0:
        raise ValueError(
            f"shares must give each of {', '.join(names)} a finite number, none negative and "
            f"not all 0, got {shares}."
        )
    share = np.array([shares[name] for name in names], dtype=float)
    return (share / share.sum() * n_windows.sum() / counts)[corpus[subject]]

"""How often the windows of each corpus are drawn."""

from numbers import Real

import numpy as np


def corpus_weights(corpus, proportions=None):
    """Weight windows so that each corpus has a given part in the windows that are drawn.

    Parameters
    ----------
    corpus : array-like of str, of shape (n_windows,)
        Name of each window's corpus, ``windows.info["corpus"]`` after ``concatenate_windows``.
    proportions : mapping from str to float, default=None
        How many windows of each corpus to draw, relative to each other:
        ``{"cinc2017": 3, "eegmat": 1}`` draws three windows of the first for one of the second,
        however many each has. 0 leaves a corpus out. None draws equally from all.

    Returns
    -------
    ndarray of float, of shape (n_windows,)
        For ``SSLEncoder.fit(X, groups=groups, sampling_weight=...)``. The mean is 1: a window
        of weight 2 is drawn twice per epoch, on average.

    Raises
    ------
    ValueError
        If ``corpus`` is empty or holds anything but corpora's names, or ``proportions`` do not
        give each corpus a number, not negative and not 0 for all.

    See Also
    --------
    concatenate_windows : Put the windows of several corpora together.

    Examples
    --------
    >>> from physio_ssl import corpus_weights
    >>> corpus_weights(["rest", "rest", "rest", "driving"])
    array([0.66666667, 0.66666667, 0.66666667, 2.        ])
    """
    corpus = np.asarray(corpus)
    for name in set(corpus.tolist()):
        if not isinstance(name, str) or "/" in name:  # groups are 'corpus/subject'
            raise ValueError(
                "corpus must hold the name of each window's corpus, as windows.info['corpus'], got "
                f"{name!r}."
            )
    if not len(corpus):
        raise ValueError("There must be at least one window, got none.")
    names, place, n_windows = np.unique(corpus.astype(str), return_inverse=True, return_counts=True)
    names = names.tolist()
    proportions = dict.fromkeys(names, 1) if proportions is None else dict(proportions)
    good = all(isinstance(n, Real) and np.isfinite(n) and n >= 0 for n in proportions.values())
    if set(proportions) != set(names) or not good or not sum(proportions.values()) > 0:
        raise ValueError(
            f"proportions must give each of {', '.join(names)} a finite number, not negative and "
            f"not all 0, got {proportions}."
        )
    proportion = np.array([proportions[name] for name in names], dtype=float)
    return (proportion / proportion.sum() * len(corpus) / n_windows)[place]

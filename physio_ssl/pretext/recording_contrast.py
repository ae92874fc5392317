"""RecordingContrast: recognise another window of the same recording."""

import numpy as np
import torch
from torch.nn import functional as F

from .._check import check_duration, check_kind, check_number, check_positive, check_size
from ._embedding_task import EmbeddingTask, count_features, make_mlp


class RecordingContrast(EmbeddingTask):
    """Recognise another window of the same recording among those of other recordings.

    Each window of a batch gets a partner: a random window of the same recording that does not
    overlap it. The embeddings of distorted views of both, through a head of two layers, shall be
    alike (cosine similarity), and unlike those of the other windows [1]_. A network learns what
    stays alike in a recording: the person, the sensor and the state.

    It needs ``SSLEncoder.fit(windows.X, windows=windows)``, for the recordings and onsets.

    Parameters
    ----------
    temperature : float, default=0.1
        Divides the similarities: small values stress the most similar windows.
    min_distance : float, default=None
        Least distance of the onsets of partners, in seconds. None means the duration of a window;
        less is refused, as partners would overlap and be recognised by equal samples.
    max_distance : float, default=None
        Greatest distance, in seconds, for partners in the same state; None for the whole
        recording.
    negatives_within : bool, default=False
        Whether other windows of the same recording count as negatives. Then the network also
        learns what changes within a recording.
    views : sequence of callables, or mapping from str to such, default=None
        As in `FeaturePrediction`.
    head_size : int, default=128
        Hidden units and outputs of the head.

    Raises
    ------
    ValueError
        In ``SSLEncoder.fit``, if distances do not suit the windows, or no windows are given.

    See Also
    --------
    FeaturePrediction : Predict features of the clean window.
    Combined : Several tasks on one network.

    Notes
    -----
    A window without a partner is left out of the loss. Partners are drawn anew in each epoch.
    Validation by windows (``train_split``) must hold out whole recordings, or partners of
    held-out windows are trained on.

    References
    ----------
    .. [1] T. Chen et al., "A simple framework for contrastive learning of visual
       representations", ICML 2020.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from physio_ssl import SSLEncoder, Windows
    >>> from physio_ssl.pretext import RecordingContrast
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 80))
    >>> info = pd.DataFrame({"subject": list("aaaabbbb"), "onset": [0, 10, 20, 30] * 2})
    >>> windows = Windows(X, info, duration=10)
    >>> encoder = SSLEncoder(pretext=RecordingContrast(), module__d_model=8, max_epochs=1)
    >>> encoder.fit(windows.X, windows=windows).transform(windows.X).shape
    (8, 8)
    """

    def __init__(
        self,
        temperature=0.1,
        min_distance=None,
        max_distance=None,
        negatives_within=False,
        views=None,
        head_size=128,
    ):
        self.temperature = temperature
        self.min_distance = min_distance
        self.max_distance = max_distance
        self.negatives_within = negatives_within
        self.views = views
        self.head_size = head_size

    def make_targets(self, X, windows=None):
        """Return the number of each window's recording, its onset, and the least distance."""
        if windows is None or windows.onset is None or windows.duration is None:
            raise ValueError(
                "RecordingContrast needs fit(X, windows=windows), Windows with onset and duration."
            )
        duration = windows.total_duration
        distance = duration if self.min_distance is None else self.min_distance
        if check_duration(distance, "min_distance") < duration:
            raise ValueError(
                f"min_distance must be at least the duration of a window, {duration:g} s, "
                f"got {distance!r}."
            )
        info = windows.info
        names = [name for name in ("corpus", "subject", "recording") if name in info]
        recording = info.groupby(names, sort=False).ngroup().to_numpy()
        if recording.max() == 0:
            raise ValueError("RecordingContrast needs windows of several recordings, got one.")
        onset = windows.onset.astype(float)
        return {"recording": recording, "onset": onset, "apart": np.full(len(onset), distance)}

    def add_windows(self, rows, targets, rng):
        """Return the rows, then a partner of each: the row itself if there is none."""
        onset, recording = targets["onset"], targets["recording"]
        partners = rows.copy()
        for place, row in enumerate(rows):
            same = np.flatnonzero(recording == recording[row])
            distance = np.abs(onset[same] - onset[row])
            far = distance >= targets["apart"][row]
            if self.max_distance is not None:
                far &= distance <= self.max_distance
            if far.any():
                partners[place] = rng.choice(same[far])
        return np.concatenate([rows, partners])

    def make_heads(self, network):
        """Return a head of two layers."""
        check_number(self.temperature, "temperature", 0, 1e6, "positive, at most 1e6", above=True)
        check_kind(self.negatives_within, "negatives_within", bool, "True or False")
        check_size("head_size", self.head_size)
        if self.max_distance is not None:
            check_positive(self.max_distance, "max_distance")
        self.check_views()
        return make_mlp(count_features(network), self.head_size, self.head_size)

    def embedding_loss(self, heads, embedding, target):
        """Return the cross-entropy of finding the partner, and how often it is found."""
        recording, onset = target["recording"], target["onset"]
        n_views = len(recording)
        partner = torch.arange(n_views, device=recording.device).roll(n_views // 2)
        has_partner = onset != onset[partner]
        projected = F.normalize(heads(embedding).float(), dim=1)
        similarity = projected @ projected.T / self.temperature
        same = recording[:, None] == recording
        other_view = (onset[:, None] == onset) & same  # the same window, drawn twice
        hidden = other_view if self.negatives_within else same
        hidden = hidden.scatter(1, partner[:, None], False)
        similarity = similarity.masked_fill(hidden, -torch.inf)[has_partner]
        if not len(similarity) or n_views < 4:
            return projected.sum() * 0.0, {"accuracy_recording": 0.0}
        found = similarity.argmax(dim=1) == partner[has_partner]
        loss = F.cross_entropy(similarity, partner[has_partner])
        return loss, {"accuracy_recording": found.float().mean().item()}

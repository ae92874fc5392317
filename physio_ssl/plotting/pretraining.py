"""PretrainingCurveDisplay: how the pretext task was learned."""

import numpy as np

from ._figure import GREY, count_characters, legend_beside, make_panels, mark


class PretrainingCurveDisplay:
    """Loss and metrics of the pretext task while an encoder was trained.

    There is one panel for the loss and one for each kind of metric, such as accuracy or error.

    Parameters
    ----------
    n_windows : array-like of int, of shape (n_batches,)
        Windows seen up to the end of each batch.
    loss : array-like of shape (n_batches,)
        Loss of each batch, summed over modalities.
    metrics : dict from str to array-like of shape (n_batches,), default=None
        Metrics of each batch, named by kind and modality: ``accuracy_bvp``, ``error_eda``.
        None or empty draws the loss alone.
    valid : dict from str to (array-like, array-like), default=None
        Windows seen and value at the ends of epochs with a value on held-out windows, for
        ``loss`` and the names of the metrics.
    chance : float, default=None
        Accuracy of guessing.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_panels,)
        The panels: loss first, then each kind of metric.
    figure_ : matplotlib Figure
        The figure that holds them.
    lines_ : dict from str to matplotlib Line2D
        Running means of the loss, under ``loss``, and of each metric.
    valid_lines_ : dict from str to matplotlib Line2D
        The values on held-out windows, if there are any.

    See Also
    --------
    EmbeddingDisplay : Draw the embedding of an encoder.
    """

    def __init__(self, n_windows, loss, metrics=None, *, valid=None, chance=None):
        self.n_windows = n_windows
        self.loss = loss
        self.metrics = metrics
        self.valid = valid
        self.chance = chance

    @classmethod
    def from_encoder(cls, encoder, *, n_batches=None, ax=None):
        """Draw the history of a fitted encoder.

        Parameters
        ----------
        encoder : SSLEncoder, or FrozenEstimator around one
            A fitted encoder.
        n_batches, ax : default=None
            As in ``plot``.

        Returns
        -------
        PretrainingCurveDisplay
            After ``plot``.

        Raises
        ------
        TypeError
            If ``encoder`` is not a fitted ``SSLEncoder``.
        ValueError
            If its history holds no batch: it was not trained, or was loaded from a file.
        """
        if not (hasattr(encoder, "history_") and hasattr(encoder, "pretext_")):
            raise TypeError(f"Expected a fitted SSLEncoder, got a {type(encoder).__name__}.")
        n_windows, ends, batches = 0, [], []
        for epoch in encoder.history_:
            for batch in epoch.get("batches", ()):
                if "train_batch_size" in batch:  # the others are of held-out windows
                    n_windows += batch["train_batch_size"]
                    batches.append((n_windows, batch))
            ends.append(n_windows)
        if not batches:
            raise ValueError("The encoder's history holds no batch: it was not trained here.")
        curves = {
            name.removeprefix("train_"): np.array([batch[name] for _, batch in batches])
            for name in batches[0][1]
            if name.startswith("train_") and name != "train_batch_size"
        }
        valid = {}
        for name in curves:
            rows = zip(ends, encoder.history_, strict=True)
            found = [(end, row[f"valid_{name}"]) for end, row in rows if f"valid_{name}" in row]
            if found:
                valid[name] = tuple(np.transpose(found))
        display = cls(
            n_windows=np.array([seen for seen, _ in batches]),
            loss=curves.pop("loss"),
            metrics=curves,
            valid=valid,
            chance=encoder.pretext_.chance,
        )
        return display.plot(n_batches=n_batches, ax=ax)

    def plot(self, *, n_batches=None, ax=None):
        """Draw running means over batches, and held-out values at the ends of epochs.

        Parameters
        ----------
        n_batches : int, default=None
            Batches per running mean; None takes a twentieth of all.
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw; one is divided into panels. None makes a figure.

        Returns
        -------
        self
        """
        n_windows = np.asarray(self.n_windows)
        width = max(1, len(n_windows) // 20) if n_batches is None else n_batches
        if not 1 <= width <= len(n_windows):
            raise ValueError(f"n_batches must be 1 to {len(n_windows)}, got {n_batches}.")
        metrics, valid = self.metrics or {}, self.valid or {}
        kinds = list(dict.fromkeys(_split(name)[0] for name in metrics))
        labels = list(dict.fromkeys(_split(name)[1] for name in metrics))
        self.figure_, self.axes_ = make_panels(self, ax, 1 + len(kinds), (4.6, 3.6))
        self.lines_, self.valid_lines_ = {}, {}

        def draw(panel, name, values, color, label):
            mean = np.convolve(values, np.full(width, 1 / width), "valid")
            (line,) = panel.plot(n_windows[width - 1 :], mean, color=color, label=label)
            self.lines_[name] = line
            if name in valid:
                style = {"linestyle": "--", "marker": "o", "markersize": 4, "color": color}
                (line,) = panel.plot(*valid[name], **style)
                self.valid_lines_[name] = line

        draw(self.axes_[0], "loss", self.loss, GREY, "loss")
        self.axes_[0].set(ylabel="loss, summed over modalities")
        for kind, panel in zip(kinds, self.axes_[1:], strict=True):
            for name, values in metrics.items():
                if _split(name)[0] == kind:
                    label = _split(name)[1]
                    draw(panel, name, values, mark(labels.index(label))[0], label)
            panel.set(ylabel=f"pretext {kind}")
            if kind == "accuracy":
                panel.set(ylim=(0, 1.02))
                if self.chance is not None:
                    panel.axhline(self.chance, color=GREY, linestyle=":", label="chance")
        for panel in self.axes_:
            panel.set(xlabel="windows seen")
            nbins = np.clip(count_characters(panel) // 9, 2, 6)
            panel.locator_params(axis="x", nbins=nbins, min_n_ticks=1)
        if valid:
            style = {"linestyle": "--", "marker": "o", "markersize": 4, "color": GREY}
            self.axes_[-1].plot([], [], **style, label="held-out")
        if metrics or valid:  # one legend for all panels
            handles = {
                label: handle
                for panel in (self.axes_[1:] if metrics else self.axes_)
                for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
            }
            entries = {"handles": handles.values(), "labels": handles.keys()}
            legend_beside(self.axes_[-1], **entries, title=f"means over\n{width} batches")
        return self


def _split(name):
    """Return the kind and the modality of a metric: ``accuracy_bvp`` is ("accuracy", "bvp")."""
    kind, _, modality = name.partition("_")
    return kind, modality or kind

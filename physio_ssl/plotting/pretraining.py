"""PretrainingCurveDisplay: how the pretext task was learned."""

import numpy as np

from ._figure import GREY, count_characters, legend_beside, make_panels, mark


class PretrainingCurveDisplay:
    """Loss and accuracy of the pretext task while an encoder was trained.

    Parameters
    ----------
    n_windows : array-like of int, of shape (n_batches,)
        Windows seen up to and with each batch.
    loss : array-like of shape (n_batches,)
        Loss of each batch, summed over modalities.
    accuracy : dict from str to array-like of shape (n_batches,), default=None
        Accuracy of each batch, for each modality; None or empty draws the loss alone.
    valid : dict from str to (array-like, array-like), default=None
        Windows seen and value at the end of the epochs that have a value on held-out
        windows, under ``"loss"`` and the modalities.
    chance : float, default=None
        Accuracy of guessing.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (2,) or (1,)
        The panels of loss and accuracy.
    figure_ : matplotlib Figure
        The figure that holds them.
    lines_ : dict from str to matplotlib Line2D
        Running mean of the loss, under ``"loss"``, and of each modality's accuracy.
    valid_lines_ : dict from str to matplotlib Line2D
        The same on held-out windows, where there are any.
    """

    def __init__(self, n_windows, loss, accuracy=None, *, valid=None, chance=None):
        self.n_windows = n_windows
        self.loss = loss
        self.accuracy = accuracy
        self.valid = valid
        self.chance = chance

    @classmethod
    def from_encoder(cls, encoder, *, n_batches=None, ax=None):
        """Draw the history of a fitted encoder.

        Parameters
        ----------
        encoder : SSLEncoder, or FrozenEstimator around one
            A fitted encoder.
        n_batches : int, default=None
            Batches per running mean; None stands for a twentieth of all.
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw; one is divided into panels. None makes a figure.

        Returns
        -------
        PretrainingCurveDisplay
            After ``plot``.

        Raises
        ------
        TypeError
            If ``encoder`` is no fitted ``SSLEncoder``.
        ValueError
            If its history holds no batch: it was not trained, or was loaded from a file.
        """
        if not (hasattr(encoder, "history_") and hasattr(encoder, "pretext_")):
            raise TypeError(f"Expected a fitted SSLEncoder, got a {type(encoder).__name__}.")
        n_windows, ends, batches = 0, [], []
        for epoch in encoder.history_:
            for batch in epoch.get("batches", ()):
                if "train_batch_size" in batch:  # others are of held-out windows
                    n_windows += batch["train_batch_size"]
                    batches.append((n_windows, batch))
            ends.append(n_windows)
        if not batches:
            raise ValueError(
                "The encoder's history holds no batch: it was not trained here (max_epochs=0, "
                "or weights from a file)."
            )

        def read(name):
            return np.array([batch[name] for _, batch in batches])

        def read_valid(name):
            rows = zip(ends, encoder.history_, strict=True)
            found = [(end, epoch[name]) for end, epoch in rows if name in epoch]
            return tuple(np.array(column) for column in zip(*found, strict=True))

        start = "train_accuracy_"
        names = [name.removeprefix(start) for name in batches[0][1] if name.startswith(start)]
        keys = {"loss": "loss", **{name: f"accuracy_{name}" for name in names}}
        valid = {name: read_valid(f"valid_{key}") for name, key in keys.items()}
        display = cls(
            n_windows=np.array([seen for seen, _ in batches]),
            loss=read("train_loss"),
            accuracy={name: read(start + name) for name in names},
            valid={name: columns for name, columns in valid.items() if columns},
            chance=_chance(encoder, names[0]) if names else None,
        )
        return display.plot(n_batches=n_batches, ax=ax)

    def plot(self, *, n_batches=None, ax=None):
        """Draw the running means over batches, and held-out values at the epochs' ends.

        Parameters
        ----------
        n_batches : int, default=None
            Batches per running mean; None stands for a twentieth of all.
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
        accuracy, valid = self.accuracy or {}, self.valid or {}
        self.figure_, self.axes_ = make_panels(self, ax, 2 if accuracy else 1, (4.6, 3.6))
        self.lines_, self.valid_lines_ = {}, {}

        def draw(panel, name, values, color):
            mean = np.convolve(values, np.full(width, 1 / width), "valid")
            (line,) = panel.plot(n_windows[width - 1 :], mean, color=color, label=name)
            self.lines_[name] = line
            if name in valid:
                style = {"linestyle": "--", "marker": "o", "markersize": 4, "color": color}
                (line,) = panel.plot(*valid[name], **style)
                self.valid_lines_[name] = line

        draw(self.axes_[0], "loss", self.loss, GREY)
        self.axes_[0].set(xlabel="windows seen", ylabel="loss, summed over modalities")
        if accuracy:
            for i, (name, values) in enumerate(accuracy.items()):
                draw(self.axes_[1], name, values, mark(i)[0])
            self.axes_[1].set(xlabel="windows seen", ylabel="pretext accuracy", ylim=(0, 1.02))
            if self.chance is not None:
                self.axes_[1].axhline(self.chance, color=GREY, linestyle=":", label="chance")
        for panel in self.axes_:
            nbins = np.clip(count_characters(panel) // 9, 2, 6)
            panel.locator_params(axis="x", nbins=nbins, min_n_ticks=1)
        if valid:
            style = {"linestyle": "--", "marker": "o", "markersize": 4, "color": GREY}
            self.axes_[-1].plot([], [], **style, label="held-out")
        if accuracy or valid:
            legend_beside(self.axes_[-1], title=f"means over\n{width} batches")
        return self


def _chance(encoder, name):
    """Return the accuracy of guessing, where the pretext task is one whose we know."""
    from ..pretext import MultiTaskRecognition, TransformRecognition

    if isinstance(encoder.pretext_, TransformRecognition):
        return 1 / encoder.heads_[name][-1].out_features
    return 0.5 if isinstance(encoder.pretext_, MultiTaskRecognition) else None  # balanced

"""PretrainingCurveDisplay: how the pretext task was learned."""

from dataclasses import KW_ONLY, dataclass

import numpy as np

from .._check import check_count
from ._figure import GREY, add_legend, count_characters, draw_chance, make_panels, mark

_HELD_OUT = {"linestyle": "--", "marker": "o", "markersize": 4}


@dataclass(eq=False, repr=False)
class PretrainingCurveDisplay:
    """Loss and metrics of the pretext task while an encoder was trained.

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
        Windows seen and held-out value at the ends of epochs, for ``loss`` and the metrics.
    chance : float, default=None
        Accuracy of guessing.

    Attributes
    ----------
    figure_, axes_ : matplotlib Figure and ndarray of Axes, of shape (n_panels,)
        The panels: loss first, then each kind of metric.
    lines_, valid_lines_ : dict from str to matplotlib Line2D
        Running means of ``loss`` and of each metric, and their values on held-out windows.

    Raises
    ------
    TypeError, ValueError
        If the encoder was not trained here.

    See Also
    --------
    EmbeddingDisplay : Draw the embedding of an encoder.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder
    >>> from physio_ssl.plotting import PretrainingCurveDisplay
    >>> X = np.random.default_rng(0).normal(size=(8, 1, 64))
    >>> encoder = SSLEncoder(max_epochs=2, module__d_model=8, random_state=0).fit(X)
    >>> display = PretrainingCurveDisplay.from_encoder(encoder)
    """

    n_windows: np.ndarray
    loss: np.ndarray
    metrics: dict | None = None
    _: KW_ONLY
    valid: dict | None = None
    chance: float | None = None

    @classmethod
    def from_encoder(cls, encoder, *, n_batches=None, ax=None):
        """Draw the history of a fitted encoder.

        Parameters
        ----------
        encoder : SSLEncoder, or FrozenEstimator around one
            A fitted encoder.
        n_batches : int, default=None
            Batches per running mean; None takes a twentieth of all.
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw; one is divided. None makes a figure.

        Returns
        -------
        PretrainingCurveDisplay

        Raises
        ------
        TypeError
            If ``encoder`` is not a fitted ``SSLEncoder``.
        ValueError
            If its history holds no batch: it was not trained, or was loaded from a file.
        """
        if not (hasattr(encoder, "history_") and hasattr(encoder, "pretext_")):
            raise TypeError(f"Expected a fitted SSLEncoder, got a {type(encoder).__name__}.")
        batches, ends = [], []
        for epoch in encoder.history_:
            # the batches without a training loss are of held-out windows
            batches += [batch for batch in epoch.get("batches", ()) if "train_loss" in batch]
            ends.append(len(batches))
        if not batches:
            raise ValueError("The encoder's history holds no batch: it was not trained here.")
        curves = {
            name.removeprefix("train_"): np.array([batch[name] for batch in batches])
            for name in batches[0]
            if name.startswith("train_")
        }
        n_windows = np.cumsum(curves.pop("batch_size"))
        ends, valid = np.append(0, n_windows)[ends], {}
        for name in curves:
            rows = zip(ends, encoder.history_, strict=True)
            found = [(end, row[f"valid_{name}"]) for end, row in rows if f"valid_{name}" in row]
            if found:
                valid[name] = tuple(np.transpose(found))
        loss, chance = curves.pop("loss"), encoder.pretext_.chance
        display = cls(n_windows, loss, curves, valid=valid, chance=chance)
        return display.plot(n_batches=n_batches, ax=ax)

    def plot(self, *, n_batches=None, ax=None):
        """Draw means over ``n_batches`` and held-out values on ``ax``, and return self."""
        n_windows = np.asarray(self.n_windows)
        width = max(1, len(n_windows) // 20) if n_batches is None else n_batches
        if check_count(width, "n_batches") > len(n_windows):
            raise ValueError(f"n_batches must be 1 to {len(n_windows)}, got {n_batches}.")
        metrics, valid = self.metrics or {}, self.valid or {}
        split = {name: name.split("_", 1) for name in metrics}  # [kind, modality]
        kinds = list(dict.fromkeys(parts[0] for parts in split.values()))
        labels = list(dict.fromkeys(parts[-1] for parts in split.values()))
        self.figure_, self.axes_ = make_panels(ax, 1 + len(kinds), (4.6, 3.6))
        self.lines_, self.valid_lines_ = {}, {}

        def draw(panel, name, values, color, label):
            mean = np.convolve(values, np.full(width, 1 / width), "valid")
            (line,) = panel.plot(n_windows[width - 1 :], mean, color=color, label=label)
            self.lines_[name] = line
            if name in valid:
                (self.valid_lines_[name],) = panel.plot(*valid[name], color=color, **_HELD_OUT)

        draw(self.axes_[0], "loss", self.loss, GREY, "loss")
        self.axes_[0].set(ylabel="loss, summed over modalities")
        panels = dict(zip(kinds, self.axes_[1:], strict=True))
        for name, values in metrics.items():
            kind, label = split[name][0], split[name][-1]
            draw(panels[kind], name, values, mark(labels.index(label))[0], label)
            panels[kind].set(ylabel=f"pretext {kind}")
        if "accuracy" in panels:
            panels["accuracy"].set(ylim=(0, 1.02))
            draw_chance(panels["accuracy"], self.chance, label="chance")
        for panel in self.axes_:
            panel.set(xlabel="windows seen")
            nbins = np.clip(count_characters(panel) // 9, 2, 6)
            panel.locator_params(axis="x", nbins=nbins, min_n_ticks=1)
        if valid:
            self.axes_[-1].plot([], [], color=GREY, label="held-out", **_HELD_OUT)
        if metrics or valid:
            handles = {}  # one legend for all kinds
            for panel in panels.values() or self.axes_:
                lines, names = panel.get_legend_handles_labels()
                handles |= dict(zip(names, lines, strict=True))
            title = f"means over\n{width} batches"
            add_legend(self.axes_[-1], handles=handles.values(), title=title)
        return self

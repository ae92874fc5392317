"""EmbeddingDisplay: windows in the plane, coloured by label and by subject."""

from math import ceil

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, column_or_1d

from ._figure import COLORS, GREY, N_MARKS, legend_beside, make_panels, mark, natural_order


def _tsne(n_windows, random_state):
    return TSNE(2, init="pca", perplexity=min(30, (n_windows - 1) / 3), random_state=random_state)


_METHODS = {
    "pca": lambda n_windows, random_state: PCA(2, random_state=random_state),
    "tsne": _tsne,
}


class EmbeddingDisplay:
    """Embedded windows as points of the plane, coloured by label and by subject.

    It shows whether an embedding sorts windows by subject rather than by label.

    Parameters
    ----------
    points : array-like of shape (n_windows, 2)
        Places of the windows in the plane.
    y : array-like of shape (n_windows,), default=None
        Labels, or continuous ratings.
    groups : array-like of shape (n_windows,), default=None
        Subject of each window.
    axis_names : (str, str), default=("dimension 1", "dimension 2")
        What the two axes are.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (2,) or (1,)
        The panels: by label, by subject; one where either is missing.
    figure_ : matplotlib Figure
        The figure that holds them.
    points_ : list of matplotlib PathCollection
        What is drawn in each panel, in a random order so that no class or subject covers
        the others.
    order_ : ndarray of int, of shape (n_windows,)
        Which window each drawn point is.
    """

    def __init__(self, points, y=None, groups=None, *, axis_names=("dimension 1", "dimension 2")):
        self.points = points
        self.y = y
        self.groups = groups
        self.axis_names = axis_names

    @classmethod
    def from_embedding(cls, Z, y=None, groups=None, method="pca", random_state=0, *, ax=None):
        """Bring an embedding to the plane and draw it.

        Parameters
        ----------
        Z : array-like of shape (n_windows, n_features)
            The embedding.
        y : array-like of shape (n_windows,), default=None
            Labels, or continuous ratings.
        groups : array-like of shape (n_windows,), default=None
            Subject of each window.
        method : {"pca", "tsne"} or transformer, default="pca"
            How to get from ``n_features`` to two; a clone of the transformer is fitted, e.g.
            ``make_pipeline(StandardScaler(), PCA(2))``.
        random_state : int, RandomState instance or None, default=0
            Seed of "pca" and "tsne".
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw; one is divided into panels. None makes a figure.

        Returns
        -------
        EmbeddingDisplay
            After ``plot``.

        Raises
        ------
        ValueError
            If the lengths differ, ``Z`` is not finite and two-dimensional, the method is
            unknown, or it gives fewer than two columns.
        """
        Z = check_array(Z, ensure_min_samples=2, ensure_min_features=2, input_name="Z")
        check_consistent_length(Z, y, groups)
        if isinstance(method, str):
            if method not in _METHODS:
                raise ValueError(
                    f"method must be a transformer or one of {', '.join(_METHODS)}, got {method!r}."
                )
            name = {"pca": "principal component", "tsne": "t-SNE"}[method]
            method = _METHODS[method](len(Z), random_state)
        else:
            method = clone(method)
            name = type(method).__name__
        points = np.asarray(method.fit_transform(Z))
        if points.ndim != 2 or points.shape[1] < 2:
            raise ValueError(f"method must give two columns, got the shape {points.shape}.")
        names = [f"{name} {i}" for i in (1, 2)]
        if hasattr(method, "explained_variance_ratio_"):
            ratios = method.explained_variance_ratio_
            names = [f"{name} {i} ({ratios[i - 1]:.0%} of variance)" for i in (1, 2)]
        return cls(points[:, :2], y, groups, axis_names=tuple(names)).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls, encoder, X, y=None, groups=None, method="pca", random_state=0, *, ax=None
    ):
        """Embed windows, bring them to the plane and draw them.

        Parameters
        ----------
        encoder : fitted transformer
            E.g. ``SSLEncoder``; its ``transform`` embeds the windows.
        X : SignalDict, or array of shape (n_windows, n_channels, n_times)
            Windows.
        y, groups, method, random_state, ax
            As for ``from_embedding``.

        Returns
        -------
        EmbeddingDisplay
            After ``plot``.

        Raises
        ------
        TypeError
            If ``encoder`` has no ``transform``.
        """
        if not hasattr(encoder, "transform"):
            raise TypeError(
                "encoder must embed windows with transform (for an SSLClassifier, take its "
                f"encoder_), got a {type(encoder).__name__}."
            )
        Z = encoder.transform(X)
        return cls.from_embedding(Z, y, groups, method, random_state, ax=ax)

    def plot(self, *, ax=None, **kwargs):
        """Draw the points, once for each of labels and subjects.

        Parameters
        ----------
        ax
            As in ``from_embedding``.
        **kwargs
            Passed to ``Axes.scatter``, e.g. ``s`` or ``alpha``.

        Returns
        -------
        self
        """
        points = np.asarray(self.points)
        panels = {
            name: _check_values(values, name)
            for name, values in (("label", self.y), ("subject", self.groups))
            if values is not None
        }
        self.figure_, self.axes_ = make_panels(self, ax, max(1, len(panels)), (5.4, 4.2))
        self.order_ = np.random.default_rng(0).permutation(len(points))
        # from 6 points wide for a few windows to 3 points for thousands
        kwargs = {"s": np.clip(9000 / len(points), 9, 36), "alpha": 0.7, "linewidths": 0, **kwargs}
        self.points_ = []
        for panel, (title, values) in zip(
            self.axes_, panels.items() or [(None, None)], strict=True
        ):
            x, y = points[self.order_].T
            if values is None:
                drawn = panel.scatter(x, y, **{"color": COLORS[0], **kwargs})
            elif title == "label" and _is_continuous(values):
                drawn = panel.scatter(x, y, c=values[self.order_], **kwargs)
                self.figure_.colorbar(drawn, ax=panel, label=title)
            else:
                drawn = _draw_levels(panel, x, y, values[self.order_], title, kwargs)
            self.points_.append(drawn)
            panel.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1])
            # distances mean the same along both axes
            panel.set_aspect("equal", adjustable="datalim")
        return self


def _check_values(values, name):
    values = column_or_1d(values)
    if values.dtype.kind == "f":
        assert_all_finite(values, input_name=name)
    return values


def _is_continuous(values):
    return values.dtype.kind == "f" and not np.array_equal(values, values.round())


def _draw_levels(panel, x, y, values, title, kwargs):
    """Draw points with a colour and marker per level, and the legend."""
    from matplotlib.markers import MarkerStyle

    levels = natural_order(values.tolist())
    code = {level: i for i, level in enumerate(levels)}
    marks = [mark(code[value]) for value in values.tolist()]
    paths = {
        marker: MarkerStyle(marker).get_path().transformed(MarkerStyle(marker).get_transform())
        for _, marker in set(marks)
    }
    drawn = panel.scatter(x, y, **{"c": [color for color, _ in marks], **kwargs})
    drawn.set_paths([paths[marker] for _, marker in marks])
    if len(levels) > N_MARKS:  # marks repeat, and a legend would be longer than the figure
        panel.set_title(f"{len(levels)} {title}s", color=GREY)
        return drawn
    for i, level in enumerate(levels):
        color, marker = mark(i)
        panel.plot([], [], color=color, marker=marker, linestyle="", label=str(level))
    legend_beside(
        panel,
        title=title,
        ncols=ceil(len(levels) / 17),
        fontsize="medium" if len(levels) <= 10 else "small",
        handletextpad=0.2,
        columnspacing=0.8,
    )
    return drawn

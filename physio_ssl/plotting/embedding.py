"""EmbeddingDisplay: windows in the plane, coloured by label and by subject."""

from dataclasses import KW_ONLY, dataclass
from math import ceil

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, column_or_1d

from ._figure import COLORS, GREY, N_MARKS, add_legend, make_panels, mark, natural_order


@dataclass(eq=False, repr=False)
class EmbeddingDisplay:
    """Embedded windows as points of the plane, coloured by label and by subject.

    It shows whether an embedding sorts windows by subject rather than by label.

    Parameters
    ----------
    points : array-like of shape (n_windows, 2)
        Places of the windows in the plane.
    y, groups : array-like of shape (n_windows,), default=None
        Labels or continuous ratings, and the subject of each window.
    axis_names : (str, str), default=("dimension 1", "dimension 2")
        What the two axes are.

    Attributes
    ----------
    figure_, axes_ : matplotlib Figure and ndarray of Axes, of shape (2,) or (1,)
        The panels: by label, by subject; one where either is missing.
    points_ : list of matplotlib PathCollection
        What is drawn in each panel, in a random order so that no level covers the others.
    order_ : ndarray of int, of shape (n_windows,)
        Which window each drawn point is.

    Raises
    ------
    ValueError
        If lengths differ, or the method is unknown.

    See Also
    --------
    PretrainingCurveDisplay : Draw how an encoder was trained.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl.plotting import EmbeddingDisplay
    >>> Z = np.random.default_rng(0).normal(size=(40, 8))
    >>> display = EmbeddingDisplay.from_embedding(Z, y=np.tile(["rest", "stress"], 20))
    """

    points: np.ndarray
    y: np.ndarray | None = None
    groups: np.ndarray | None = None
    _: KW_ONLY
    axis_names: tuple = ("dimension 1", "dimension 2")

    @classmethod
    def from_embedding(cls, Z, y=None, groups=None, method="pca", random_state=0, *, ax=None):
        """Bring an embedding to the plane and draw it.

        Parameters
        ----------
        Z : array-like of shape (n_windows, n_features)
            The embedding.
        y, groups
            As for the class.
        method : {"pca", "tsne"} or transformer, default="pca"
            How to get from ``n_features`` to two; a clone of the transformer is fitted, e.g.
            ``make_pipeline(StandardScaler(), PCA(2))``.
        random_state : int, RandomState instance or None, default=0
            Seed of "pca" and "tsne".
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw; one is divided. None makes a figure.

        Returns
        -------
        EmbeddingDisplay

        Raises
        ------
        ValueError
            If the lengths differ, ``Z`` is not finite and two-dimensional, the method is
            unknown, or it gives fewer than two columns.
        """
        Z = check_array(Z, ensure_min_samples=2, ensure_min_features=2, input_name="Z")
        check_consistent_length(Z, y, groups)
        perplexity = min(30, (len(Z) - 1) / 3)
        methods = {
            "pca": ("principal component", PCA(2, random_state=random_state)),
            "tsne": ("t-SNE", TSNE(2, perplexity=perplexity, random_state=random_state)),
        }
        if hasattr(method, "fit_transform"):
            name, method = type(method).__name__, clone(method)
        elif isinstance(method, str) and method in methods:
            name, method = methods[method]
        else:
            raise ValueError(f"method must be a transformer, 'pca' or 'tsne', got {method!r}.")
        points = np.asarray(method.fit_transform(Z))
        if points.ndim != 2 or points.shape[1] < 2:
            raise ValueError(f"method must give two columns, got the shape {points.shape}.")
        names = f"{name} 1", f"{name} 2"
        if hasattr(method, "explained_variance_ratio_"):
            ratios = zip(names, method.explained_variance_ratio_, strict=False)
            names = tuple(f"{name} ({ratio:.0%} of variance)" for name, ratio in ratios)
        return cls(points[:, :2], y, groups, axis_names=names).plot(ax=ax)

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

        Raises
        ------
        TypeError
            If ``encoder`` has no ``transform``.
        """
        if not hasattr(encoder, "transform"):
            name = type(encoder).__name__
            raise TypeError(
                f"encoder must have transform, as SSLClassifier.encoder_, got a {name}."
            )
        return cls.from_embedding(encoder.transform(X), y, groups, method, random_state, ax=ax)

    def plot(self, *, ax=None, **kwargs):
        """Draw on ``ax``, with ``kwargs`` for ``Axes.scatter``, and return self."""
        points = np.asarray(self.points)
        panels = {
            title: _check_values(values, title)
            for title, values in (("label", self.y), ("subject", self.groups))
            if values is not None
        } or {None: None}
        self.figure_, self.axes_ = make_panels(ax, len(panels), (5.4, 4.2))
        self.order_ = np.random.default_rng(0).permutation(len(points))
        x, y = points[self.order_].T
        # from 6 points wide for a few windows to 3 points for thousands
        kwargs = {"s": np.clip(9000 / len(points), 9, 36), "alpha": 0.7, "linewidths": 0, **kwargs}
        self.points_ = []
        for panel, (title, values) in zip(self.axes_, panels.items(), strict=True):
            if values is None:
                drawn = panel.scatter(x, y, **{"color": COLORS[0], **kwargs})
            elif title == "label" and values.dtype.kind == "f" and (values % 1).any():
                drawn = panel.scatter(x, y, c=values[self.order_], **kwargs)
                self.figure_.colorbar(drawn, ax=panel, label=title)
            else:
                drawn = _draw_levels(panel, x, y, values[self.order_].tolist(), title, kwargs)
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


def _draw_levels(panel, x, y, values, title, kwargs):
    """Draw points with a colour and marker per level, and the legend."""
    from matplotlib.markers import MarkerStyle

    levels = natural_order(values)
    marks = {level: mark(i) for i, level in enumerate(levels)}
    drawn = panel.scatter(x, y, **{"c": [marks[value][0] for value in values], **kwargs})
    styles = {level: MarkerStyle(marker) for level, (_, marker) in marks.items()}
    paths = {k: style.get_path().transformed(style.get_transform()) for k, style in styles.items()}
    drawn.set_paths([paths[value] for value in values])
    if len(levels) > N_MARKS:  # marks repeat, and a legend would be longer than the figure
        panel.set_title(f"{len(levels)} {title}s", color=GREY)
        return drawn
    for level, (color, marker) in marks.items():
        panel.plot([], [], color=color, marker=marker, linestyle="", label=str(level))
    spaces = {"handletextpad": 0.2, "columnspacing": 0.8}
    size = "medium" if len(levels) <= 10 else "small"
    add_legend(panel, title=title, ncols=ceil(len(levels) / 17), fontsize=size, **spaces)
    return drawn

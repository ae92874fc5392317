"""SubjectConfusionDisplay: a confusion matrix for each subject."""

from math import ceil, sqrt

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

from ._figure import GREY, make_panels, natural_order
from ._results import select_results


class SubjectConfusionDisplay:
    """Confusion matrices of one model: one per held-out subject, and their sum.

    Each is drawn by ``sklearn.metrics.ConfusionMatrixDisplay``. The colour is a cell's fraction
    of its row, from 0 to 1. If a subject lacks a class, its row is blank, with dashes where
    rows are normalised.

    Parameters
    ----------
    confusion : array-like of int, of shape (n_subjects, n_classes, n_classes)
        Counts of windows, true classes in rows and predicted ones in columns.
    subjects : sequence of str, of length n_subjects
        Titles of the panels.
    classes : sequence of str, of length n_classes
        Names of the classes.
    normalize : {"true"} or None, default=None
        "true" divides each row by its sum; None shows counts.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_subjects + 1,)
        A panel per subject; the last is the sum over subjects.
    figure_ : matplotlib Figure
        The figure that holds them.
    displays_ : list of ConfusionMatrixDisplay
        Those of the panels.
    """

    def __init__(self, confusion, *, subjects, classes, normalize=None):
        self.confusion = confusion
        self.subjects = subjects
        self.classes = classes
        self.normalize = normalize

    @classmethod
    def from_results(cls, results, estimator, normalize=None, *, ax=None, **conditions):
        """Draw the confusion matrices of one model of a study.

        Parameters
        ----------
        results : StudyResults
            What ``leave_subjects_out`` or ``label_efficiency`` returned.
        estimator : str
            Name of a model.
        normalize : {"true"} or None, default=None
            "true" divides each row by its sum; None shows counts.
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw; one is divided into panels. None makes a figure.
        **conditions
            The condition to show, e.g. ``label_fraction=0.1``, where the study has several. Counts
            are summed over repeats.

        Returns
        -------
        SubjectConfusionDisplay
            After ``plot``.

        Raises
        ------
        ValueError
            If a name or value is unknown, a condition with several values is not given, or
            the records differ in their classes.
        """
        _check_normalize(normalize)
        chosen, _ = select_results(results, estimator, conditions)
        classes = list(chosen.records[0]["class_counts"])
        subjects = natural_order(chosen.subjects)
        confusion = np.zeros((len(subjects), len(classes), len(classes)), dtype=int)
        for record in chosen.records:
            if list(record["class_counts"]) != classes:
                raise ValueError(
                    f"All records must have the same classes, got {classes} and "
                    f"{list(record['class_counts'])}."
                )
            confusion[subjects.index(record["subject"])] += record["confusion"]
        display = cls(confusion, subjects=subjects, classes=classes, normalize=normalize)
        return display.plot(ax=ax)

    def plot(self, *, cmap="Blues", ax=None):
        """Draw a panel per subject and one for their sum.

        Parameters
        ----------
        cmap : str or matplotlib Colormap, default="Blues"
            From none of a true class's windows to all of them.
        ax
            As in ``from_results``.

        Returns
        -------
        self
        """
        _check_normalize(self.normalize)
        confusion = np.asarray(self.confusion)
        confusion = np.concatenate([confusion, confusion.sum(axis=0, keepdims=True)])
        n_panels, n_classes = len(confusion), len(self.classes)
        n_columns = _count_columns(n_panels)
        side = max(1.6, 0.5 + 0.4 * n_classes)
        self.figure_, self.axes_ = make_panels(self, ax, n_panels, (side, side + 0.2), n_columns)
        titles = [*map(str, self.subjects), f"all {n_panels - 1} subjects"]
        given = isinstance(ax, (list, tuple, np.ndarray))  # in places that we do not know
        last_row = (n_panels - 1) // n_columns * n_columns
        self.displays_ = []
        for i, (panel, counts, title) in enumerate(zip(self.axes_, confusion, titles, strict=True)):
            self.displays_.append(_draw(panel, counts, self.classes, self.normalize, cmap))
            panel.set_title(title, fontsize="medium")
            left = given or i % n_columns == 0
            bottom = given or i + n_columns >= n_panels
            panel.set(xlabel="predicted" if bottom else "", ylabel="true" if left else "")
            panel.tick_params(labelsize="small", labelleft=left, labelbottom=bottom)
            if bottom and not given and i < last_row:
                # names hang into the gap below, and must not push the last row away
                panel.xaxis.set_in_layout(False)
        self.axes_[-1].title.set_fontweight("bold")
        return self


def _count_columns(n_panels):
    """Return the number of columns that leaves the fewest gaps in nearly a square."""
    if n_panels <= 4:
        return n_panels
    first = min(7, ceil(sqrt(n_panels)))
    return min(range(first, first + 2), key=lambda n_columns: -n_panels % n_columns)


def _check_normalize(normalize):
    if normalize not in (None, "true"):
        raise ValueError(f"normalize must be 'true' or None, got {normalize!r}.")


def _draw(panel, counts, classes, normalize, cmap):
    """Draw one matrix with scikit-learn's display."""
    n_true = counts.sum(axis=1, keepdims=True)
    fraction = counts / np.maximum(n_true, 1)
    display = ConfusionMatrixDisplay(
        fraction if normalize else counts, display_labels=classes
    ).plot(
        ax=panel,
        cmap=cmap,
        colorbar=False,
        values_format=".2f" if normalize else "d",
        xticks_rotation="vertical" if max(len(str(name)) for name in classes) > 4 else "horizontal",
        im_kw={"vmin": 0, "vmax": 1},
        text_kw={"fontsize": "small"},
    )
    # counts would be coloured by how common a class is
    display.im_.set_data(np.ma.masked_where(np.broadcast_to(n_true == 0, fraction.shape), fraction))
    for (row, column), text in np.ndenumerate(display.text_):
        # scikit-learn's colours are for its own scale
        text.set_color("white" if fraction[row, column] > 0.5 else "black")
        if normalize and not n_true[row, 0]:
            text.set(text="–", color=GREY)
    return display

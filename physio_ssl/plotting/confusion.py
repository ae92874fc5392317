"""SubjectConfusionDisplay: a confusion matrix for each subject."""

from dataclasses import KW_ONLY, dataclass
from math import ceil, sqrt

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

from .._check import check_choice
from ._figure import GREY, make_panels, natural_order
from ._results import select_results


@dataclass(eq=False, repr=False)
class SubjectConfusionDisplay:
    """Confusion matrices of one model: one per held-out subject, and their sum.

    Each is a ``sklearn.metrics.ConfusionMatrixDisplay``. The colour is a cell's fraction of its
    row. The row of a class that the subject lacks is blank, with dashes if normalised.

    Parameters
    ----------
    confusion : array-like of int, of shape (n_subjects, n_classes, n_classes)
        Counts of windows, true classes in rows and predicted ones in columns.
    subjects, classes : sequence of str
        Titles of the panels, and names of the classes.
    normalize : {"true"} or None, default=None
        "true" divides each row by its sum; None shows counts.

    Attributes
    ----------
    figure_, axes_ : matplotlib Figure and ndarray of Axes, of shape (n_subjects + 1,)
        A panel per subject; the last is the sum over subjects.
    displays_ : list of ConfusionMatrixDisplay
        Those of the panels.

    Raises
    ------
    ValueError
        If the target is continuous, or records have different classes.

    See Also
    --------
    physio_ssl.evaluation.leave_subjects_out : Make the results.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from physio_ssl import Windows
    >>> from physio_ssl.evaluation import leave_subjects_out
    >>> from physio_ssl.plotting import SubjectConfusionDisplay
    >>> X = np.random.default_rng(0).normal(size=(60, 4))
    >>> info = {"subject": np.repeat(["S1", "S2", "S3"], 20), "label": np.tile([0, 1], 30)}
    >>> windows = Windows(X, pd.DataFrame(info))
    >>> results = leave_subjects_out({"linear": LogisticRegression()}, windows)
    >>> display = SubjectConfusionDisplay.from_results(results, "linear")
    """

    confusion: np.ndarray
    _: KW_ONLY
    subjects: list
    classes: list
    normalize: str | None = None

    @classmethod
    def from_results(cls, results, estimator, normalize=None, *, ax=None, **conditions):
        """Draw the confusion matrices of one model of a study.

        Parameters
        ----------
        results : StudyResults
            What ``leave_subjects_out`` or ``label_efficiency`` returned.
        estimator : str
            Name of a model.
        normalize
            As for the class.
        ax : matplotlib Axes or sequence of them, default=None
            Where to draw; one is divided. None makes a figure.
        **conditions
            Which of several conditions, e.g. ``label_fraction=0.1``. Repeats are summed.

        Returns
        -------
        SubjectConfusionDisplay

        Raises
        ------
        ValueError
            If a name or value is unknown, a condition with several values is not given, or
            the records differ in their classes.
        """
        records = select_results(results, estimator, conditions)[0].records
        subjects = natural_order(record["subject"] for record in records)
        if "class_counts" not in records[0]:
            raise ValueError("Confusion is of classes, but the target of the study is continuous.")
        classes = list(records[0]["class_counts"])
        confusion = np.zeros((len(subjects), len(classes), len(classes)), dtype=int)
        for record in records:
            if list(record["class_counts"]) != classes:
                found = f"{classes} and {list(record['class_counts'])}"
                raise ValueError(f"All records must have the same classes, got {found}.")
            confusion[subjects.index(record["subject"])] += record["confusion"]
        display = cls(confusion, subjects=subjects, classes=classes, normalize=normalize)
        return display.plot(ax=ax)

    def plot(self, *, cmap="Blues", ax=None):
        """Draw on ``ax`` and return self; ``cmap`` runs from no window of a class to all."""
        check_choice("normalize", self.normalize, ("true", None))
        confusion = np.asarray(self.confusion)
        confusion = np.concatenate([confusion, confusion.sum(axis=0, keepdims=True)])
        n_panels, n_columns = len(confusion), _count_columns(len(confusion))
        side = max(1.6, 0.5 + 0.4 * len(self.classes))
        self.figure_, self.axes_ = make_panels(ax, n_panels, (side, side + 0.2), n_columns)
        titles = [*map(str, self.subjects), f"all {n_panels - 1} subjects"]
        given = np.ndim(ax) > 0  # in places that we do not know
        last_row = (n_panels - 1) // n_columns * n_columns
        self.displays_ = []
        for i, (panel, counts, title) in enumerate(zip(self.axes_, confusion, titles, strict=True)):
            self.displays_.append(self._draw(panel, counts, cmap))
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

    def _draw(self, panel, counts, cmap):
        """Draw one matrix with scikit-learn's display."""
        n_true = counts.sum(axis=1, keepdims=True)
        fraction = counts / np.maximum(n_true, 1)
        longest = max(len(str(name)) for name in self.classes)
        display = ConfusionMatrixDisplay(
            fraction if self.normalize else counts, display_labels=self.classes
        ).plot(
            ax=panel,
            cmap=cmap,
            colorbar=False,
            values_format=".2f" if self.normalize else "d",
            xticks_rotation="vertical" if longest > 4 else "horizontal",
            im_kw={"vmin": 0, "vmax": 1},
            text_kw={"fontsize": "small"},
        )
        # counts would be coloured by how common a class is
        lacks = np.broadcast_to(n_true == 0, fraction.shape)
        display.im_.set_data(np.ma.masked_where(lacks, fraction))
        for cell, text in np.ndenumerate(display.text_):
            # scikit-learn's colours are for its own scale
            text.set_color("white" if fraction[cell] > 0.5 else "black")
            if self.normalize and lacks[cell]:
                text.set(text="–", color=GREY)
        return display


def _count_columns(n_panels):
    """Return the number of columns that leaves the fewest gaps in nearly a square."""
    if n_panels <= 4:
        return n_panels
    first = min(7, ceil(sqrt(n_panels)))
    return min(first, first + 1, key=lambda n_columns: -n_panels % n_columns)

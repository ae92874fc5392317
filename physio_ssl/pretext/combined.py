"""Combined: several pretext tasks on one network."""

from numbers import Real

import numpy as np
import torch
from sklearn.base import clone
from torch import nn

from .._check import check_list
from ._embedding_task import EmbeddingTask
from .base import Pretext


class Combined(Pretext):
    """Train one network on several tasks; the loss is the weighted sum of theirs.

    Tasks on the embedding of distorted windows, `FeaturePrediction` and `RecordingContrast`, see
    the same view of each window, that of the first of them: they share one pass through the
    network. Every other task makes its own views.

    Parameters
    ----------
    tasks : sequence of Pretext
        The tasks.
    weights : sequence of float, default=None
        Weight of each task's loss; None for 1.

    Attributes
    ----------
    tasks_ : list of Pretext
        Clones of the tasks.

    Raises
    ------
    TypeError, ValueError
        In ``SSLEncoder.fit``, if ``tasks`` are no pretext tasks, or weights do not fit.

    See Also
    --------
    FeaturePrediction, RecordingContrast : Tasks that suit each other.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import ChannelStatistics, SSLEncoder
    >>> from physio_ssl.pretext import Combined, FeaturePrediction, StatisticsPrediction
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 80))
    >>> tasks = [FeaturePrediction(ChannelStatistics()), StatisticsPrediction()]
    >>> task = Combined(tasks, weights=[1, 0.5])
    >>> SSLEncoder(pretext=task, module__d_model=8, max_epochs=1).fit_transform(X).shape
    (8, 8)
    """

    def __init__(self, tasks, weights=None):
        self.tasks = tasks
        self.weights = weights

    def _get_tasks(self):
        if not hasattr(self, "tasks_"):
            tasks = check_list(self.tasks, "tasks", "a list of tasks")
            if not all(hasattr(task, "make_heads") for task in tasks):
                raise TypeError(f"tasks must be pretext tasks, see Pretext, got {self.tasks!r}.")
            if not tasks:
                raise ValueError("Combined needs at least one task, got none.")
            self.tasks_ = [clone(task) for task in tasks]
        return self.tasks_

    def _get_weights(self):
        n_tasks = len(self._get_tasks())
        given = [1] * n_tasks if self.weights is None else self.weights
        weights = [float(x) for x in check_list(given, "weights", "a list of numbers", of=Real)]
        if len(weights) != n_tasks or not all(x >= 0 for x in weights) or not any(weights):
            raise ValueError(
                f"weights must hold a number of at least 0 for each of {n_tasks} tasks, not all 0, "
                f"got {self.weights!r}."
            )
        return weights

    def make_targets(self, X, windows=None):
        """Return the targets of all tasks, named by the number of the task."""
        targets = [task.make_targets(X, windows) or {} for task in self._get_tasks()]
        return {
            f"{number} {name}": value
            for number, parts in enumerate(targets)
            for name, value in parts.items()
        } or None

    def add_windows(self, rows, targets, rng):
        """Return the rows, with those that the tasks add, one task after the other."""
        for number, task in enumerate(self._get_tasks()):
            rows = task.add_windows(rows, _select(targets, number), rng)
        return rows

    def get_learned(self):
        """Return what each task has learned."""
        return {"tasks_": [task.get_learned() for task in self._get_tasks()]}

    def set_learned(self, learned):
        """Take over what ``get_learned`` returned."""
        for task, part in zip(self._get_tasks(), learned.get("tasks_", ()), strict=False):
            task.set_learned(part)

    def make_heads(self, network):
        """Return the heads of all tasks."""
        self._get_weights()
        return nn.ModuleList(task.make_heads(network) for task in self._get_tasks())

    def make_views(self, signals, rng, targets=None):
        """Return the views of all tasks in one batch, with what each task needs of them."""
        views, parts, shared = [], [], None
        for number, task in enumerate(self._get_tasks()):
            own = _select(targets, number)
            if not isinstance(task, EmbeddingTask):
                inputs, target = task.make_views(signals, rng, *([own] if own else []))
                views.append(inputs)
                parts.append((len(views) - 1, target))
                continue
            if shared is None:
                shared = len(views)
                views.append(task.distort(signals, rng))
            parts.append((shared, task.choose_targets(signals, own)))
        ends = np.cumsum([len(next(iter(inputs.values()))) for inputs in views])
        rows = [slice(*pair) for pair in zip([0, *ends[:-1]], ends, strict=True)]
        inputs = {name: torch.cat([part[name] for part in views]) for name in signals}
        return inputs, [(rows[view], target) for view, target in parts]

    def loss(self, network, heads, inputs, target):
        """Return the weighted sum of the losses, and the metrics of all tasks."""
        tasks, weights = self._get_tasks(), self._get_weights()
        total, metrics, embedding = 0.0, {}, None
        for task, weight, head, (rows, part) in zip(tasks, weights, heads, target, strict=True):
            views = {name: x[rows] for name, x in inputs.items()}
            if isinstance(task, EmbeddingTask):
                embedding = network(**views) if embedding is None else embedding
                loss, found = task.embedding_loss(head, embedding, part)
            else:
                loss, found = task.loss(network, head, views, part)
            total = total + weight * loss
            for name, value in found.items():
                known = sum(other.startswith(name) for other in metrics)
                metrics[f"{name}_{known + 1}" if known else name] = value
        return total, metrics


def _select(targets, number):
    """Return the targets of one task, by its own names, or None."""
    own = {
        name.partition(" ")[2]: value
        for name, value in (targets or {}).items()
        if name.partition(" ")[0] == str(number)
    }
    return own or None

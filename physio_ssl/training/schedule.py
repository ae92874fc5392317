"""Callbacks of both nets: the learning rate from step to step, and a progress bar."""

from math import cos, pi

from skorch.callbacks import Callback, LRScheduler
from tqdm.auto import tqdm


def _count_batches(net, dataset):
    return len(net.get_iterator(dataset, training=True))


def _count_done(net):
    """Return the epochs done before; LoadInitState changes the history only after this."""
    return len(net.history) - net.epochs_.start


_DECAYS = {
    "linear": lambda fraction: 1 - fraction,
    "cosine": lambda fraction: (1 + cos(pi * fraction)) / 2,
}


class WarmupDecay(Callback):
    """Raise the learning rate linearly at first, then let it decay to 0 at the last step.

    Both nets have this callback under the name ``lr_schedule``, unless they are given a
    ``skorch.callbacks.LRScheduler``. It spans one call of ``fit`` or ``partial_fit``. The history
    holds the rate of each epoch's last step as ``learning_rate``.

    Parameters
    ----------
    warmup : float, default=0.0
        Fraction of all steps in which the rate rises; 0.06 means 30 of 500 epochs.
    decay : {"linear", "cosine"}, default="linear"
        Shape of the decay: a straight line, or half a cosine, which is slow at both ends.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is wrong, or an ``LRScheduler`` is given as well.

    See Also
    --------
    physio_ssl.SSLEncoder : Takes its parameters as ``callbacks__lr_schedule__...``.

    Examples
    --------
    >>> from physio_ssl import SSLEncoder
    >>> encoder = SSLEncoder(callbacks__lr_schedule__warmup=0.1)
    """

    def __init__(self, warmup=0.0, decay="linear"):
        self.warmup = warmup
        self.decay = decay

    def on_train_begin(self, net, **kwargs):
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be at least 0 and below 1, got {self.warmup}.")
        if self.decay not in _DECAYS:
            raise ValueError(f"decay must be one of {', '.join(_DECAYS)}, got {self.decay!r}.")
        self.active_ = not any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_)
        if not self.active_ and (self.warmup or self.decay != "linear"):
            raise ValueError(
                "Give an LRScheduler or callbacks__lr_schedule parameters, not both, got "
                f"warmup={self.warmup} and decay={self.decay!r}."
            )
        self.base_rates_ = [group["lr"] for group in net.optimizer_.param_groups]
        self.n_done_, self.step_ = _count_done(net), None

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        if self.active_ and self.step_ is None:
            n_batches = _count_batches(net, dataset_train)
            self.step_ = self.n_done_ * n_batches
            self.n_steps_ = len(net.epochs_) * n_batches

    def on_batch_begin(self, net, training=False, **kwargs):
        if self.active_ and training:
            self._set_rates(net, self._factor())
            self.step_ += 1

    def _factor(self):
        n_warmup = round(self.warmup * self.n_steps_)
        if self.step_ < n_warmup:
            return (self.step_ + 1) / (n_warmup + 1)  # a rate of 0 would waste the first step
        return _DECAYS[self.decay]((self.step_ - n_warmup) / (self.n_steps_ - n_warmup))

    def on_epoch_end(self, net, **kwargs):
        if self.active_:
            net.history.record("learning_rate", float(net.optimizer_.param_groups[0]["lr"]))
            self._set_rates(net, 1)  # a checkpoint would otherwise start from a rate near 0

    def on_train_end(self, net, **kwargs):
        if self.active_:
            self._set_rates(net, 1)  # partial_fit starts from here

    def _set_rates(self, net, factor):
        for group, rate in zip(net.optimizer_.param_groups, self.base_rates_, strict=True):
            group["lr"] = rate * factor


class ProgressBar(Callback):
    """Show one bar for the whole training if the net's ``verbose`` is not 0."""

    def __init__(self, title="pre-train"):
        self.title = title

    def on_train_begin(self, net, **kwargs):
        self.n_done_, self.bar_ = _count_done(net), None

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        if self.bar_ is None and net.verbose:
            n_batches = _count_batches(net, dataset_train)
            self.bar_ = tqdm(
                total=len(net.epochs_) * n_batches,
                initial=self.n_done_ * n_batches,
                desc=self.title,
                unit="batch",
            )

    def on_batch_end(self, net, training=False, **kwargs):
        if self.bar_ is not None and training:
            self.bar_.update()

    def on_epoch_end(self, net, **kwargs):
        if self.bar_ is not None:
            row = net.history[-1]
            shown = {name: f"{row[f'train_{name}']:.2f}" for name in net.metric_names_}
            self.bar_.set_postfix(epoch=row["epoch"], loss=f"{row['train_loss']:.2f}", **shown)

    def on_train_end(self, net, **kwargs):
        if self.bar_ is not None:
            self.bar_.close()
            self.bar_ = None

    def __getstate__(self):  # an open bar cannot be pickled
        return {**vars(self), "bar_": None}

"""SSLEncoder: a network pre-trained on a pretext task, as a scikit-learn transformer."""

import warnings
from contextlib import nullcontext

import numpy as np
import torch
from sklearn.base import TransformerMixin, clone
from sklearn.utils import check_consistent_length
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._check import check_context, check_weight
from .networks import MultimodalTransformer
from .pretext import TransformRecognition
from .pretext.base import get_learned, set_learned
from .training import (
    PretrainingNet,
    add_groups,
    measure_scale,
    never,
)


class SSLEncoder(TransformerMixin, PretrainingNet):
    """Embed windows with a network that ``fit`` pre-trains without labels.

    A skorch net that is a scikit-learn transformer.

    Parameters
    ----------
    module : class or instance of torch.nn.Module, default=MultimodalTransformer
        The network, see ``TokenNetwork``, built with the arguments ``module__...``;
        ``n_channels`` and ``n_times`` of each modality are filled in from the windows.
    pretext : class or instance, default=TransformRecognition
        The pretext task, with the arguments ``pretext__...``. See ``Pretext``.
    max_epochs : int, default=15
        Epochs of training.
    lr : float, default=1e-3
        Initial learning rate. It decays linearly to 0 at the last step; ``WarmupDecay`` lists the
        arguments ``callbacks__lr_schedule__...``, and ``callbacks__lr_schedule=None`` keeps it.
    batch_size : int, default=16
        Windows per training step. Batches differ by at most one window in size.
    optimizer : class, default=torch.optim.Adam
        Optimizer, with the arguments ``optimizer__...``.
    standardize : bool, default=True
        Whether to centre and scale each channel by its mean and standard deviation over all
        windows given to ``fit``, so that differences between windows remain.
    preprocessor : Preprocessor, default=None
        What makes such windows from recordings; kept with the encoder, also in its file.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, batches, dropout and views. The same seed gives the same
        embedding to the last bit on the CPU of one machine and torch version.
    device : str, default="cpu"
        Where to compute, such as "cuda".
    n_threads : int, default=1
        Threads of PyTorch on the CPU; results depend on their number. 1 suits several processes
        (``n_jobs``) and a machine that does other work, where several threads wait for each
        other and are many times slower. More suit one long training on idle cores.
    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the computations in ``fit``; weights and ``transform`` are float32. "bfloat16"
        pays off for wide networks with many tokens, on GPUs and CPUs with AVX512-BF16 or AMX.
    train_split : callable or None, default=None
        How to hold out windows: ``skorch.dataset.ValidSplit(GroupKFold(5))`` holds out subjects,
        with ``fit(X, groups=groups)``; ``skorch.helper.predefined_split`` takes other windows.
    callbacks : list of skorch callbacks, default=None
        E.g. ``EarlyStopping``; an ``LRScheduler`` replaces the schedule described at ``lr``.
    verbose : int, default=0
        Whether to show a progress bar.
    **kwargs
        Arguments ``module__...``, ``pretext__...``, ``optimizer__...`` and those of
        ``skorch.NeuralNet``.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained model, with the parts ``scaler``, ``network`` and ``heads``.
    pretext_ : Pretext
        The pretext task.
    history_ : skorch.history.History
        Loss and metrics of each epoch, e.g. ``history_[:, "train_accuracy_bvp"]``.
    n_channels_, n_times_ : dict from str to int
        Channels and samples per window of each modality.
    preprocessor_ : Preprocessor or None
        A copy of ``preprocessor``, which makes what ``transform`` takes; settable after ``fit``.
    loaded_from_ : str or None
        Name of the file that ``load_encoder`` read, until the next ``fit``, which warns.
    groups_seen_ : ndarray or None
        Subjects trained on, for ``audit_leakage``; None unless every training got ``groups``.
    n_features_in_ : int
        Samples per window; only if fitted on one 2-D array.

    Raises
    ------
    ValueError
        If samples are not finite, windows are too short for the network, a channel to be scaled is
        constant, or shapes are not those of ``fit`` or of the preprocessor.

    See Also
    --------
    SSLClassifier : Fine-tune the network with labels.
    HeadClassifier : Classify the embeddings.
    fit_resumable : Train with a checkpoint per epoch.

    Notes
    -----
    Fitted with ``module__modality_dropout`` above 0, ``transform`` and ``partial_fit`` accept
    windows that lack some modalities. The embedding keeps its width, but a model fitted on
    embeddings of complete windows does not suit those of incomplete ones.

    Windows may be ``np.memmap`` arrays larger than the memory, as from ``open_windows``: they are
    read in blocks. A ``SignalDict`` is not copied, whatever its dtype, but cross-validation copies
    the rows of each split.

    To continue from skorch's ``Checkpoint`` in a new process, call ``fit`` with ``max_epochs=0`` on
    the same windows, then ``load_params(checkpoint=...)``, set ``max_epochs`` and call
    ``partial_fit``. ``fit_resumable`` does all of this, without pickle.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 64)).astype("float32")
    >>> SSLEncoder(max_epochs=1, module__d_model=8, random_state=0).fit_transform(X).shape
    (8, 8)
    """

    #: A study pre-trains it once per fold, whatever is searched behind it.
    learns_without_labels = True

    def __init__(
        self,
        module=MultimodalTransformer,
        pretext=TransformRecognition,
        *,
        max_epochs=15,
        lr=1e-3,
        batch_size=16,
        optimizer=torch.optim.Adam,
        standardize=True,
        preprocessor=None,
        random_state=None,
        device="cpu",
        n_threads=1,
        precision="float32",
        train_split=None,
        callbacks=None,
        verbose=0,
        **kwargs,
    ):
        self.pretext = pretext
        self.standardize = standardize
        self.preprocessor = preprocessor
        self.random_state = random_state
        self.n_threads = n_threads
        self.precision = precision
        super().__init__(
            module,
            criterion=torch.nn.Identity,  # skorch needs one; the loss is the pretext task's
            max_epochs=max_epochs,
            lr=lr,
            batch_size=batch_size,
            optimizer=optimizer,
            device=device,
            train_split=train_split,
            callbacks=callbacks,
            verbose=verbose,
            **kwargs,
        )

    def fit(self, X, y=None, groups=None, sampling_weight=None, windows=None, **fit_params):
        """Pre-train the network on windows; labels ``y`` are ignored.

        Parameters
        ----------
        X : SignalDict, or array of shape (n_windows, n_channels, n_times) or (n_windows, n_times)
            Windows.
        y : ignored
            Present for scikit-learn.
        groups : array-like of shape (n_windows,), default=None
            Subject of each window, for ``train_split``; remembered as ``groups_seen_``.
        sampling_weight : array-like of shape (n_windows,), default=None
            How often each window is drawn, relative to the others, e.g. ``corpus_weights``. An
            epoch draws with replacement; None shows each window once. Neither the scaling nor
            held-out windows are weighted.
        windows : Windows, default=None
            The ``Windows`` that ``X`` are of, for tasks that need recordings and onsets, such as
            `RecordingContrast`. Their subjects are the ``groups`` unless these are given.
        **fit_params
            Passed to ``train_split``.

        Returns
        -------
        self
        """
        reset = not (self.warm_start and self.initialized_)
        return self._train(X, groups, sampling_weight, windows, fit_params, reset)

    def partial_fit(
        self, X, y=None, classes=None, groups=None, sampling_weight=None, windows=None, **fit_params
    ):
        """Continue training for ``max_epochs`` more epochs.

        The windows may lack modalities if those of ``transform`` may.
        """
        reset = not self.initialized_
        return self._train(X, groups, sampling_weight, windows, fit_params, reset)

    def _train(self, X, groups, sampling_weight, windows, fit_params, reset, checkpoint=None):
        """Train; ``checkpoint`` is a callback that can ``restore`` an earlier run of this one."""
        if "epochs" in fit_params:
            raise ValueError("The number of epochs is max_epochs; fit takes no epochs.")
        self._check_params()
        if reset:
            _forget_file(self)
        with self._fitting() if reset else nullcontext():
            X = self._check(X, reset=reset)
            weight = check_weight(sampling_weight, len(X), "sampling_weight")
            if windows is not None:
                check_consistent_length(X, windows)
                groups = windows.groups if groups is None else groups
            if groups is not None:
                check_consistent_length(X, groups)
                fit_params["groups"] = groups
            if reset:
                scale = measure_scale(X) if self.standardize else {}
                self._make_pretext()
            dataset = self._make_dataset(X, windows, weight)
            if reset:
                with self._reproducible():
                    self.initialize()
                self.module_.scaler.set_scale(scale)
                self.groups_seen_ = None if groups is None else np.unique(groups)
            else:
                self.groups_seen_ = add_groups(self.groups_seen_, groups)
            # Callbacks that load the best epoch fail if there is none.
            if self.max_epochs > 0 or checkpoint is not None:
                self._run_epochs(dataset, fit_params, checkpoint)
        return self

    def _run_epochs(self, dataset, fit_params, checkpoint):
        n_before = len(self.history)
        self.epochs_ = range(n_before, n_before + self.max_epochs)
        # Later calls use other seeds: the same views and batches again would teach less.
        with self._reproducible(n_before) as seed:
            self._rng_ = np.random.default_rng(seed)
            callbacks = self.callbacks_
            if checkpoint is not None:
                checkpoint.restore(self, dataset.X)
                self.callbacks_ = [*callbacks, ("checkpoint", checkpoint)]
            try:
                n_left = self.epochs_.stop - len(self.history)
                super().partial_fit(dataset, epochs=n_left, **fit_params)
            finally:
                self.callbacks_ = callbacks

    def transform(self, X):
        """Embed windows.

        Parameters
        ----------
        X : SignalDict, or array of shape (n_windows, n_channels, n_times)
            Windows like those of ``fit``.

        Returns
        -------
        ndarray of float32, of shape (n_windows, n_features)
            The network's embedding, the parts of each modality in the order of ``fit``.
        """
        return self._infer_all(self.check_windows(X))

    def untrained(self, random_state=0):
        """Return a copy with random weights that scales its input as this encoder does.

        Parameters
        ----------
        random_state : int, default=0
            Seed of the weights: they are those that ``fit`` with this seed starts from.

        Returns
        -------
        SSLEncoder
        """
        check_is_fitted(self)
        copy = clone(self).set_params(random_state=random_state)
        shapes = self.n_channels_.items()
        copy._set_shapes({name: (n, self.n_times_[name]) for name, n in shapes})
        copy._make_pretext()
        set_learned(copy.pretext_, get_learned(self.pretext_))
        with copy._reproducible():
            copy.initialize()
        copy.module_.scaler.load_state_dict(self.module_.scaler.state_dict())
        copy.groups_seen_ = self.groups_seen_  # which the scaling has seen
        return copy

    def get_feature_names_out(self, input_features=None):
        """Return column names: modality and number, or class name and number for one array."""
        check_is_fitted(self)
        prefix = {name: f"{name}_" for name in self.n_channels_}
        if list(prefix) == ["signal"]:
            prefix = {"signal": type(self).__name__.lower()}
        sizes = self.module_.network.embedding_size
        names = [f"{prefix[name]}{i}" for name, size in sizes.items() for i in range(size)]
        return np.asarray(names, dtype=object)

    def check_windows(self, X):
        """Return windows as a ``SignalDict``, or raise if ``transform`` would refuse them."""
        check_is_fitted(self)
        return self._check(X)

    def __str__(self):  # a fitted encoder; repr shows the parameters
        return _summarize(self) if self.__sklearn_is_fitted__() else repr(self)

    # An encoder embeds windows; it has none of skorch's predictions.
    predict = available_if(never)(PretrainingNet.predict)
    predict_proba = available_if(never)(PretrainingNet.predict_proba)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def build_encoder(encoder, n_channels, n_times, learned=None):
    """Return an encoder with random weights and no scaling, for windows of these shapes.

    ``learned`` is what its pretext task has learned before, as from ``get_learned``.
    """
    encoder._set_shapes({name: (n, n_times[name]) for name, n in n_channels.items()})
    encoder._make_pretext()
    set_learned(encoder.pretext_, learned)
    encoder.groups_seen_ = None
    with torch.random.fork_rng([]):  # the global generator is left alone
        encoder.initialize()
    return encoder


def _forget_file(encoder):
    """Warn that a new fit gives up the weights of a file."""
    if getattr(encoder, "loaded_from_", None) is not None:
        warnings.warn(
            f"fit discards the weights loaded from {encoder.loaded_from_} and trains new ones: "
            "put FrozenEstimator(encoder) into pipelines to keep them, or fit clone(encoder) "
            "to train anew.",
            stacklevel=4,
        )
        encoder.loaded_from_ = None


def _summarize(encoder):
    """Return what a fitted encoder takes, gives and has seen, in four lines."""
    source = getattr(encoder, "loaded_from_", None)
    title = " ".join(filter(None, [type(encoder).__name__, source]))
    network, pretext = (type(x).__name__ for x in (encoder.module_.network, encoder.pretext_))
    shapes = [f"{x} {n} x {encoder.n_times_[x]}" for x, n in encoder.n_channels_.items()]
    preprocessor = encoder.preprocessor_
    length = "" if preprocessor is None else f", {preprocessor.duration:g} s"
    context = check_context(getattr(preprocessor, "context", 0))
    if any(context):
        length += f" with {context[0]:g} s before and {context[1]:g} s after"
    size, seen = sum(encoder.module_.network.embedding_size.values()), encoder.groups_seen_
    people = "unknown"
    if seen is not None:
        more = ", ..." if len(seen) > 3 else ""
        people = f"{len(seen)} ({', '.join(map(str, seen[:3]))}{more})"
    return (
        f"{title}: {network}, {pretext}\n"
        f"  windows: {', '.join(shapes)} samples{length}\n"
        f"  embedding: {size} values\n"
        f"  subjects seen: {people}"
    )

"""SSLEncoder: a network pre-trained on a pretext task, as a scikit-learn transformer."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_consistent_length, gen_batches
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet
from skorch.callbacks import EpochTimer, PassthroughScoring
from skorch.dataset import Dataset

from ._check import check_finite, check_windows
from ._training import (
    ProgressBar,
    RestoreHeads,
    WarmupDecay,
    WindowDataset,
    WindowNetMixin,
    get_sampling_weight,
)
from .containers import SignalDict
from .networks import MultimodalTransformer
from .preprocessing.preprocessor import check_preprocessor
from .pretext import TransformRecognition

_BYTES_AT_ONCE = 2**28  # of windows, while their scale is measured


def _check_weight(sampling_weight, n_windows):
    """Return sampling weights as an array, or raise."""
    if sampling_weight is None:
        return None
    try:
        weight = np.asarray(sampling_weight, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sampling_weight must hold numbers: {error}") from error
    if weight.shape != (n_windows,):
        raise ValueError(
            f"sampling_weight must hold one number for each of the {n_windows} windows, got the "
            f"shape {weight.shape}."
        )
    if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise ValueError(
            "sampling_weight must be finite, not negative and not 0 for all windows, got "
            f"values from {weight.min()} to {weight.max()}."
        )
    return weight


class SSLEncoder(WindowNetMixin, TransformerMixin, NeuralNet):
    """Embed windows with a network that was pre-trained, in ``fit``, without labels.

    A skorch net that is a scikit-learn transformer: ``fit`` trains the network on a pretext
    task, ``transform`` returns its embedding of each window.

    Parameters
    ----------
    module : class or instance of torch.nn.Module, default=MultimodalTransformer
        The network, built with the arguments ``module__...``; ``n_channels`` and
        ``n_times`` of each modality are filled in from the windows.
    pretext : class or instance, default=TransformRecognition
        The pretext task, with the arguments ``pretext__...``.
    max_epochs : int, default=15
        Passes over the windows.
    lr : float, default=1e-3
        Learning rate of the first batch; it falls in a line to 0 at the last one.
        ``callbacks__lr_schedule__warmup=0.06`` lets it rise before, in that share of all
        steps; ``callbacks__lr_schedule__decay="cosine"`` lets it fall as a cosine;
        ``callbacks__lr_schedule=None`` keeps it constant.
    batch_size : int, default=16
        Windows per training step. Batches differ by at most one window in size.
    optimizer : class, default=torch.optim.Adam
        Optimiser, with the arguments ``optimizer__...``. The paper's is ``torch.optim.SGD``
        with ``lr=5e-3``, ``optimizer__momentum=0.9``, ``optimizer__weight_decay=5e-7``, in
        batches of 32 and without decay.
    standardize : bool, default=True
        Whether to centre and scale each channel by its mean and standard deviation over
        all windows given to ``fit`` (one pair of numbers per channel, so differences between
        windows remain). False for windows that are standardised already.
    preprocessor : Preprocessor, default=None
        What makes such windows of recordings; it is kept, in files too, for whoever uses the
        encoder. ``fit`` raises ``ValueError`` for windows of other modalities or lengths.
    random_state : int, RandomState instance or None, default=None
        Seed of initial values, batches, dropout and views. The same seed gives the same
        embedding to the last bit on the CPU of one machine and torch version.
    device : str, default="cpu"
        Where to compute, e.g. "cuda".
    n_threads : int, default=1
        Threads of PyTorch on the CPU while ``fit`` trains. Fixed, and not what PyTorch
        would choose, as gradients differ in their last bits when sums are split otherwise.
        1 suits several processes (``n_jobs``); for one long training give the number of
        cores.
    precision : {"float32", "bfloat16"}, default="float32"
        Of what the network computes while ``fit`` trains; weights, and all of ``transform``,
        are float32. "bfloat16" has the range of float32 but 8 bits of it: it pays for wide
        networks of many tokens, on processors that have it (AVX512-BF16, AMX) and on GPUs.
    train_split : callable or None, default=None
        None trains on all windows. ``skorch.dataset.ValidSplit(GroupKFold(5))`` holds out
        subjects, with ``fit(X, groups=groups)``;
        ``skorch.helper.predefined_split(skorch.dataset.Dataset(X_valid))`` evaluates on others.
    callbacks : list of skorch callbacks, default=None
        E.g. early stopping. A learning rate scheduler needs
        ``callbacks__lr_schedule=None`` beside it; ``GradientNormClipping(1.0)`` clips
        gradients.
    verbose : int, default=0
        Whether to show a progress bar.
    **kwargs
        Arguments ``module__...``, ``pretext__...``, ``optimizer__...`` and those of
        ``skorch.NeuralNet``.

    Attributes
    ----------
    history_ : skorch.history.History
        Loss, and per modality the accuracy (or, of masked prediction, the error) of the
        pretext task, e.g. ``history_[:, "train_accuracy_bvp"]``.
    module_ : torch.nn.Module
        The trained network.
    n_channels_, n_times_ : dict from str to int
        What windows of each modality must look like.
    preprocessor_ : Preprocessor or None
        A copy of ``preprocessor``: ``preprocessor_.make_windows(recordings)`` makes what
        ``transform`` takes. To be set after ``fit`` where it was not given before.
    groups_seen_ : ndarray or None
        The subjects trained on, where each training was told ``groups``: with it,
        ``audit_leakage`` finds an encoder that has seen test subjects.
    center_, scale_ : dict from str to ndarray of shape (n_channels, 1)
        Mean and standard deviation of each channel; only where ``standardize``.
    n_features_in_ : int
        Samples per window; only where fitted on one array of two dimensions.

    Notes
    -----
    Windows are one array, of shape (n_windows, n_channels, n_times) or (n_windows,
    n_times), or a mapping of several, such as ``SignalDict``. ``fit`` and ``transform``
    raise ``ValueError`` for NaN or infinite samples, for a channel that is constant over
    all training windows (where it would be scaled), for windows shorter than the
    network's receptive field, and for modalities, channels or lengths other than those
    of ``fit``.

    Fitted with ``module__modality_dropout`` above 0, ``transform`` and ``partial_fit`` take
    windows that lack some, not all, of the modalities of ``fit``. The embedding is as wide
    as ever, but another one: what is fitted on embeddings of complete windows does not suit
    those of windows that lack a modality.

    Windows may be ``np.memmap`` arrays larger than the memory, as of ``open_windows``:
    they are checked and scaled in blocks, and a batch reads, and turns to float32, its own
    windows only. (A single array of another type than float32 and float64 is copied first:
    put it in a ``SignalDict``.) Splits as of cross-validation copy their rows: train on the
    whole, once.

    ``fit_resumable`` keeps a checkpoint of each pass, and goes on from it after a kill. A
    ``skorch.callbacks.Checkpoint`` needs ``f_heads="heads.pt"``. To go on from one in a new
    process, build the encoder with ``max_epochs=0`` and ``fit`` on the same windows, call
    ``load_params(checkpoint=checkpoint)``, set ``max_epochs`` and call ``partial_fit``.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 64)).astype("float32")
    >>> SSLEncoder(max_epochs=1, module__d_model=8, random_state=0).fit_transform(X).shape
    (8, 8)
    """

    prefixes_ = (*NeuralNet.prefixes_, "pretext")
    _built_by = ("module", "pretext")

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
            max_epochs=max_epochs,
            lr=lr,
            batch_size=batch_size,
            optimizer=optimizer,
            device=device,
            train_split=train_split,
            callbacks=callbacks,
            verbose=verbose,
            # skorch asks for a criterion; the loss is the pretext task's.
            criterion=kwargs.pop("criterion", torch.nn.Identity),
            **kwargs,
        )
        self.prefixes_ = list(self.prefixes_)

    # What users call

    def fit(self, X, y=None, groups=None, sampling_weight=None, **fit_params):
        """Pre-train the network on windows; labels ``y`` are ignored.

        Parameters
        ----------
        X : SignalDict, or array of shape (n_windows, n_channels, n_times)
            Windows.
        y : ignored
            Present for scikit-learn.
        groups : array-like of shape (n_windows,), default=None
            Subject of each window, for ``train_split``; remembered as ``groups_seen_``.
        sampling_weight : array-like of shape (n_windows,), default=None
            How often each window is drawn, relative to the others: as many windows per pass
            as there are to train on, drawn with replacement, e.g. by ``corpus_weights``. None
            shows each window once per pass. It concerns neither the scaling, to which all
            windows count alike, nor windows that are held out.
        **fit_params
            Passed to ``train_split``.

        Returns
        -------
        self
        """
        reset = not self.warm_start or not self.initialized_
        return self._train(X, groups, sampling_weight, fit_params, reset)

    def partial_fit(self, X, y=None, classes=None, groups=None, sampling_weight=None, **fit_params):
        """Train on, from where the last call ended, for ``max_epochs`` more.

        The windows may lack modalities where those of ``transform`` may.
        """
        return self._train(X, groups, sampling_weight, fit_params, reset=not self.initialized_)

    def _train(self, X, groups, sampling_weight, fit_params, reset):
        if "epochs" in fit_params:
            raise ValueError("The number of passes is max_epochs; fit takes no epochs.")
        if reset:
            self.initialized_ = False  # should a check fail, no mixture of fits is left
        X = self._check(X, reset=reset)
        weight = _check_weight(sampling_weight, len(X))
        if groups is not None:
            check_consistent_length(X, groups)
            fit_params["groups"] = groups
        if reset:
            self._initialize_seeded()
        self.remember_groups(groups, anew=not len(self.history))
        # A later call draws anew: the same views and batches again would teach less.
        with self._reproducible(n_before=len(self.history)) as seed:
            self._rng_ = np.random.default_rng(seed)
            super().partial_fit(WindowDataset(X, sampling_weight=weight), **fit_params)
        return self

    def transform(self, X):
        """Embed windows.

        Parameters
        ----------
        X : SignalDict, or array of shape (n_windows, n_channels, n_times)
            Windows like those of ``fit``; some modalities may be left out where
            ``module__modality_dropout`` is above 0.

        Returns
        -------
        ndarray of float32, of shape (n_windows, n_features)
            The network's embedding: of each modality of ``fit`` one part.
        """
        check_is_fitted(self)
        return self._infer_all(self._check(X))

    def get_feature_names_out(self, input_features=None):
        """Name the columns: modality and number, or class name and number for one array."""
        check_is_fitted(self)
        one_array = list(self.n_channels_) == ["signal"]
        names = [
            f"{type(self).__name__.lower()}{i}" if one_array else f"{modality}_{i}"
            for modality, size in self.module_.embedding_size.items()
            for i in range(size)
        ]
        return np.asarray(names, dtype=object)

    def build(self, shapes):
        """Build the untrained network; ``transform`` works, with random weights.

        Parameters
        ----------
        shapes : mapping from str to (int, int)
            Number of channels and of samples per window of each modality.

        Returns
        -------
        self
        """
        if self.standardize:
            raise ValueError("Without windows nothing can be scaled: set standardize=False.")
        self.n_channels_ = {name: shape[0] for name, shape in shapes.items()}
        self.n_times_ = {name: shape[1] for name, shape in shapes.items()}
        self.preprocessor_ = check_preprocessor(self.preprocessor, self.n_times_)
        self.center_ = self.scale_ = self.groups_seen_ = None
        self._initialize_seeded()
        return self

    def save(self, path):
        """Write the fitted encoder to one file, without pickle, as ``save_encoder`` does."""
        from .persistence import save_encoder  # here, as it needs this module

        save_encoder(self, path)

    # Checks and scaling

    def remember_groups(self, groups, anew):
        """Note the subjects trained on; None, if those of any training are not known."""
        if groups is None or not (anew or self.groups_seen_ is not None):
            self.groups_seen_ = None
        else:
            self.groups_seen_ = np.unique(groups if anew else [*self.groups_seen_, *groups])

    def check_signals(self, X):
        """Return windows such as ``transform`` takes as a ``SignalDict``, or raise."""
        check_is_fitted(self)
        return self._check(X)

    def scale_signals(self, signals):
        """Centre and scale a batch, a dict of tensors, as the network was trained on it."""
        signals = {name: x.to(self.device) for name, x in signals.items()}
        if self.center_ is None:
            return signals
        return {
            name: (x - self._like(self.center_[name], x)) / self._like(self.scale_[name], x)
            for name, x in signals.items()
        }

    def unscale_signals(self, signals):
        """Undo ``scale_signals``, e.g. on signals that the network predicts."""
        if self.center_ is None:
            return signals
        return {
            name: x * self._like(self.scale_[name], x) + self._like(self.center_[name], x)
            for name, x in signals.items()
        }

    @staticmethod
    def _like(array, x):
        return torch.as_tensor(array, dtype=x.dtype, device=x.device)

    def _check(self, X, reset=False):
        """Return windows as a SignalDict, or raise; none is copied, batches become float32."""
        if isinstance(X, Mapping) and not issparse(X):  # one sparse format is a Mapping
            X = SignalDict(X)
        else:
            X = SignalDict(signal=check_windows(X, self, reset=reset))
        for name, array in X.items():
            if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
                raise ValueError(f"Modality {name!r} must hold real numbers, got {array.dtype}.")
            check_finite(array, name)
        if len(X) == 0:
            raise ValueError("Found array with 0 sample(s), at least 1 window is needed.")
        if reset:
            self.n_channels_ = {name: array.shape[1] for name, array in X.items()}
            self.n_times_ = {name: array.shape[2] for name, array in X.items()}
            self.preprocessor_ = check_preprocessor(self.preprocessor, self.n_times_)
            self._set_scale(X)
        self._check_like_fit(X)
        return SignalDict({name: X[name] for name in self.n_times_ if name in X})

    def _set_scale(self, X):
        if not self.standardize:
            self.center_ = self.scale_ = None
            return
        self.center_, self.scale_ = {}, {}
        for name, array in X.items():
            center = array.mean(axis=(0, 2), dtype=np.float64)
            # In blocks, as differences of all windows at once could fill the memory.
            squares = []
            n_bytes = center.itemsize * array.shape[1] * array.shape[2]  # of one difference
            for rows in gen_batches(len(array), min(1024, max(1, _BYTES_AT_ONCE // n_bytes))):
                difference = array[rows] - center[:, np.newaxis]
                squares.append(np.square(difference, out=difference).sum(axis=(0, 2)))
            scale = np.sqrt(sum(squares) / (len(array) * array.shape[2]))
            # Rounding leaves a constant of 33.3 with a tiny spread: compare with its size.
            flat = np.flatnonzero(scale <= 1e-6 * np.abs(center))
            if len(flat):
                raise ValueError(
                    f"Every channel needs spread to be scaled, but channel {flat[0]} of "
                    f"{name!r} is constant at {center[flat[0]]:g} in all windows: leave it "
                    "out, or set standardize=False."
                )
            self.center_[name], self.scale_[name] = center[:, None], scale[:, None]

    def _advise(self, name):
        """Say what may be wrong with the length of a modality's windows."""
        preprocessor = check_preprocessor(self.preprocessor_, self.n_times_)
        if preprocessor is None:
            return "is their duration or sampling rate another?"
        rate = preprocessor.output_sampling_rate[name]
        return (
            f"these are {preprocessor.duration:g} s at {rate:g} Hz, as the encoder's "
            "preprocessor_.make_windows makes them of recordings."
        )

    def _check_like_fit(self, X):
        if set(X) != set(self.n_channels_):
            self._check_left_out(X)
        for name, array in X.items():
            expected = (self.n_channels_[name], self.n_times_[name])
            if array.shape[1:] != expected:
                raise ValueError(
                    f"Windows of {name!r} must have the (n_channels, n_times) of fit, "
                    f"{expected}, got {array.shape[1:]}: {self._advise(name)}"
                )

    def _check_left_out(self, X):
        """Raise unless ``X`` only lacks modalities, and the network can do without."""
        fewer = set(X) < set(self.n_channels_)
        dropout = getattr(self.module_, "modality_dropout", None)  # other networks have none
        if fewer and dropout:
            return
        advice = ""
        if fewer and dropout is not None:
            advice = ": to leave some out, fit with module__modality_dropout above 0, e.g. 0.3"
        raise ValueError(
            f"Modalities must be those of fit, {', '.join(self.n_channels_)}, got "
            f"{', '.join(X)}{advice}."
        )

    # skorch's hooks

    def initialize_module(self):
        """Build the network for the windows at hand, and the pretext task's heads."""
        if not hasattr(self, "n_channels_"):
            raise NotFittedError(
                "The network is built for windows: call fit first (max_epochs=0 only builds it)."
            )
        shapes = {"n_channels": self.n_channels_, "n_times": self.n_times_}
        kwargs = {**shapes, **self.get_params_for("module")}
        if isinstance(self.module, torch.nn.Module):
            # A copy: folds must not share weights, and the user's network stays as it is.
            self.module_ = copy.deepcopy(self.module)
        else:
            self.module_ = self.module(**kwargs)
        if list(self.module_.embedding_size) != list(self.n_channels_):
            raise ValueError(
                f"The network embeds {', '.join(self.module_.embedding_size)}, but the "
                f"windows hold {', '.join(self.n_channels_)}."
            )
        kwargs = self.get_params_for("pretext")
        if isinstance(self.pretext, type):
            self.pretext_ = self.pretext(**kwargs)
        else:
            self.pretext_ = clone(self.pretext).set_params(**kwargs)
        self.heads_ = self.pretext_.make_heads(self.module_)
        return self

    def get_split_datasets(self, X, y=None, **fit_params):
        """Hold out windows; those of ``predefined_split`` are checked as all others are."""
        train, valid = super().get_split_datasets(X, y, **fit_params)
        if isinstance(valid, Dataset):
            valid = self.get_dataset(self._check(valid.X))
        if get_sampling_weight(X) is not None and get_sampling_weight(train) is None:
            raise ValueError(
                "With sampling_weight, train_split must return a torch Subset of the windows, "
                f"as skorch's ValidSplit does, got a {type(train).__name__}."
            )
        return train, valid

    def infer(self, x, **fit_params):
        """Embed one batch; ``fit_params`` such as groups are not the network's."""
        return self.module_(**self.scale_signals(x))

    def train_step_single(self, batch, **fit_params):
        """Compute loss and gradients of one batch."""
        self._set_training(True)
        loss = self._pretext_loss(batch, "train")
        loss.backward()
        return {"loss": loss, "y_pred": None}

    def validation_step(self, batch, **fit_params):
        """Compute the loss of one batch of held-out windows."""
        self._set_training(False)
        with torch.no_grad():
            return {"loss": self._pretext_loss(batch, "valid"), "y_pred": None}

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Refuse checkpoints without the heads: a training could not go on from them."""
        for _, callback in self.callbacks_:
            if getattr(callback, "f_params", None) and not getattr(callback, "f_heads", None):
                raise ValueError(
                    "A checkpoint of the network needs the pretext task's heads, too: "
                    f"{type(callback).__name__}(f_heads='heads.pt', ...)."
                )

    def on_epoch_end(self, net, **kwargs):
        """Average the batches' pretext metrics, as skorch does with losses."""
        batches = self.history[-1]["batches"]
        for prefix in ("train", "valid"):
            size = f"{prefix}_batch_size"
            rows = [row for row in batches if size in row]
            for name in rows[0] if rows else ():
                if name.startswith(prefix) and name not in (size, f"{prefix}_loss"):
                    values = [row[name] for row in rows]
                    mean = np.average(values, weights=[row[size] for row in rows])
                    self.history.record(name, float(mean))

    @property
    def _default_callbacks(self):
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring("train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring("valid_loss")),
            ("lr_schedule", WarmupDecay()),
            ("restore_heads", RestoreHeads()),
            ("progress_bar", ProgressBar()),
        ]

    def _pretext_loss(self, batch, prefix):
        signals, _ = batch
        inputs, target = self.pretext_.make_views(self.scale_signals(signals), self._rng_)
        with self._autocast():
            loss, metrics = self.pretext_.loss(self.module_, self.heads_, inputs, target)
        for name, value in metrics.items():
            self.history.record_batch(f"{prefix}_{name}", value)
        return loss

    # What scikit-learn and skorch ask for

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _hidden(self):
        raise AttributeError(f"{type(self).__name__} embeds windows; it predicts nothing.")

    predict = predict_proba = score = property(_hidden)

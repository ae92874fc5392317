"""Encoders in one safetensors file each."""

import warnings
from contextlib import suppress
from importlib.metadata import version
from inspect import signature
from pathlib import Path

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

import physio_ssl

from .._check import check_list
from ..encoder import SSLEncoder, build_encoder
from ..pretext.base import get_learned
from ..training import check_preprocessor
from ._plain_json import from_json, to_json
from ._tensor_file import load_state, read_file, restore_history, summarize_history, write_file

_FORMAT = "physio_ssl.encoder"
_VERSION = 3
_WEIGHTS = Path(physio_ssl.__file__).parent / "weights"  # those that come with the package
_NEEDED = ("params", "defaults", "preprocessor", "n_channels", "n_times", "groups_seen", "history")


def save_encoder(encoder, path):
    """Write a fitted encoder to one file, without pickle.

    A safetensors file holds tensors and text but no code: the state of the model and, as JSON,
    parameters, preprocessor, shapes, subjects seen and history. An existing file is replaced, all
    or nothing.

    Parameters
    ----------
    encoder : SSLEncoder, or FrozenEstimator around one
        Fitted, with its network given as a class. Networks, pretext tasks, transforms and
        preprocessing steps of your own must later be given to ``load_encoder``.
    path : str or path
        A file name that ends in ``.safetensors``.

    Raises
    ------
    TypeError
        If ``encoder`` is not an ``SSLEncoder``, or its ``preprocessor_`` not a ``Preprocessor``.
    NotFittedError
        If it is not fitted, or its network or pretext task were changed since.
    ValueError
        If network, pretext task or preprocessor cannot be written as JSON, if the preprocessor
        makes other windows than the encoder takes, or if the file name is wrong.

    Warns
    -----
    UserWarning
        If parameters of training, such as callbacks, cannot be written. They are named and left
        out: a new ``fit`` would use the defaults. ``device`` is always left out.

    See Also
    --------
    load_encoder : Read such a file.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder, load_encoder, save_encoder
    >>> X = np.random.default_rng(0).normal(size=(8, 1, 64))
    >>> encoder = SSLEncoder(max_epochs=1, module__d_model=8, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_encoder(encoder, f"{folder}/mine.safetensors")
    ...     loaded = load_encoder(f"{folder}/mine.safetensors")
    >>> bool((loaded.transform(X) == encoder.transform(X)).all())
    True
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"The file name must end in .safetensors, got {path.name}.")
    if isinstance(encoder, FrozenEstimator):
        encoder = encoder.estimator
    if type(encoder) is not SSLEncoder:
        raise TypeError(f"Only an SSLEncoder can be saved, got {type(encoder).__name__}.")
    if not encoder.initialized_:
        raise NotFittedError("Only an encoder fitted with its present parameters can be saved.")
    params, left_out = _encode_params(encoder)
    names, groups = getattr(encoder, "feature_names_in_", None), encoder.groups_seen_
    preprocessor = check_preprocessor(encoder.preprocessor_, encoder.n_times_)
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "versions": {
            "physio_ssl": physio_ssl.__version__,
            **{name: version(name) for name in ("torch", "skorch", "scikit-learn", "numpy")},
        },
        "params": params,
        "defaults": _encode_defaults(encoder),
        "preprocessor": _encode("preprocessor_", preprocessor),
        "n_channels": encoder.n_channels_,
        "n_times": encoder.n_times_,
        "n_features_in": getattr(encoder, "n_features_in_", None),
        "feature_names_in": None if names is None else list(names),
        "groups_seen": _encode("groups_seen_", None if groups is None else groups.tolist()),
        "history": summarize_history(encoder.history_),
        "pretext_learned": _encode("pretext_", get_learned(encoder.pretext_)),
    }
    write_file(path, encoder.module_.state_dict(), content)
    if left_out:
        warnings.warn(
            f"{path} leaves out what cannot be written as JSON: {', '.join(left_out)}. The "
            "embedding stays the same, but a new fit would use the defaults.",
            stacklevel=2,
        )


def load_encoder(path, classes=()):
    """Read an encoder that ``save_encoder`` wrote, or one that comes with physio_ssl.

    No code in the file is run: it can only name classes of physio_ssl, torch's optimizers and
    the classes given here.

    Parameters
    ----------
    path : str or path
        The file, whose name ends in ``.safetensors``, or the name of an encoder that comes with
        physio_ssl; an unknown name is an error that lists them.
    classes : iterable of type, default=()
        Classes of your own that the file may name, such as the network's.

    Returns
    -------
    SSLEncoder
        Fitted, on the CPU. ``FrozenEstimator(load_encoder(path))`` keeps its weights in
        cross-validation; ``clone`` and ``fit`` train again with the same settings.

    Raises
    ------
    FileNotFoundError
        If there is no such file or name.
    ValueError
        If the file is damaged, of another kind or version, or names another class.

    See Also
    --------
    save_encoder : Write such a file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from physio_ssl import SSLEncoder, load_encoder, save_encoder
    >>> X = np.random.default_rng(0).standard_normal((8, 1, 64))
    >>> encoder = SSLEncoder(max_epochs=1, module__d_model=8).fit(X)
    >>> with TemporaryDirectory() as folder:
    ...     save_encoder(encoder, Path(folder, "encoder.safetensors"))
    ...     loaded = load_encoder(Path(folder, "encoder.safetensors"))
    >>> bool((loaded.transform(X) == encoder.transform(X)).all())
    True
    """
    if not all(isinstance(cls, type) for cls in check_list(classes, "classes")):
        raise TypeError(f"classes must hold classes, got {classes}.")
    path = _find(path)
    tensors, content = read_file(path, _FORMAT, _VERSION, _NEEDED)
    try:
        encoder = _build(content, classes)
    except Exception as error:  # the settings of a damaged file can make a class raise anything
        raise ValueError(f"No encoder can be built from {path}: {error}.") from error
    load_state(encoder.module_, tensors, path)
    encoder.module_.eval()
    encoder.loaded_from_ = path.stem
    return encoder


def _find(path):
    """Return the file of a path, or of the name of an encoder of the package."""
    shipped = {file.stem: file for file in sorted(_WEIGHTS.glob("*.safetensors"))}
    found = shipped.get(str(path), Path(path))
    if not found.is_file():
        raise FileNotFoundError(
            f"No encoder at {path}: give a .safetensors file, or one of {', '.join(shipped)}."
        )
    return found


def _encode(name, value):
    try:
        return to_json(value)
    except TypeError as error:
        raise ValueError(f"{name} cannot be written as JSON: {error}.") from error


def _encode_params(encoder):
    """Return the parameters as plain values, and the names of those that cannot be written."""
    defaults = SSLEncoder().get_params(deep=False)
    params, left_out = {}, []
    for name, value in encoder.get_params(deep=False).items():
        if name.startswith(("module", "pretext")):
            params[name] = _encode(name, value)
        elif name not in ("device", "preprocessor"):  # of the machine; written separately
            try:
                params[name] = to_json(value)
            except TypeError:
                if value is not defaults.get(name):
                    left_out.append(name)
    # Arguments of a part that is left out would be given to the default one.
    orphaned = [name for name in params if name.partition("__")[0] in left_out]
    return {name: params[name] for name in params if name not in orphaned}, left_out + orphaned


def _encode_defaults(encoder):
    """Return the default arguments of network and pretext; a later version may change them."""
    found = {}
    for part in ("module", "pretext"):
        if isinstance(getattr(encoder, part), type):
            for name, argument in signature(getattr(encoder, part)).parameters.items():
                if argument.default is not argument.empty:
                    with suppress(TypeError):
                        found[f"{part}__{name}"] = to_json(argument.default)
    return found


def _build(content, classes):
    """Return an encoder as the file describes it, with random weights."""
    unknown = []
    params = {name: from_json(x, classes, unknown) for name, x in content["params"].items()}
    preprocessor = from_json(content["preprocessor"], classes, unknown)
    if unknown:
        raise ValueError(
            f"it names classes that are not of physio_ssl, {unknown}: if you trust them, add them "
            "to load_encoder(path, classes=[...])"
        )
    learned = [name for name in params if name.endswith("_")]
    if learned:
        raise ValueError(f"{', '.join(learned)} cannot be parameters")
    today = _encode_defaults(SSLEncoder(**params))
    for name, value in content["defaults"].items():
        if today.get(name, value) != value:
            params.setdefault(name, from_json(value, classes, unknown))
    encoder = SSLEncoder(**params, preprocessor=preprocessor)
    learned = from_json(content.get("pretext_learned"))
    build_encoder(encoder, content["n_channels"], content["n_times"], learned)
    groups = from_json(content["groups_seen"])
    encoder.groups_seen_ = None if groups is None else np.asarray(groups)
    encoder.history_ = restore_history(content["history"])
    if content.get("n_features_in") is not None:
        encoder.n_features_in_ = content["n_features_in"]
    if content.get("feature_names_in") is not None:
        encoder.feature_names_in_ = np.asarray(content["feature_names_in"], dtype=object)
    return encoder

"""Encoders in one safetensors file each: tensors, and JSON for all that is not a tensor."""

import json
import math
import warnings
from contextlib import suppress
from importlib.metadata import version
from inspect import signature
from numbers import Real
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from skorch.history import History

import physio_ssl

from .._files import replace_file
from ..encoder import SSLEncoder
from ..preprocessing.preprocessor import check_preprocessor
from ._plain_values import decode, encode

_FORMAT = "physio_ssl.encoder"
_VERSION = 2  # 1 had no preprocessor, nor infinite numbers
_WEIGHTS = Path(physio_ssl.__file__).parent / "weights"  # those that come with the package
_NEEDED = (
    "params",
    "defaults",
    "preprocessor",
    "n_channels",
    "n_times",
    "scaled",
    "groups_seen",
    "history",
)


def save_encoder(encoder, path):
    """Write a fitted encoder to one file, without pickle.

    The file is in the safetensors format, which holds tensors and text but no code: the
    weights of the network and of the pretext task's heads, the scaling of the channels, and
    as JSON the parameters, the preprocessor and the shapes of the windows, the subjects seen and
    the training history per epoch. An existing file is replaced, all or nothing.

    Parameters
    ----------
    encoder : SSLEncoder, or FrozenEstimator around one
        Fitted or built. Its network must be given as a class of ``physio_ssl.networks``; its
        pretext task as a class or instance of ``physio_ssl.pretext``, with transforms of
        ``physio_ssl.transforms``; the steps of its ``preprocessor_`` as estimators of
        ``physio_ssl.preprocessing``.
    path : str or path
        A file name that ends in ``.safetensors``.

    Raises
    ------
    TypeError
        If ``encoder`` is not an ``SSLEncoder``, or its ``preprocessor_`` not a ``Preprocessor``.
    NotFittedError
        If it is not fitted, or its network or pretext task were changed since.
    ValueError
        If the network, the pretext task or the preprocessor, or an argument of theirs, cannot be
        written as JSON, if the preprocessor makes other windows than the encoder takes, or if
        the file name ends otherwise.

    Warns
    -----
    UserWarning
        If other parameters, which only concern training, cannot be written: callbacks,
        ``train_split``, optimisers that are not torch's. They are named and left out; the
        loaded encoder embeds alike, but a new ``fit`` would use their defaults. ``device``
        is always left out.

    See Also
    --------
    load_encoder : Read such a file.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"The file name must end in .safetensors, got {path.name}.")
    if isinstance(encoder, FrozenEstimator):
        encoder = encoder.estimator
    if type(encoder) is not SSLEncoder:
        raise TypeError(f"Only an SSLEncoder can be saved, got {type(encoder).__name__}.")
    if not encoder.initialized_:
        raise NotFittedError("An encoder must be fitted, with the parameters it has, to be saved.")
    params, left_out = _encode_params(encoder)
    names = getattr(encoder, "feature_names_in_", None)
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "versions": {
            "physio_ssl": physio_ssl.__version__,
            **{name: version(name) for name in ("torch", "skorch", "scikit-learn", "numpy")},
        },
        "params": params,
        "defaults": _encode_defaults(encoder),
        "preprocessor": _encode_preprocessor(encoder),
        "n_channels": {name: int(n) for name, n in encoder.n_channels_.items()},
        "n_times": {name: int(n) for name, n in encoder.n_times_.items()},
        "n_features_in": getattr(encoder, "n_features_in_", None),
        "feature_names_in": None if names is None else list(names),
        "scaled": encoder.center_ is not None,
        "groups_seen": _encode_groups(encoder),
        "history": [summarise(epoch) for epoch in encoder.history_],
    }
    data = save(get_tensors(encoder), {"physio_ssl": json.dumps(content, allow_nan=False)})
    replace_file(path, data)
    if left_out:
        warnings.warn(
            f"{path} leaves out what cannot be written as JSON: {', '.join(left_out)}. The "
            "loaded encoder embeds alike, but a new fit would use the defaults.",
            stacklevel=2,
        )


def load_encoder(path):
    """Read an encoder that ``save_encoder`` wrote, or one that comes with physio_ssl.

    Nothing in the file is run: it can name classes of physio_ssl and torch's optimisers only.

    Parameters
    ----------
    path : str or path
        The file, whose name ends in ``.safetensors``; or the name of an encoder that comes with
        physio_ssl, which has no such ending. An unknown name is an error that lists them.

    Returns
    -------
    SSLEncoder
        Fitted, on the CPU. ``FrozenEstimator(load_encoder(path))`` keeps its weights in
        cross-validation; ``clone`` and ``fit`` train anew with the same settings. Where it
        was saved with one, ``preprocessor_.make_windows(recordings)`` makes its windows.

    Raises
    ------
    FileNotFoundError
        If there is no such file or name.
    ValueError
        If the file is damaged, holds something else, was written by a newer version, names a
        class that it may not, or if its tensors do not fit its settings.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from physio_ssl import SSLEncoder, load_encoder, save_encoder
    >>> encoder = SSLEncoder(standardize=False).build({"eda": (1, 240), "temp": (1, 240)})
    >>> with TemporaryDirectory() as folder:
    ...     save_encoder(encoder, Path(folder, "encoder.safetensors"))
    ...     loaded = load_encoder(Path(folder, "encoder.safetensors"))
    >>> loaded.n_times_
    {'eda': 240, 'temp': 240}
    """
    path = _find(path)
    content, tensors = _read(path)
    try:
        encoder = _build(content)
    except Exception as error:  # what a damaged file asks for can make a class raise anything
        raise ValueError(f"{path} does not describe an encoder: {error}") from error
    set_tensors(encoder, tensors, path)
    return encoder


def _find(path):
    """Return the file that a path, or a name, stands for."""
    ours = {file.stem: file for file in sorted(_WEIGHTS.glob("*.safetensors"))}
    found = ours.get(str(path), Path(path))
    if not found.is_file():
        raise FileNotFoundError(
            f"No encoder at {path}. A file's name ends in .safetensors; the encoders that come "
            f"with physio_ssl are {', '.join(ours) or 'none'}."
        )
    return found


def _encode_params(encoder):
    """Return the parameters as plain values, and the names of those that cannot be written."""
    defaults = SSLEncoder().get_params(deep=False)
    params, left_out = {}, []
    for name, value in encoder.get_params(deep=False).items():
        if name.startswith("_") or name in ("device", "preprocessor"):
            continue  # no parameter, of the machine it was trained on, or written by itself
        try:
            params[name] = encode(value)
        except TypeError as error:
            if name.startswith(("module", "pretext")):
                raise ValueError(
                    f"Parameter {name!r} cannot be written as JSON: {error}."
                ) from error
            if value is not defaults.get(name):
                left_out.append(name)
    # Arguments of a part that is left out would be given to the default one.
    homeless = [name for name in params if name.startswith(tuple(f"{part}__" for part in left_out))]
    return {name: params[name] for name in params if name not in homeless}, left_out + homeless


def _encode_preprocessor(encoder):
    preprocessor = check_preprocessor(encoder.preprocessor_, encoder.n_times_)
    try:
        return encode(preprocessor)
    except TypeError as error:
        raise ValueError(f"preprocessor_ cannot be written as JSON: {error}.") from error


def _encode_groups(encoder):
    groups = getattr(encoder, "groups_seen_", None)
    try:
        return None if groups is None else encode(np.asarray(groups).tolist())
    except TypeError as error:
        raise ValueError(f"groups_seen_ cannot be written as JSON: {error}.") from error


def _encode_defaults(encoder):
    """Return the arguments that network and pretext task have by default at the moment.

    A file holds these too: with other defaults, in a later version, the same weights could
    be part of another network.
    """
    found = {}
    for part in ("module", "pretext"):
        if isinstance(getattr(encoder, part), type):
            for name, argument in signature(getattr(encoder, part)).parameters.items():
                if argument.default is not argument.empty:
                    with suppress(TypeError):
                        found[f"{part}__{name}"] = encode(argument.default)
    return found


def summarise(epoch):
    """Return the numbers of an epoch of the history, without those of its batches."""
    numbers = {name: value for name, value in epoch.items() if isinstance(value, (Real, np.bool_))}
    numbers = {name: np.asarray(value).item() for name, value in numbers.items()}
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def get_tensors(encoder):
    """Return copies of all tensors of a fitted encoder, under the names they have in a file."""
    parts = {"module": encoder.module_.state_dict(), "heads": encoder.heads_.state_dict()}
    if encoder.center_ is not None:
        parts |= {"center": encoder.center_, "scale": encoder.scale_}
    return {
        f"{part}.{name}": torch.as_tensor(value).cpu().clone(memory_format=torch.contiguous_format)
        for part, values in parts.items()
        for name, value in values.items()
    }


def read_file(path):
    """Return the JSON and the tensors of a file."""
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("physio_ssl", "null")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        return json.loads(text), tensors
    except (SafetensorError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no safetensors file, or damaged: {error}") from error


def check_content(content, path, kind, file_format, newest, needed):
    """Raise unless the JSON of a file is of a format and version, and holds what is needed."""
    if not isinstance(content, dict) or content.get("format") != file_format:
        raise ValueError(f"{path} does not hold {kind}: its format is not {file_format!r}.")
    number = content.get("version")
    if not isinstance(number, int) or not 1 <= number <= newest:
        raise ValueError(
            f"{path} is of version {number!r}, but this physio_ssl reads up to {newest}."
        )
    missing = [name for name in needed if name not in content]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}.")


def _read(path):
    """Return the settings and the tensors of an encoder's file."""
    content, tensors = read_file(path)
    if isinstance(content, dict) and content.get("version") == 1:
        content.setdefault("preprocessor", None)
    check_content(content, path, "an encoder", _FORMAT, _VERSION, _NEEDED)
    return content, tensors


def _build(content):
    """Return an encoder that has all that a file says but the values of its tensors."""
    params = {name: decode(value) for name, value in content["params"].items()}
    today = _encode_defaults(SSLEncoder(**params))
    for name, value in content["defaults"].items():
        if today.get(name, value) != value:
            params.setdefault(name, decode(value))
    encoder = SSLEncoder(**params, preprocessor=decode(content["preprocessor"]))
    kept = {name: getattr(encoder, name) for name in ("standardize", "random_state")}
    encoder.set_params(standardize=False, random_state=0)  # nothing is scaled or drawn here
    channels = content["n_channels"]
    encoder.build({name: (n, content["n_times"][name]) for name, n in channels.items()})
    encoder.set_params(**kept)
    if content["scaled"]:
        encoder.center_ = {name: np.zeros((n, 1)) for name, n in channels.items()}
        encoder.scale_ = {name: np.ones((n, 1)) for name, n in channels.items()}
    groups = content["groups_seen"]
    encoder.groups_seen_ = None if groups is None else np.asarray(groups)
    encoder.history_ = History({**epoch, "batches": []} for epoch in content["history"])
    if content.get("n_features_in") is not None:
        encoder.n_features_in_ = content["n_features_in"]
    if content.get("feature_names_in") is not None:
        encoder.feature_names_in_ = np.asarray(content["feature_names_in"], dtype=object)
    return encoder


def set_tensors(encoder, tensors, path):
    """Put tensors in place, or raise if they are not just those that the encoder needs."""
    expected = get_tensors(encoder)
    for names, verb in (
        (expected.keys() - tensors.keys(), "lacks"),
        (tensors.keys() - expected.keys(), "should not hold"),
    ):
        if names:
            raise ValueError(f"{path} {verb} the tensors {', '.join(sorted(names))}.")
    parts = {"module": {}, "heads": {}, "center": {}, "scale": {}}
    for name, tensor in tensors.items():
        kinds = [f"{x.dtype} of shape {tuple(x.shape)}" for x in (expected[name], tensor)]
        if kinds[0] != kinds[1]:
            raise ValueError(
                f"In {path}, the tensor {name} does not fit the settings: expected {kinds[0]}, "
                f"got {kinds[1]}."
            )
        part, name = name.split(".", maxsplit=1)
        parts[part][name] = tensor
    encoder.module_.load_state_dict(parts["module"])
    encoder.heads_.load_state_dict(parts["heads"])
    encoder.module_.eval()
    encoder.heads_.eval()
    if encoder.center_ is not None:
        for name in encoder.center_:
            encoder.center_[name][:] = parts["center"][name].numpy()
            encoder.scale_[name][:] = parts["scale"][name].numpy()

"""Checks of arguments and windows, and the mixin of estimators that learn nothing."""

from collections.abc import Callable, Hashable, Mapping
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite, check_array, check_random_state
from sklearn.utils.validation import validate_data


def check_sampling_rate(sampling_rate, name="sampling_rate"):
    """Return a sampling rate as a float, or raise if it is not a positive number of Hz."""
    return check_positive(sampling_rate, name, "Hz")


def check_duration(duration, name="duration"):
    """Return a duration as a float, or raise if it is not a positive number of seconds."""
    return check_positive(duration, name, "seconds")


def check_context(context):
    """Return the seconds before and after a window as a pair, given one number or two."""
    pair = (
        (context, context) if isinstance(context, Real) else tuple(check_list(context, "context"))
    )
    if len(pair) != 2:
        raise ValueError(f"context must be one number of seconds or two, got {context!r}.")
    rule = "seconds, not negative, at most 1e9"
    return tuple(check_number(seconds, "context", 0, 1e9, rule) for seconds in pair)


def check_positive(value, name, unit=None):
    """Return a number as a float, or raise if it is not positive and finite."""
    unit = "" if unit is None else f", in {unit}"
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number{unit}, got {value!r}.")
    if not 0 < value < np.inf:
        raise ValueError(f"{name} must be positive and finite{unit}, got {value}.")
    if unit and not 1e-6 <= value <= 1e9:  # of no signal, and what follows would overflow
        raise ValueError(f"{name} must be from 1e-6 to 1e9{unit}, got {value}.")
    return float(value)


def check_count(value, name, lowest=1):
    """Return an integer, or raise if it is none or below ``lowest``."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer of at least {lowest}, got {value!r}.")
    if value < lowest:
        raise ValueError(f"{name} must be an integer of at least {lowest}, got {value}.")
    if value >= 2**31:
        raise ValueError(f"{name} must be below 2**31, got {value}.")
    return int(value)


def check_number(value, name, low=-np.inf, high=np.inf, rule="a finite number", above=False):
    """Return a number as a float, or raise if it is not finite or not from ``low`` to ``high``.

    ``rule`` says the range in the message; ``above`` leaves out ``low`` itself.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be {rule}, got {value!r}.")
    if not (-np.inf < value < np.inf and low <= value <= high) or above and value == low:
        raise ValueError(f"{name} must be {rule}, got {value}.")
    return float(value)


def check_size(name, *sizes, lowest=1):
    """Raise unless a size, or each of several under one name, is an integer from ``lowest`` on."""
    if not all(isinstance(n, Integral) and n is not True and n >= lowest for n in sizes):
        rule = "a positive integer" if lowest else "0 or a positive integer"
        raise ValueError(f"{name} must be {rule}, got {', '.join(map(repr, sizes))}.")
    if any(n >= 2**24 for n in sizes):
        raise ValueError(f"{name} must be below 2**24, got {max(sizes)}.")


def check_probability(name, p):
    """Raise unless the probability of a dropout is a number of at least 0 and below 1."""
    check_number(p, name, 0, 1 - 1e-9, "in [0, 1)")


def check_choice(name, value, choices):
    """Raise if the value of a parameter is not among its choices."""
    # an array would be compared sample by sample
    if not any(isinstance(value, type(choice)) and value == choice for choice in choices):
        raise ValueError(f"{name} must be {' or '.join(map(repr, choices))}, got {value!r}.")


def check_kind(value, name, kind, rule):
    """Raise if a value is not of a kind, a class or several, that ``rule`` describes."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {rule}, got {value!r}.")


def check_jobs(n_jobs):
    """Raise if a number of processes is neither None nor an integer, which joblib checks."""
    check_kind(n_jobs, "n_jobs", (Integral, type(None)), "an integer or None")
    check_count(abs(n_jobs or 0), "n_jobs", 0)


def check_dtype(dtype):
    """Raise if a dtype is not one of floating-point numbers."""
    try:
        kind = np.dtype(dtype).kind
    except (TypeError, ValueError):
        kind = None
    if kind != "f":
        raise TypeError(f"dtype must be one of floating-point numbers, got {dtype!r}.")


def check_callable(value, name):
    """Raise if a value is neither a class nor a function."""
    check_kind(value, name, Callable, "a class or a function")


def check_mapping(value, name):
    """Return a dict of a mapping, empty for None, or raise if it is none."""
    check_kind(value, name, (Mapping, type(None)), "a dict")
    return dict(value or {})


def check_list(values, name, rule="a list", of=object):
    """Return a list of values of a kind, or raise if it is one value, a text or a dict."""
    try:
        listed = None if isinstance(values, (str, bytes, Mapping)) else list(values)
    except TypeError:  # also of an array without dimensions, which counts as Iterable
        listed = None
    if listed is None or not all(isinstance(value, of) for value in listed):
        raise TypeError(f"{name} must be {rule}, got {values!r}.")
    return listed


def check_groups(value, name):
    """Return a dict of lists of names, each of one or more; a mapping may have single ones."""
    groups = {}
    for key, names in check_mapping(value, name).items():
        listed = [names] if isinstance(names, str) else names
        groups[key] = check_list(listed, f"{name}[{key!r}]", "a list of names", Hashable)
    if not groups or not all(groups.values()):
        raise ValueError(f"{name} must name one or more for each modality, got {groups}.")
    return groups


def check_finite(array, name="", estimator=None, allow_nan=False):
    """Raise scikit-learn's error for infinite samples, and for NaN unless allowed."""
    owner = None if estimator is None else type(estimator).__name__
    # In blocks, as what looks for NaN takes a quarter of the memory of all windows.
    for first in range(0, len(array), 1024):
        block = array[first : first + 1024]
        assert_all_finite(block, allow_nan=allow_nan, input_name=name, estimator_name=owner)


def has_modalities(X):
    """Return whether ``X`` holds arrays by modality instead of one array."""
    return isinstance(X, Mapping) and not issparse(X)  # SciPy's dok_array is a Mapping


def check_windows(X, estimator=None, *, reset=False, allow_nan=False):
    """Validate the windows of one modality.

    Parameters
    ----------
    X : array-like of shape (n_windows, n_channels, n_times) or (n_windows, n_times)
        Windows; two dimensions count as one channel.
    estimator : estimator, default=None
        Named in errors; keeps ``n_features_in_`` of two-dimensional windows.
    reset : bool, default=False
        Whether this is a call from ``fit``.
    allow_nan : bool, default=False
        Whether samples may be NaN.

    Returns
    -------
    ndarray
        ``X`` with its number of dimensions, as float32 (if it was float32) or float64.

    Raises
    ------
    TypeError
        If ``X`` holds several modalities or is sparse.
    ValueError
        If ``X`` has a wrong shape, or samples that are NaN, infinite or complex.
    """
    if has_modalities(X):
        raise TypeError(
            f"Expected the array of one modality, got several ({', '.join(map(str, X))}): select "
            f"one, e.g. X[{next(iter(X), 'bvp')!r}], or use PerModality."
        )
    dtype = (np.float64, np.float32)
    finite = "allow-nan" if allow_nan else True
    if np.asarray(X).ndim != 3:  # np.ndim fails on objects that only convert to arrays
        if estimator is None:
            return check_array(X, dtype=dtype, ensure_all_finite=finite)
        return validate_data(estimator, X, reset=reset, dtype=dtype, ensure_all_finite=finite)
    X = check_array(X, dtype=dtype, allow_nd=True, estimator=estimator, ensure_all_finite=False)
    check_finite(X, estimator=estimator, allow_nan=allow_nan)
    if 0 in X.shape:
        raise ValueError(f"Windows need a channel and a sample, got an array of shape {X.shape}.")
    return X


def check_weight(weight, n_windows, name):
    """Return weights of windows as an array of floats, or raise ValueError; None stays None."""
    if weight is None:
        return None
    weight = check_array(weight, ensure_2d=False, dtype=float, input_name=name)
    if weight.shape != (n_windows,):
        raise ValueError(
            f"{name} needs a number for each of {n_windows} windows, got {weight.shape}."
        )
    if (weight < 0).any() or not weight.any():
        raise ValueError(
            f"{name} must be non-negative and not all zero, got values from {weight.min()} to "
            f"{weight.max()}."
        )
    return weight


def check_generator(random_state):
    """Turn a scikit-learn ``random_state`` into a NumPy ``Generator``."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if random_state is None:
        return np.random.default_rng()
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    check_random_state(random_state)  # raises scikit-learn's error
    return np.random.default_rng(random_state)


class StatelessMixin:
    """Declare that an estimator of windows learns nothing in ``fit``; to be listed first."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

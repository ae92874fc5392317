"""What check_network and check_pretext share: ways to find problems and to list them."""

import pickle
from collections.abc import Mapping
from contextlib import contextmanager

import torch


class Stop(Exception):
    """A problem after which further checks make no sense."""


@contextmanager
def list_problems(thing, contract):
    """Give a list for problems, under a fixed seed of torch; raise ValueError if some are found."""
    problems = []
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(0)
        try:
            yield problems
        except Stop as problem:
            problems.append(str(problem))
    if problems:
        title = f"{type(thing).__name__} breaks the contract of {contract}:"
        raise ValueError("\n- ".join([title, *problems]))


def attempt(what, call, *args, **kwargs):
    """Return the result of a call to the code under check; stop if it raises."""
    try:
        return call(*args, **kwargs)
    except Exception as error:
        raise Stop(f"{what} fails: {type(error).__name__}: {error}") from error


def copy_by_pickle(thing, what, problems):
    """Return a copy that went through pickle; append a problem and return None if that fails."""
    try:
        return pickle.loads(pickle.dumps(thing))
    except Exception as error:
        problems.append(f"{what} cannot be pickled: {type(error).__name__}: {error}")


def check_gradients(module, what, problems):
    """Append a problem unless a module has gradients that are finite and not 0."""
    gradients = [x.grad for x in module.parameters() if x.grad is not None]
    if not any(x.any() for x in gradients) or not all(x.isfinite().all() for x in gradients):
        problems.append(f"no gradient that is finite and not 0 reaches {what}")


def describe(thing):
    """Return the shape of a tensor, the shapes in a dict, or the type of anything else."""
    if isinstance(thing, Mapping):
        return ", ".join(f"{name}: {describe(part)}" for name, part in thing.items()) or "nothing"
    return str(tuple(thing.shape)) if isinstance(thing, torch.Tensor) else type(thing).__name__


def draw_windows(network, n_windows):
    """Draw windows of a network's own sizes, (n_windows, n_channels, n_times) each."""
    like = next(network.parameters(), torch.empty(0))  # for device and dtype
    return {
        name: torch.randn(n_windows, n, network.n_times[name]).to(like)
        for name, n in network.n_channels.items()
    }

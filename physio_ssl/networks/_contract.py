"""Tools of check_network and check_pretext: note problems, draw windows, copy, describe."""

import pickle
from collections.abc import Mapping
from contextlib import contextmanager

import torch


class _Stop(Exception):
    """The rest of a stage cannot be checked."""


class Problems(list):
    """What is wrong with an object, one sentence each."""

    @contextmanager
    def stage(self):
        """End a stage early where ``attempt`` or ``demand`` fails in it."""
        try:
            yield
        except _Stop:
            pass

    def attempt(self, what, call, *args, **kwargs):
        """Return the result of a call; note an error and end the stage."""
        try:
            return call(*args, **kwargs)
        except Exception as error:  # other people's code can raise anything
            self.append(f"{what}: {type(error).__name__}: {error}")
        self.end_stage()

    def expect(self, condition, problem):
        """Note a problem unless a condition holds."""
        if not condition:
            self.append(problem)

    def demand(self, condition, problem):
        """Note a problem and end the stage unless a condition holds."""
        if not condition:
            self.append(problem)
            self.end_stage()

    def end_stage(self):
        """End a stage in which problems were noted that make the rest meaningless."""
        raise _Stop

    def report(self, thing, contract):
        """Raise one ValueError that lists the problems, if there are any."""
        if self:
            lines = "".join(f"\n- {problem}" for problem in self)
            raise ValueError(f"{type(thing).__name__} breaks the contract of {contract}:{lines}")


def find_device(network):
    """Return the device of a network's parameters; the CPU if there are none."""
    parameters = () if network is None else network.parameters()
    return next((parameter.device for parameter in parameters), torch.device("cpu"))


@contextmanager
def fixed_seed(network):
    """Seed torch within this context and restore its random state afterwards."""
    device = find_device(network)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        yield


def draw_windows(network, n_windows):
    """Draw windows of a network's own sizes, each (n_windows, n_channels, n_times)."""
    device = find_device(network)
    return {
        name: torch.randn(n_windows, n_channels, network.n_times[name]).to(device)
        for name, n_channels in network.n_channels.items()
    }


def copy_by_pickle(thing):
    """Return a copy of an object that went through pickle."""
    return pickle.loads(pickle.dumps(thing))


def check_gradients(loss, module, name, problems):
    """Note it if no gradient of a loss, or one that is not finite, reaches a module."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    gradients = []
    if parameters and loss.requires_grad:
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    reached = [x for x in gradients if x is not None and (x != 0).any()]
    problems.expect(reached, f"no gradient reaches {name}")
    finite = all(torch.isfinite(x).all() for x in reached)
    problems.expect(finite, f"gradients of {name} are NaN or infinite")


def are_same(one, other):
    """Return whether two dicts of tensors hold the same values; NaN equals NaN."""
    return one.keys() == other.keys() and all(
        x.shape == other[name].shape and torch.allclose(x, other[name], 0.0, 0.0, equal_nan=True)
        for name, x in one.items()
    )


def describe(thing):
    """Return the type of an object, with the items of a dict and the shape of a tensor."""
    kind = type(thing).__name__
    if isinstance(thing, Mapping):
        return f"{kind}({', '.join(f'{name}: {describe(x)}' for name, x in thing.items())})"
    return f"{kind}{tuple(thing.shape)}" if isinstance(thing, torch.Tensor) else kind

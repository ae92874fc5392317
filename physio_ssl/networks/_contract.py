"""What check_network and check_pretext share: collect problems, draw windows, copy."""

import pickle
from contextlib import contextmanager

import torch

FAILED = object()


class Problems(list):
    """What is wrong with an object, one sentence each."""

    def attempt(self, what, call, *args, **kwargs):
        """Return the result of a call; if it raises, note the error and return ``FAILED``."""
        try:
            return call(*args, **kwargs)
        except Exception as error:  # other people's code can raise anything
            self.append(f"{what}: {type(error).__name__}: {error}")
            return FAILED

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
    """Draw windows of a network's own sizes; each (n_windows, n_channels, n_times)."""
    device = find_device(network)
    return {
        name: torch.randn(n_windows, n_channels, network.n_times[name]).to(device)
        for name, n_channels in network.n_channels.items()
    }


def copy_by_pickle(thing):
    """Return a copy of an object that went through pickle."""
    return pickle.loads(pickle.dumps(thing))


def find_gradients(loss, module):
    """Return the gradients of a loss by those parameters of a module that it reaches."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not parameters or not loss.requires_grad:
        return []
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return [x for x in gradients if x is not None and (x != 0).any()]

"""Check of the signals that the readers are asked for."""


def check_signals(signals, known):
    """Return the names of signals as a tuple, or raise if one is not among the known."""
    if isinstance(signals, str) or not signals or any(name not in known for name in signals):
        raise ValueError(
            f"signals must be one or more of {', '.join(known)}, in a tuple, got {signals!r}."
        )
    return tuple(signals)

"""Units of signals, and the ones that recordings have."""

# Powers of ten, to the unit without a prefix. Case matters: mS are not ms.
_POWERS = {"V": 0, "mV": -3, "uV": -6, "S": 0, "mS": -3, "uS": -6, "g": 0, "mg": -3}
_OURS = {"V": "mV", "S": "uS", "g": "g"}


def spell_unit(text):
    """Return the name of a unit with "u" for micro, of which there are two characters."""
    return text.strip().replace("\u00b5", "u").replace("\u03bc", "u")


def get_factor(unit, other):
    """Return the number of ``other`` in one ``unit``, such as 1e3 mV in one V."""
    return 10.0 ** (_POWERS[unit] - _POWERS[other])


def choose_unit(unit):
    """Return the unit that recordings have and the factor to it; an unknown unit is kept."""
    if unit not in _POWERS:
        return unit, 1.0
    ours = _OURS[unit[-1]]
    return ours, get_factor(unit, ours)

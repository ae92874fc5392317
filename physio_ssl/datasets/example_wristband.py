"""An excerpt of a real recording that comes with the package."""

from importlib.resources import files

import numpy as np

from ..containers import Recording

_STEP = {"bvp": 0.02, "eda": 0.001, "temp": 0.01}  # by which the file counts
_SAMPLING_RATE = {"bvp": 64, "eda": 4, "temp": 4}  # Hz


def load_example_wristband():
    """Load ten minutes of a nurse's wristband at work, which come with the package.

    An excerpt of the Nurse Stress data set [1]_, which is in the public domain (CC0 1.0), of an
    Empatica E4 that was worn during a hospital shift. It has no labels. The hand moves, so the
    pulse cannot be read everywhere. Values are rounded to 0.02 (``bvp``), 0.001 microsiemens and
    0.01 degrees Celsius.

    Returns
    -------
    Recording
        Subject "15" with float32 signals: ``bvp`` at 64 Hz (arbitrary unit), ``eda`` at 4 Hz
        (microsiemens), ``temp`` at 4 Hz (degrees Celsius).

    See Also
    --------
    load_empatica_corpus : Read the whole data set, or other Empatica E4 sessions.
    simulate_wristband : Simulate people with labels.

    References
    ----------
    .. [1] S. Hosseini et al. (2022). A multimodal sensor dataset for continuous stress detection
       of nurses in a hospital. Scientific Data 9, 255.

    Examples
    --------
    >>> from physio_ssl.datasets import load_example_wristband
    >>> load_example_wristband()
    Recording(15: 600 s, bvp 1 x 64 Hz, eda 1 x 4 Hz, temp 1 x 4 Hz)
    """
    path = files(__package__) / "excerpts" / "nurse_stress.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        signals = {name: np.float32(step) * stored[name] for name, step in _STEP.items()}
    return Recording(signals, _SAMPLING_RATE, "15")

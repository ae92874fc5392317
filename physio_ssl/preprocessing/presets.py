"""Preprocessors of a wristband's signals and of the ECG."""

import numpy as np

from .._check import check_kind, check_list, check_sampling_rate
from .amplitude import Standardize
from .filters import BandpassFilter, Resample
from .preprocessor import Preprocessor

# Hz; benchmarks/low_rates.py measures what lower rates cost
_LOWEST_RATES = {"bvp": 20, "eda": 1, "temp": 1}


def wristband_preprocessor(
    duration=60,
    output_sampling_rate=4.0,
    modalities=("bvp", "eda", "temp"),
    standardize=True,
    scaling="recording",
    history=None,
):
    """Bring all signals of a wristband to one rate and scale.

    The rate of 4 Hz is that of Wu, Daoudi & Amad (2024), whose filters are not published. It
    holds frequencies up to 2 Hz: the pulse rate, but not the pulse's shape.

    Slower signals are brought up to the new rate, from 20 Hz (BVP) and 1 Hz (EDA, temperature) on,
    or from the new rate on if that is lower. Still slower ones are errors: they lack the pulse, or
    skin conductance responses. The E4 itself repeats a temperature of 1 Hz four times. EDA at 1 Hz
    loses something. Other signals may have any rate.

    Gaps, which are samples of NaN, stay gaps; ``make_windows`` drops and counts the windows with
    a gap.

    Parameters
    ----------
    duration : float, default=60
        Length of the windows, in seconds.
    output_sampling_rate : float, default=4.0
        New sampling rate of all modalities, in Hz.
    modalities : tuple of str, default=("bvp", "eda", "temp")
        Modalities to keep.
    standardize : bool, default=True
        Whether to apply ``Standardize`` to each recording; see the notes of ``Preprocessor``.
    scaling, history
        As for ``Preprocessor``.

    Returns
    -------
    Preprocessor

    Raises
    ------
    TypeError, ValueError
        If a parameter is of a wrong kind or out of range.

    See Also
    --------
    ecg_preprocessor : The same for the ECG.
    physio_ssl.networks.MultimodalTransformer : The encoder of Wu, Daoudi & Amad.

    Examples
    --------
    >>> from physio_ssl.datasets import simulate_wristband
    >>> from physio_ssl.preprocessing import wristband_preprocessor
    >>> wristband_preprocessor().make_windows(simulate_wristband(2, random_state=0), step=30).X
    SignalDict(52 windows: bvp (1, 240), eda (1, 240), temp (1, 240))
    """
    rate = check_sampling_rate(output_sampling_rate, "output_sampling_rate")
    steps = [Resample(None, rate, gaps="keep")]
    check_kind(standardize, "standardize", bool, "True or False")
    if standardize:
        steps.append(Standardize(gaps="keep"))
    return Preprocessor(
        {name: list(steps) for name in check_list(modalities, "modalities", of=str)},
        dict.fromkeys(modalities, rate),
        duration,
        scaling=scaling,
        history=history,
        lowest_sampling_rate={
            name: min(_LOWEST_RATES[name], rate) if name in _LOWEST_RATES else None
            for name in modalities
        },
    )


def ecg_preprocessor(
    duration=10,
    output_sampling_rate=128.0,
    band=(0.8, 50.0),
    order=8,
    standardize="subject",
    scaling="recording",
    history=None,
):
    """Bring the ECG of all recordings to one band, rate and scale.

    The band, the rate and z-scores per subject are those of Vazquez-Rodriguez et al. (2022), as
    far as they are known: their code is not published.

    Gaps, which are samples of NaN, grow by ``1 / band[0]`` seconds on each side (1.25 s by
    default); see ``BandpassFilter``. ``make_windows`` drops and counts the windows with a gap.
    The first and last second of a recording are kept, but less exact: by 17 % of their root mean
    square on short recordings (CinC 2017), the next one by 4 %.

    Parameters
    ----------
    duration : float, default=10
        Length of the windows, in seconds.
    output_sampling_rate : float, default=128.0
        New sampling rate of the ECG, in Hz.
    band : (float, float), default=(0.8, 50.0)
        Frequencies to keep, in Hz, below half the rate of the recordings: for an ECG at 100 Hz
        or less choose a lower upper end, for all recordings.
    order : int, default=8
        Order at each end of the band: 8 gives a band-pass of 16 poles. If the paper's
        "8th-order band-pass" is read as 8 poles, set 4.
    standardize : {"subject", "recording", None}, default="subject"
        Whether z-scores are per subject, per recording, or none; see ``Preprocessor``.
    scaling, history
        As for ``Preprocessor``; "past" needs ``standardize="recording"`` or None.

    Returns
    -------
    Preprocessor

    Raises
    ------
    ValueError
        If ``band`` is not two frequencies.

    See Also
    --------
    wristband_preprocessor : The same for the signals of a wristband.
    physio_ssl.networks.ECGTransformer : The encoder of Vazquez-Rodriguez et al.
    physio_ssl.quality.drop_poor_ecg : Drop the windows without a readable heartbeat.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording
    >>> from physio_ssl.preprocessing import ecg_preprocessor
    >>> ecg = np.random.default_rng(0).normal(size=250 * 60)
    >>> recording = Recording({"ecg": ecg}, {"ecg": 250}, "P01")
    >>> ecg_preprocessor(duration=10).make_windows(recording).X
    SignalDict(6 windows: ecg (1, 1280))
    """
    if np.shape(band) != (2,):
        raise ValueError(f"band must be two frequencies, in Hz, got {band!r}.")
    steps = [
        BandpassFilter(*band, sampling_rate=None, order=order, gaps="keep"),
        Resample(None, output_sampling_rate, gaps="keep"),
    ]
    rates = {"ecg": output_sampling_rate}
    return Preprocessor(
        {"ecg": steps},
        rates,
        duration,
        standardize=standardize,
        scaling=scaling,
        history=history,
    )

"""Recordings of a wristband, as input of an encoder."""

from sklearn.pipeline import make_pipeline

from .._check import check_sampling_rate
from ..containers import Recording
from .amplitude import Standardize
from .filters import Resample


def prepare_wristband(recordings, sampling_rate=4.0, standardize=True):
    """Bring all signals to one common rate and scale, as input of a wristband encoder.

    Each signal is resampled, with an anti-aliasing filter, and standardized over the whole
    recording. The common rate of 4 Hz is that of [1]_, whose filters are not published. It
    holds frequencies up to 2 Hz: the pulse rate, but not the pulse's shape.

    Parameters
    ----------
    recordings : Recording or list of Recording
        With any modalities, each at any rate.
    sampling_rate : float, default=4.0
        New sampling rate of all modalities, in Hz.
    standardize : bool, default=True
        Whether to give each channel zero mean and unit standard deviation over the whole
        recording. These are z-scores per subject: they see the unlabelled data of the
        test subjects too, which is to be said in the result.

    Returns
    -------
    Recording or list of Recording
        New recordings.

    Raises
    ------
    ValueError
        If a signal is constant (``standardize=True``).

    References
    ----------
    .. [1] Y. Wu, M. Daoudi, A. Amad, "Transformer-based self-supervised multimodal
       representation learning for wearable emotion recognition", IEEE Transactions on
       Affective Computing 15(1), 2024.
    """
    if isinstance(recordings, Recording):
        return prepare_wristband([recordings], sampling_rate, standardize)[0]
    sampling_rate = check_sampling_rate(sampling_rate)
    prepared = []
    for recording in recordings:
        steps = {
            name: [Resample(rate, sampling_rate)] * (rate != sampling_rate)
            + [Standardize()] * bool(standardize)
            for name, rate in recording.sampling_rate.items()
        }
        prepared.append(
            recording.apply(
                {name: make_pipeline(*some) for name, some in steps.items() if some},
                sampling_rate=dict.fromkeys(steps, sampling_rate),
            )
        )
    return prepared

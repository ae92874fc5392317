"""The filter of NeuroKit2."""

from scipy.signal import butter, sosfiltfilt


def filter_as_neurokit(X, cutoff, btype, sampling_rate):
    """Filter a batch as NeuroKit2 filters a signal: order 2, forwards and backwards."""
    sos = butter(2, cutoff, btype=btype, fs=sampling_rate, output="sos")
    padlen = min(3 * (2 * len(sos) + 1), X.shape[-1] - 1)
    return sosfiltfilt(sos, X, axis=-1, padlen=padlen)

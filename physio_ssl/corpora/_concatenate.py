"""The windows of several corpora as one."""

from pathlib import Path

import numpy as np

from ..containers import SignalDict
from ..windows import Windows
from ._files import new_folder, open_windows, write
from ._merge import check_corpora, merge


def concatenate_windows(corpora, folder=None):
    """Put the windows of several corpora together, e.g. for one pre-training.

    Parameters
    ----------
    corpora : mapping from str to Windows, or to an iterable of Windows
        Windows of each corpus, alike in modalities, channels, rates, duration and dtype. From
        a generator they are taken one after the other, so that with ``folder`` a corpus never
        is in memory as a whole. The windows of one recording must come together.
    folder : str or path, default=None
        A new folder to write the windows to; an existing one is never changed. None keeps
        them in memory.

    Returns
    -------
    Windows
        In the order of the corpora. ``groups`` are corpus and subject,
        ``"cinc2017/A00001"``, so that equal names in two corpora stay two people.
        ``recording`` is counted on from corpus to corpus, ``dropped`` is summed. ``y`` is
        None unless all of the windows have labels. With ``folder``, ``X`` holds read-only
        ``np.memmap`` arrays, as of ``open_windows``.

    Raises
    ------
    FileExistsError
        If there is something called ``folder``.
    TypeError
        If a corpus holds anything but ``Windows``.
    ValueError
        If windows do not fit those before, labels are of several kinds, or a corpus has no
        windows.

    See Also
    --------
    corpus_weights : Say how often the windows of each corpus are drawn.

    Notes
    -----
    The folder holds a file ``.npy`` of each modality, ``windows.npz`` with one value per
    window of ``groups``, ``onset``, ``recording`` and ``y``, and ``windows.json`` with all
    else. It is written under another name, ending in ``.part``, and renamed once all of it is
    on disk: a write that was killed leaves no folder that could be opened.

    Examples
    --------
    >>> import numpy as np
    >>> from physio_ssl import Recording, concatenate_windows, make_windows
    >>> one = make_windows(Recording({"ecg": np.ones(3840)}, {"ecg": 128}, "S1"), 10)
    >>> two = make_windows(Recording({"ecg": np.ones(1280)}, {"ecg": 128}, "S1"), 10)
    >>> print(*concatenate_windows({"rest": one, "driving": two}).groups)
    rest/S1 rest/S1 rest/S1 driving/S1
    """
    check_corpora(corpora)
    if folder is not None:
        with new_folder(Path(folder)) as part:
            write(corpora, part)
        return open_windows(folder)
    parts = []
    merged = merge(corpora, keep=parts.append)
    _, duration, rates, _ = merged.first
    X = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns = {"y": None, **merged.columns()}
    return Windows(
        SignalDict(X),
        **columns,
        duration=duration,
        sampling_rate=rates,
        dropped=dict(merged.dropped),
    )

"""Summaries of recordings: how long, at which rates, how good, with which labels."""

from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from ..containers import as_recordings
from .plateaus import measure_clipped, measure_flat
from .seconds import measure_quality

_LONGEST_FLAT = {True: 1, False: 60}  # s, of signals at 16 Hz or more, and of slower ones
# What is said of a signal that is mostly poor.
_POOR = {
    "bvp": "no pulse",
    "ppg": "no pulse",
    "ecg": "no heartbeat",
    "temp": "not as warm as skin",
}
# Fractions of a recording from which on one should look at it.
_WORTH_A_LOOK = {"missing": 0.05, "flat": 0.05, "clipped": 0.01}


def describe(recordings):
    """Summarise recordings: duration, rates, what is missing or poor, wear and labels.

    Parameters
    ----------
    recordings : Recording or list of Recording
        Recordings as read, in the units of ``measure_quality``.

    Returns
    -------
    Description
        Prints as a table, with a line for each recording that should be looked at.
        ``to_dataframe()`` has a row per recording and, for each signal, e.g. ``bvp``:

        - ``rate_bvp``, in Hz;
        - ``missing_bvp``, the fraction of samples that are NaN;
        - ``flat_bvp``, the fraction in runs of equal samples of over 1 s, or 60 s below 16 Hz;
        - ``clipped_bvp``, the fraction in plateaus at the highest or lowest value;
        - ``usable_bvp``, the fraction of seconds with a quality of at least 0.5.

        Its other columns are ``subject``, ``hours``, ``worn`` (fraction of the seconds for which
        it is known) and, for each stage of the annotations, ``minutes_rest``, say.

    Raises
    ------
    TypeError, ValueError
        If ``recordings`` are no recordings, or there is none.

    See Also
    --------
    Recording.plot : Draw a recording.
    physio_ssl.quality.measure_quality : The quality of each second.

    Examples
    --------
    >>> from physio_ssl import describe
    >>> from physio_ssl.datasets import simulate_wristband
    >>> describe(simulate_wristband(1, n_blocks=1, stage_duration=60, random_state=0))
    1 recording of 1 subject, 0.05 hours
    worn and usable: % of the time
      subject hours worn bvp 64 Hz eda 4 Hz temp 4 Hz          stages, min
    0   sim01  0.05  100       100       91       100 rest 1.0, stress 1.0
    """
    recordings = as_recordings(recordings)
    if not recordings:
        raise ValueError("There must be at least one recording, got none.")
    return Description(pd.DataFrame([_describe_one(recording) for recording in recordings]))


def _describe_one(recording):
    quality = measure_quality(recording)
    row = {"subject": recording.subject, "hours": recording.duration / 3600}
    row["worn"] = quality["wear"].mean() if "wear" in quality else np.nan
    for name, signal in recording.signals.items():
        rate, signal = recording.sampling_rate[name], signal[0]
        row[f"rate_{name}"] = rate
        row[f"missing_{name}"] = np.isnan(signal).mean()
        row[f"flat_{name}"] = measure_flat(signal, rate, _LONGEST_FLAT[rate >= 16]).mean()
        row[f"clipped_{name}"] = measure_clipped(signal, rate).mean()
        row[f"usable_{name}"] = (quality[name] >= 0.5).mean()
    events = pd.DataFrame(dict(recording.annotations or {}))
    if "description" in events:
        stages = events[events["duration"] > 0].groupby("description", sort=False)
        for name, seconds in stages["duration"].sum().items():
            row[f"minutes_{name}"] = seconds / 60
    return row


def _find_faults(row, signals):
    """Return what one should look at in a recording, as texts."""
    faults = []
    if row["worn"] < 0.5:
        faults.append(f"off the wrist {1 - row['worn']:.0%}")
    for name in signals:
        found = {what: row[f"{what}_{name}"] for what in _WORTH_A_LOOK}
        found = {what: x for what, x in found.items() if x >= _WORTH_A_LOOK[what]}
        if row[f"usable_{name}"] < 0.5:
            found = {_POOR.get(name, "poor"): 1 - row[f"usable_{name}"], **found}
        if found:
            faults.append(f"{name}: " + ", ".join(f"{what} {x:.0%}" for what, x in found.items()))
    return faults


@dataclass(frozen=True, eq=False, repr=False)
class Description:
    """Summary of recordings, made by ``describe``.

    Parameters
    ----------
    frame : DataFrame
        A row per recording, with the columns that ``describe`` lists.

    See Also
    --------
    describe : Make one, with an example.
    """

    frame: pd.DataFrame

    def to_dataframe(self):
        """Return a copy of the table, with a row per recording."""
        return self.frame.copy()

    @property
    def signals(self):
        """Names of the signals."""
        return [name[len("rate_") :] for name in self.frame if name.startswith("rate_")]

    @property
    def faults(self):
        """What one should look at, a list of str for each recording that has something."""
        rows = self.frame.to_dict("records")
        faults = {number: _find_faults(row, self.signals) for number, row in enumerate(rows)}
        return {number: found for number, found in faults.items() if found}

    def _summarise(self):
        n_recordings, n_subjects = len(self.frame), self.frame["subject"].nunique()
        return (
            f"{n_recordings} recording{'s' * (n_recordings > 1)} of {n_subjects} "
            f"subject{'s' * (n_subjects > 1)}, {self.frame['hours'].sum():.2f} hours"
        )

    def _make_table(self):
        """Return the columns that are printed, as text."""

        def percent(column):
            return [f"{100 * x:.0f}" if np.isfinite(x) else "-" for x in self.frame[column]]

        table = {"subject": self.frame["subject"]}
        table["hours"] = [f"{hours:.2f}" for hours in self.frame["hours"]]
        if self.frame["worn"].notna().any():
            table["worn"] = percent("worn")
        for name in self.signals:
            rates = self.frame[f"rate_{name}"].dropna().unique()
            title = f"{name} {rates[0]:g} Hz" if len(rates) == 1 else name
            table[title] = percent(f"usable_{name}")
        stages = self.frame.filter(regex="^minutes_")
        if stages.size:
            table["stages, min"] = [
                ", ".join(f"{name[len('minutes_') :]} {x:.1f}" for name, x in row.dropna().items())
                for _, row in stages.iterrows()
            ]
        return pd.DataFrame(table)

    def _list_faults(self):
        subjects = self.frame["subject"]
        return [f"{n} ({subjects[n]}): {'; '.join(found)}" for n, found in self.faults.items()]

    def __repr__(self):
        lines = [self._summarise(), "worn and usable: % of the time"]
        lines.append(self._make_table().to_string(max_colwidth=60))
        faults = self._list_faults()
        return "\n".join([*lines, *["look at:"] * bool(faults), *(f"  {x}" for x in faults)])

    def _repr_html_(self):
        faults = "".join(f"<li>{escape(fault)}</li>" for fault in self._list_faults())
        return (
            f"<p>{self._summarise()}; worn and usable: % of the time</p>"
            f"{self._make_table().to_html()}" + (f"<p>Look at:</p><ul>{faults}</ul>" * bool(faults))
        )

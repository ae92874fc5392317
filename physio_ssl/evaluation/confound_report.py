"""ConfoundReport: what an audit of confounds has found."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .confound_columns import MOVEMENT, NUMBER, ORDER, QUALITY, SUBJECT, TIME

CLOCK = "the time alone"  # among the models of a position table
_MEANING = {
    TIME: "a score up to that may be that of a clock",
    ORDER: "a score up to that may be that of the order of conditions",
    SUBJECT: "a score over all people may tell people apart instead of classes",
    QUALITY: "a score up to that may be how well the sensor is worn",
    MOVEMENT: "a score up to that may be how people move",
    NUMBER: "a score up to that may be how long a recording is",
}


@dataclass(frozen=True, eq=False, repr=False)
class ConfoundReport:
    """What tells the classes and is no physiology.

    Attributes
    ----------
    table : DataFrame
        A row per confound: ``auroc`` with its interval ``low`` to ``high``, ``n_subjects``,
        ``p_value``, ``p_holm``, ``flagged``; ``note`` says why a confound was not looked at;
        ``columns`` names what its models saw.
    embedding_table : DataFrame or None
        A row per trace in the embedding: ``value`` with its interval, ``measure``, ``chance``.
    position_table : DataFrame or None
        A row per model of the study, and one of the time alone: ``plain_auroc``, and the
        position-matched ``auroc`` with its interval.
    confidence : float
        Coverage of the intervals.

    See Also
    --------
    audit_confounds, physio_ssl.plotting.ConfoundsDisplay
    """

    table: pd.DataFrame
    embedding_table: pd.DataFrame | None = None
    position_table: pd.DataFrame | None = None
    confidence: float = 0.95

    @property
    def flagged(self):
        """Names of the confounds that tell the classes, as a list."""
        return self.table.loc[self.table["flagged"], "confound"].tolist()

    @property
    def verdict(self):
        """What was found, in sentences."""
        looked_at = self.table[self.table["auroc"].notna()]
        if looked_at.empty:
            return "No confound could be looked at."
        lines = [
            f"{row.confound.capitalize()} alone tells the classes with an AUROC of "
            f"{_show(row)}: {_MEANING[row.confound]}."
            for row in looked_at[looked_at["flagged"]].itertuples()
        ]
        left_out = self._describe_left_out()
        if not lines:
            names = ", ".join(looked_at["confound"])
            rest = "Of the rest, none" if left_out else "None of these"
            left_out.append(f"{rest} tells the classes better than chance: {names}.")
        lines += left_out
        if self.position_table is not None:
            lines.append(self._compare_positions())
        elif TIME in self.flagged:
            lines.append("Position-matched scores (results=...) tell what is left without time.")
        return " ".join(lines)

    def _describe_left_out(self):
        """Return a sentence for each reason why confounds could not be looked at."""
        left_out = self.table[self.table["auroc"].isna()]
        return [
            f"Not looked at: {', '.join(some['confound'])}; {why.removeprefix('not looked at: ')}."
            for why, some in left_out.groupby("note", sort=False)
        ]

    def _compare_positions(self):
        table = self.position_table
        table = table[table["estimator"] != CLOCK]
        if not table["estimable"].any():
            return "Position-matched scores are not estimable: " + table["why_not"].iloc[0] + "."
        above = table[table["low"] > 0.5]
        if above.empty:
            return "At the same time since the start, no model is better than chance."
        names = ", ".join(f"{row.estimator} {_show(row)}" for row in above.itertuples())
        return f"At the same time since the start, these models are better than chance: {names}."

    def __str__(self):
        parts = [self.verdict, "", f"AUROC, people left out, {100 * self.confidence:g} % interval:"]
        for row in self.table.itertuples():
            mark = "!" if row.flagged else " "
            text = row.note if np.isnan(row.auroc) else _show(row)
            more = f" ({row.note})" if row.note and not np.isnan(row.auroc) else ""
            parts.append(f"{mark} {row.confound:<24}{text}{more}")
        if self.embedding_table is not None:
            parts += ["", "Traces in the embedding:"]
            for row in self.embedding_table.itertuples():
                chance = f", chance {row.chance:.2f}" if row.chance else ""
                parts.append(f"  {row.trace:<30}{_show(row, 'value')} ({row.measure}{chance})")
        if self.position_table is not None:
            parts += ["", "AUROC, and that of windows of different people at the same time:"]
            for row in self.position_table.itertuples():
                matched = f"not estimable: {row.why_not}"
                if row.estimable:
                    pairs = f"{row.n_pairs} pairs, {row.n_subjects} people, {row.tied:.0%} ties"
                    matched = f"{_show(row)} ({pairs})"
                parts.append(f"  {row.estimator:<34}{row.plain_auroc:.3f}  {matched}")
        return "\n".join(parts)


def _show(row, name="auroc"):
    value = getattr(row, name)
    interval = "" if np.isnan(row.low) else f" [{row.low:.2f}, {row.high:.2f}]"
    return f"{value:.2f}{interval}"

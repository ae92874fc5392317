"""What an audit finds: a leak of one kind, and the report of them all."""

from dataclasses import dataclass, field

SUBJECT = "subject on both sides"
OVERLAP = "overlapping windows on both sides"
DUPLICATE = "duplicated windows on both sides"
PRETRAINED = "encoder pre-trained on test subjects"
TRAINED = "classifier trained on test subjects"
SCALED = "scaler fitted outside the fold"
SCALED_BY_SUBJECT = "subject standardised over its own windows"
EPOCHS = "epochs chosen on the test subject"

# These use unlabelled data of the test subjects, which a study may do if it says so.
TRANSDUCTIVE = (PRETRAINED, SCALED_BY_SUBJECT)


@dataclass(frozen=True)
class Leak:
    """One way in which a test subject's data reach training.

    Attributes
    ----------
    kind : str
        What leaks, e.g. "subject on both sides".
    message : str
        What was found where.
    fold : int or None
        Which split; None where all are concerned.
    train_rows, test_rows : tuple of int
        Rows concerned on either side; empty where that side is not to be named.
    """

    kind: str
    message: str
    fold: int | None = None
    train_rows: tuple = field(default=(), repr=False)
    test_rows: tuple = field(default=(), repr=False)


def show(values, n_shown=3):
    """Return the first few values as text, and their number if there are more."""
    values = list(values)
    text = ", ".join(map(str, values[:n_shown]))
    return text if len(values) <= n_shown else f"{text}, ... ({len(values)} in all)"


def describe(leaks):
    """Return a line per kind of leak: which folds, and the first of them in detail."""
    by_kind = {}
    for leak in leaks:
        by_kind.setdefault(leak.kind, []).append(leak)
    lines = []
    for kind, some in by_kind.items():
        folds = list(dict.fromkeys("all" if leak.fold is None else leak.fold for leak in some))
        where = f"fold {folds[0]}" if len(folds) == 1 else f"folds {show(folds, 5)}"
        messages = dict.fromkeys(
            leak.message if len(folds) == 1 else f"fold {leak.fold}: {leak.message}"
            for leak in some
        )
        lines.append(f"{kind} ({where}): " + " | ".join(list(messages)[:3]))
        if len(messages) > 3:
            lines[-1] += f" | and {len(messages) - 3} more"
    return lines


@dataclass
class LeakageReport:
    """What an audit has found.

    Attributes
    ----------
    leaks : list of Leak
        Each with its ``kind``, ``message``, ``fold``, ``train_rows`` and ``test_rows``.
    notes : list of str
        What could not be checked and why, and what was found but declared.
    """

    leaks: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    @property
    def ok(self):
        """Whether no leak was found."""
        return not self.leaks

    def __str__(self):
        lines = ["No leak found." if self.ok else "Test subjects' data reach training:"]
        lines += [f"- {line}" for line in describe(self.leaks)]
        if self.notes:
            lines += ["Notes:", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines)

    def to_dict(self, n_rows=20):
        """Return plain lists and dicts for JSON, with the first ``n_rows`` rows of each leak."""
        return {
            "ok": self.ok,
            "leaks": [
                {
                    "kind": leak.kind,
                    "message": leak.message,
                    "fold": leak.fold,
                    "n_train_rows": len(leak.train_rows),
                    "n_test_rows": len(leak.test_rows),
                    "train_rows": list(leak.train_rows[:n_rows]),
                    "test_rows": list(leak.test_rows[:n_rows]),
                }
                for leak in self.leaks
            ],
            "notes": list(self.notes),
        }


class LeakageError(ValueError):
    """Test subjects' data reach training.

    Parameters
    ----------
    report : LeakageReport
        What was found; becomes the message, and the attribute ``report``.
    """

    @property
    def report(self):
        """The whole ``LeakageReport``."""
        return self.args[0]

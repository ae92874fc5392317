"""What an audit finds: leaks, notes, what it looked at and what it cannot see."""

from dataclasses import dataclass, field
from enum import Enum


class LeakKind(Enum):
    """The ways in which a test subject's data can reach training."""

    SUBJECT = "subject on both sides"
    OVERLAP = "overlapping windows on both sides"
    DUPLICATE = "duplicated windows on both sides"
    PRETRAINED = "encoder pre-trained on test subjects"
    TRAINED = "classifier trained on test subjects"
    SCALED = "scaler fitted outside the fold"
    SCALED_BY_SUBJECT = "subject standardised over its own windows"
    EPOCHS = "epochs chosen on the test subject"
    LABEL = "label as a feature"
    TIME = "time as a feature"

    def __str__(self):
        return self.value

    @property
    def is_transductive(self):
        """Whether only unlabelled data leak, which a study may use if it declares that."""
        return self in (LeakKind.PRETRAINED, LeakKind.SCALED_BY_SUBJECT)


_NOT_SEEN = (
    "files and global variables that a model reads, and the code of functions",
    "how windows and features were made, e.g. features selected by the labels of all subjects",
    "scaling other than to mean 0 and standard deviation 1, or to minimum 0 and maximum 1",
    "one person under two names, unless windows are equal or a recording is copied",
    "copies of windows that are too short, or rounded too coarsely, to tell people apart",
    "scaling inside a model over the very batch that it predicts",
    "features made from labels that do no better than a measurement could",
    "data that a parameter holds more than four objects deep",
)


@dataclass(frozen=True)
class Leak:
    """One way in which a test subject's data reach training.

    Attributes
    ----------
    kind : LeakKind
        What leaks.
    message : str
        What was found where.
    fold, train_rows, test_rows : int or None, and tuples of int
        The split, None for all of them, and the rows on either side where they are known.
    """

    kind: LeakKind
    message: str
    fold: int | None = None
    train_rows: tuple = field(default=(), repr=False)
    test_rows: tuple = field(default=(), repr=False)

    def to_dict(self, n_rows):
        """Return plain values for JSON, with the first ``n_rows`` rows of either side."""
        sides = {"train_rows": self.train_rows, "test_rows": self.test_rows}
        return {
            **{"kind": self.kind.value, "message": self.message, "fold": self.fold},
            **{f"n_{name}": len(rows) for name, rows in sides.items()},
            **{name: list(rows[:n_rows]) for name, rows in sides.items()},
        }


@dataclass
class LeakageReport:
    """What an audit has found.

    Attributes
    ----------
    transductive : bool or str
        Whether, or how, the study declares to use unlabelled data of its test subjects.
    leaks, declared : list of Leak
        What is wrong, and what would be if ``transductive`` did not declare it.
    notes : list of str
        What could not be checked and why, and what is worth knowing.
    looked_at, not_seen : list of str
        What the audit looked at, and what no audit can see.
    """

    transductive: bool | str = False
    leaks: list = field(default_factory=list)
    declared: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    looked_at: list = field(default_factory=list)
    not_seen: list = field(default_factory=lambda: list(_NOT_SEEN))

    def add_leak(self, kind, message, fold=None, train_rows=(), test_rows=()):
        """Append a leak; one that the study declares goes to ``declared``."""
        rows = (tuple(map(int, rows)) for rows in (train_rows, test_rows))
        is_declared = self.transductive and kind.is_transductive
        (self.declared if is_declared else self.leaks).append(Leak(kind, message, fold, *rows))

    def add_note(self, note):
        """Append a note, once."""
        if note not in self.notes:
            self.notes.append(note)

    @property
    def ok(self):
        """Whether no leak was found."""
        return not self.leaks

    @property
    def verdict(self):
        """The leaks as text, a line for each kind."""
        if self.ok:
            return "No leak found."
        return "\n- ".join(["Test subjects' data reach training:", *_describe(self.leaks)])

    def __str__(self):
        text = f" ({self.transductive})" if isinstance(self.transductive, str) else ""
        sections = {
            f"Declared as transductive{text}:": _describe(self.declared),
            "Notes:": self.notes,
            "Looked at:": self.looked_at,
            "Cannot be seen:": self.not_seen,
        }
        listed = ("\n- ".join([title, *items]) for title, items in sections.items() if items)
        return "\n".join([self.verdict, *listed])

    def to_dict(self, n_rows=20):
        """Return plain lists and dicts for JSON, with the first ``n_rows`` rows of each leak."""
        return {
            "ok": self.ok,
            "leaks": [leak.to_dict(n_rows) for leak in self.leaks],
            "declared": _describe(self.declared),
            "notes": self.notes,
            "looked_at": self.looked_at,
            "not_seen": self.not_seen,
        }


class LeakageError(ValueError):
    """Test subjects' data reach training."""

    @property
    def report(self):
        """The whole ``LeakageReport``; its verdict is the message."""
        return self.args[0]

    def __str__(self):
        return self.report.verdict


def show(values, n_shown=3):
    """Return the first few values as text, and their number if there are more."""
    values = list(values)
    text = ", ".join(map(str, values[:n_shown]))
    return text if len(values) <= n_shown else f"{text}, ... ({len(values)} in all)"


def _describe(leaks):
    """Return a line for each kind of leak: its folds, and the first messages."""
    lines = []
    for kind in dict.fromkeys(leak.kind for leak in leaks):
        some = [leak for leak in leaks if leak.kind == kind]
        folds = dict.fromkeys("all" if leak.fold is None else leak.fold for leak in some)
        messages = [
            leak.message if leak.fold is None else f"fold {leak.fold}: {leak.message}"
            for leak in some
        ]
        more = f" | and {len(messages) - 3} more" if len(messages) > 3 else ""
        lines.append(f"{kind} (folds {show(folds, 5)}): {' | '.join(messages[:3])}{more}")
    return lines

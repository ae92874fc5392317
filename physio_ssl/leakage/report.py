"""What an audit finds: leaks, notes, what it looked at and what it cannot see."""

from dataclasses import dataclass, field
from enum import Enum


class LeakKind(Enum):
    """The ways in which a test subject's data can reach training.

    See Also
    --------
    audit_leakage : Look for leaks, with an example.
    """

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
    def declared_by(self):
        """The argument that declares it, as only unlabelled data leak; None for other kinds."""
        declarations = {
            LeakKind.PRETRAINED: "pretrained_on_test_subjects",
            LeakKind.SCALED_BY_SUBJECT: "transductive",
        }
        return declarations.get(self)


_NOT_SEEN = (
    "how windows and features were made, e.g. selected by the labels of all subjects",
    "features made from labels that do no better than a measurement could",
    "what code and files do, or objects more than four deep in a model",
    "untrue names given to fit, or one person under two names unless a recording is copied",
    "copies of windows that are too short, or rounded too coarsely, to tell people apart",
    "scaling by other numbers than mean, median or extremes, or inside a model over a test batch",
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

    See Also
    --------
    audit_leakage : Look for leaks, with an example.
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


@dataclass(repr=False)
class LeakageReport:
    """What an audit has found.

    Attributes
    ----------
    transductive, pretrained_on_test_subjects : bool or str
        Whether, or how, the study declares to scale over windows of its test subjects, and to use
        encoders that were pre-trained on these subjects.
    leaks, declared : list of Leak
        What is wrong, and what would be if the study did not declare it.
    unknown : list of str
        What may leak and cannot be checked; the verdict names it.
    notes : list of str
        What else was not checked and why, and what is worth knowing.
    looked_at, not_seen : list of str
        What the audit looked at, and what no audit can see.

    See Also
    --------
    audit_leakage : Look for leaks, with an example.
    """

    transductive: bool | str = False
    pretrained_on_test_subjects: bool | str = False
    leaks: list = field(default_factory=list)
    declared: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    looked_at: list = field(default_factory=list)
    not_seen: list = field(default_factory=lambda: list(_NOT_SEEN))
    _unknown: dict = field(default_factory=dict)

    def add_leak(self, kind, message, fold=None, train_rows=(), test_rows=()):
        """Append a leak; one that the study declares goes to ``declared``."""
        rows = (tuple(map(int, rows)) for rows in (train_rows, test_rows))
        is_declared = kind.declared_by and getattr(self, kind.declared_by)
        (self.declared if is_declared else self.leaks).append(Leak(kind, message, fold, *rows))

    def add_unknown(self, what, place=None):
        """Add what is not known, and a place in a model to which that applies."""
        self._unknown.setdefault(what, []).extend([] if place is None else [str(place)])

    def add_note(self, note):
        """Append a note, once."""
        if note not in self.notes:
            self.notes.append(note)

    @property
    def ok(self):
        """Whether no leak was found."""
        return not self.leaks

    @property
    def unknown(self):
        """What may leak and cannot be checked, a line each."""
        return [f"{what} ({show(at)})" if at else what for what, at in self._unknown.items()]

    @property
    def verdict(self):
        """The leaks as text, a line for each kind, and what is not known."""
        return write_verdict(_describe(self.leaks), self.unknown)

    def __repr__(self):
        return f"LeakageReport({self.verdict})"

    def __str__(self):
        sections = {
            **self._describe_declared(),
            "Notes:": self.notes,
            "Looked at:": self.looked_at,
            "Cannot be seen:": self.not_seen,
        }
        listed = ("\n- ".join([title, *items]) for title, items in sections.items() if items)
        return "\n".join([self.verdict, *listed])

    def _describe_declared(self):
        """Return the declared leaks as lines, by a title with the declaration."""
        sections = {}
        for name in ("transductive", "pretrained_on_test_subjects"):
            value = getattr(self, name)
            text = f" ({value})" if isinstance(value, str) else ""
            some = [leak for leak in self.declared if leak.kind.declared_by == name]
            sections[f"Declared as {name}{text}:"] = _describe(some)
        return sections

    def to_dict(self, n_rows=20):
        """Return plain lists and dicts for JSON, with the first ``n_rows`` rows of each leak."""
        return {
            "ok": self.ok,
            "verdict": self.verdict,
            "leaks": [leak.to_dict(n_rows) for leak in self.leaks],
            "declared": _describe(self.declared),
            "unknown": self.unknown,
            "notes": self.notes,
            "looked_at": self.looked_at,
            "not_seen": self.not_seen,
        }


class LeakageError(ValueError):
    """Test subjects' data reach training.

    See Also
    --------
    audit_leakage : Look for leaks, with an example.
    """

    @property
    def report(self):
        """The whole ``LeakageReport``; its verdict is the message."""
        return self.args[0]

    def __str__(self):
        return self.report.verdict


def write_verdict(leaks, unknown):
    """Return the text of a verdict, from a line for each leak and each thing not known."""
    found = "\n- ".join(["Test subjects' data reach training:", *leaks]) + "\n"
    found = found if leaks else "No leak found. "
    return (found + (f"Not known: {'; '.join(unknown)}." if unknown else "")).strip()


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

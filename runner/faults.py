"""What is wrong in a study: where, what, and what to do about it; always all of it at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from federates.core.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""Way from the study's top to one value: keys and list places."""

_TAB_STOP = 1
_LONGEST_LINE = 160


def dotted(path: KeyPath) -> str:
    """Path as people write it: ``ldas[0].bus``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is written. ``line`` and ``column`` count from 1; 0: not in a file (``--set``)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong in a study."""

    file: str
    """File as the user named it, or the ``--set`` option."""
    line: int
    """Line, from 1; 0 for an option."""
    column: int
    """Column, from 1; 0 for an option."""
    path: str
    """Dotted path of the key; empty where the file as a whole is meant."""
    what: str
    """What is wrong."""
    remedy: str = ""
    """What to do, where there is more to say than ``what`` says."""

    def __str__(self) -> str:
        place = Place(file=self.file, line=self.line, column=self.column)
        path = f"{self.path}: " if self.path else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{place}: {path}{self.what}{remedy}"

    def excerpt(self) -> str:
        """Source line with its number and a caret below it; empty where there is none to show."""
        if not self.line:
            return ""
        try:
            lines = Path(self.file).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        if self.line > len(lines):
            return ""
        text = lines[self.line - 1].expandtabs(_TAB_STOP)[:_LONGEST_LINE]
        caret = " " * (min(self.column, _LONGEST_LINE) - 1) + "^"
        return f"{self.line:>8} | {text}\n         | {caret}"


def fault_at(place: Place, path: KeyPath, what: str, remedy: str = "") -> Fault:
    """Fault at a place."""
    return Fault(
        file=place.file,
        line=place.line,
        column=place.column,
        path=dotted(path),
        what=what,
        remedy=remedy,
    )


class StudyError(ConfigError):
    """A study cannot be run as written; ``faults`` holds everything that is wrong with it."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda f: (f.file, f.line, f.column)))
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def report(self) -> str:
        """Every fault with its source line."""
        return "\n".join("\n".join(filter(None, (str(f), f.excerpt()))) for f in self.faults)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest known word, else the known words, else nothing."""
    words = sorted(known)
    near = difflib.get_close_matches(word.lower(), [w.lower() for w in words], n=1, cutoff=0.6)
    if near:
        match = next(w for w in words if w.lower() == near[0])
        return f"did you mean {match!r}?"
    return f"known here: {', '.join(words)}" if 0 < len(words) <= 40 else ""

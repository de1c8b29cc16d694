"""White list for OpenDSS scripts: what is understood is written again, everything else is refused.

OpenDSS can run programs (``set editor``), load libraries (``usermodel``), change folders and read and write
files anywhere. So no script is given to the engine. It is cut into words here, every word is compared with
lists of what a circuit needs, and what passes is written again in full: one property by its whole name, one
value in one kind of bracket. Included files are read here too, and only below the master's own folder.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from federates.core.errors import ConfigError
from federates.distribution.dss_tokens import Refused, Word, engine_value, uncommented, words_of
from federates.distribution.dss_words import (
    DROPPED_CLASSES,
    DROPPED_OPTIONS,
    DROPPED_VERBS,
    FILE_PROPERTIES,
    PASSED_OPTIONS,
    PROPERTIES,
    REFUSED_PROPERTIES,
    REFUSED_WORDS,
)

FILE_BYTES = 16_000_000
TOTAL_BYTES = 64_000_000
FILES = 256
DEPTH = 16
STATEMENTS = 500_000
FAULTS_SHOWN = 50
_NAME = re.compile(r"[A-Za-z0-9_%#$&+:-][A-Za-z0-9_.%#$&+:/-]*")
_FILE_IN_LIST = re.compile(r"\s*(file|csvfile|sngfile|dblfile|pqcsvfile)\s*=\s*(\S+)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One command that passed, as it is written for the engine."""

    verb: str
    """``new``, ``edit``, ``set``, ``setkvbase`` or ``calcvoltagebases``."""
    kind: str = ""
    """Class of the element, small letters."""
    name: str = ""
    """Name of the element, small letters."""
    values: list[tuple[str, str]] = field(default_factory=list)
    """Properties by their whole name, in order."""
    place: str
    """File and line."""

    @property
    def text(self) -> str:
        """The command."""
        head = f"{self.verb} {self.kind}.{self.name}" if self.kind else self.verb
        return " ".join([head, *(f"{key}={value}" for key, value in self.values)])

    @property
    def element(self) -> str:
        """Class and name."""
        return f"{self.kind}.{self.name}"

    def last(self, key: str) -> str | None:
        """Value given last to a property, brackets off; None if it is not given."""
        found = [value for name, value in self.values if name == key]
        return found[-1].strip("[]") if found else None


def screen(master: Path) -> tuple[Statement, ...]:
    """Commands of a script and of what it includes, in order, each one understood.

    Parameters
    ----------
    master
        The file; what it includes must lie in its folder or below.

    Raises
    ------
    ConfigError
        If there is no such file; with every line that is refused: file, line and reason.
    """
    if not master.is_file():
        raise ConfigError(f"{master}: there is no such file")
    screener = _Screener(master.resolve())
    screener.read(screener.master, ())
    screener.conclude()
    return tuple(screener.statements)


class _Screener:
    """Walks the files of one script."""

    def __init__(self, master: Path) -> None:
        self.master = master
        self.statements: list[Statement] = []
        self._root = master.parent
        self._faults: list[str] = []
        self._files = 0
        self._bytes = 0
        self._current: Statement | None = None
        self._is_refused = False
        self._defined: dict[str, str] = {}

    def conclude(self) -> None:
        """Raise if a line was refused."""
        if not self._faults and not any(s.kind == "circuit" for s in self.statements):
            self._faults.append(f"{self.master}: defines no circuit; write new circuit.NAME")
        if not self._faults:
            return
        shown = self._faults[:FAULTS_SHOWN]
        more = len(self._faults) - len(shown)
        raise ConfigError("\n".join([*shown, *([f"... and {more} more"] if more else [])]))

    # -- files ------------------------------------------------------------------------------------------

    def read(self, path: Path, above: tuple[Path, ...]) -> None:
        """Screen a file; ``above`` are those that include it."""
        try:
            text = self._text(path, above)
        except Refused as reason:
            raise self._located(reason, path, above) from None
        comment = False
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
            place = f"{self._shown(path)}:{number}"
            try:
                comment, code = uncommented(line, comment)
                if code:
                    self._line(code, place, path, above)
            except Refused as reason:
                self._faults.append(f"{place}: {reason}")
        if comment:
            self._faults.append(f"{self._shown(path)}: the comment that begins with /* has no end")

    def _located(self, reason: Refused, path: Path, above: tuple[Path, ...]) -> Exception:
        return reason if above else ConfigError(f"{self._shown(path)}: {reason}")

    def _shown(self, path: Path) -> str:
        return str(path) if path == self.master else str(self.master.parent / path.relative_to(self._root))

    def _text(self, path: Path, above: tuple[Path, ...]) -> str:
        self._files += 1
        if path in above:
            raise Refused(f"{path.name!r} includes itself")
        if len(above) >= DEPTH:
            raise Refused(f"files include each other more than {DEPTH} deep")
        if self._files > FILES:
            raise Refused(f"more than {FILES} files are included")
        raw = self._bytes_of(path)
        return raw.decode("utf-8-sig", errors="replace")

    def _bytes_of(self, path: Path) -> bytes:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Refused(f"{path.name!r} is no ordinary file")
        self._bytes += status.st_size
        if status.st_size > FILE_BYTES or self._bytes > TOTAL_BYTES:
            raise Refused(f"{path.name!r} is too large ({FILE_BYTES} bytes a file, {TOTAL_BYTES} in all)")
        with path.open("rb") as file:
            return file.read(FILE_BYTES)

    def _inside(self, written: str, folder: Path) -> Path:
        """File below the master's folder that a script names."""
        name = written.replace("\\", "/")
        pure = PurePosixPath(name)
        if pure.is_absolute() or name.startswith("~") or re.match(r"[A-Za-z]:", name):
            raise Refused(f"{written!r} is an absolute path; files must lie in the master's folder")
        if ".." in pure.parts:
            raise Refused(f"{written!r} leaves the master's folder; copy the file into it")
        try:
            real = self._on_disk(folder, pure).resolve()
        except (OSError, RuntimeError):
            raise Refused(f"{written!r} cannot be followed") from None
        if not real.is_relative_to(self._root):
            raise Refused(f"{written!r} is a link that leaves the master's folder")
        if not real.exists():
            raise Refused(f"{written!r} does not exist in {folder}")
        return real

    def _on_disk(self, folder: Path, written: PurePosixPath) -> Path:
        """Path as the disk spells it: scripts come from systems on which ``A.DSS`` is ``a.dss``."""
        path = folder
        for part in written.parts:
            same = path / part
            if not same.exists() and path.is_dir() and path.resolve().is_relative_to(self._root):
                alike = [entry for entry in path.iterdir() if entry.name.lower() == part.lower()]
                if len(alike) > 1:
                    names = " and ".join(sorted(repr(entry.name) for entry in alike))
                    raise Refused(f"{part!r} can be {names}; write it as the file is called")
                same = alike[0] if alike else same
            path = same
        return path

    def _numbers(self, written: str, folder: Path) -> str:
        """Numbers of a file with one a line, as a list."""
        text = self._bytes_of(self._inside(written, folder)).decode("ascii", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        try:
            return "[" + " ".join(repr(float(line)) for line in lines) + "]"
        except ValueError:
            raise Refused(f"{written!r} must hold one number a line and nothing else") from None

    # -- commands ---------------------------------------------------------------------------------------

    def _line(self, code: str, place: str, path: Path, above: tuple[Path, ...]) -> None:
        if len(self.statements) >= STATEMENTS:
            raise Refused(f"more than {STATEMENTS} commands")
        if code.startswith("~"):
            self._continue(list(words_of(code[1:])), path)
            return
        words = list(words_of(code))
        if not words:
            raise Refused("the line holds no command")
        first, rest = words[0], words[1:]
        if first.name:
            self._implicit_edit(words, place, path)
            return
        verb = first.value.lower()
        if verb == "redirect":
            self._redirect(rest, path, above)
        elif verb in {"more", "m"}:
            self._continue(rest, path)
        elif verb in {"new", "edit"}:
            self._element(verb, rest, place, path)
        else:
            self._global(verb, rest, place, path)

    def _global(self, verb: str, rest: list[Word], place: str, path: Path) -> None:
        if verb in {"clear", "clearall"}:
            _no_more(rest)
            self.statements.clear()
            self._defined.clear()
        elif verb.startswith("calcv") and "calcvoltagebases".startswith(verb):
            _no_more(rest)
            self.statements.append(Statement(verb="calcvoltagebases", place=place))
        elif verb in {"set", "solve"}:
            self._options(rest, place)
        elif verb == "setkvbase":
            pairs = [(_exact(w, {"bus", "kvll", "kvln"}), engine_value(w)) for w in rest]
            self.statements.append(Statement(verb=verb, values=pairs, place=place))
        elif verb in DROPPED_VERBS:
            self._inside(_only(rest), path.parent)
        else:
            raise Refused(_why(verb, "command"))
        self._current, self._is_refused = None, False

    def _options(self, words: list[Word], place: str) -> None:
        passed = []
        for word in words:
            key = _exact(word, PASSED_OPTIONS | DROPPED_OPTIONS)
            value = engine_value(word)
            if key in PASSED_OPTIONS:
                passed.append((key, value))
        if passed:
            self.statements.append(Statement(verb="set", values=passed, place=place))

    def _redirect(self, words: list[Word], path: Path, above: tuple[Path, ...]) -> None:
        self.read(self._inside(_only(words), path.parent), (*above, path))

    def _element(self, verb: str, words: list[Word], place: str, path: Path) -> None:
        self._current, self._is_refused = None, True
        if not words or words[0].name.lower() not in {"", "object"}:
            raise Refused(f"{verb} wants CLASS.NAME next")
        kind, name = _element_name(words[0].value)
        key = kind if kind == "circuit" else f"{kind}.{name}"
        if verb == "new" and key in self._defined:
            raise Refused(f"{key} is defined already, at {self._defined[key]}")
        self._defined.setdefault(key, place)
        self._is_refused = False
        self._begin(Statement(verb=verb, kind=kind, name=name, place=place))
        self._continue(words[1:], path)

    def _begin(self, statement: Statement) -> None:
        self._current = statement
        if statement.kind not in DROPPED_CLASSES:
            self.statements.append(statement)

    def _implicit_edit(self, words: list[Word], place: str, path: Path) -> None:
        element, _, key = words[0].name.rpartition(".")
        if "." not in element:
            raise Refused(f"{words[0].name!r} is no command")
        kind, name = _element_name(element)
        self._is_refused = False
        self._begin(Statement(verb="edit", kind=kind, name=name, place=place))
        first = Word(key, words[0].value, words[0].bracketed)
        self._continue([first, *words[1:]], path)

    def _continue(self, words: list[Word], path: Path) -> None:
        if self._is_refused:
            return
        if self._current is None:
            raise Refused("nothing stands above that could be continued")
        for word in words:
            self._current.values.append(self._pair(self._current.kind, word, path.parent))

    def _pair(self, kind: str, word: Word, folder: Path) -> tuple[str, str]:
        if not word.name:
            raise Refused(f"value {word.value[:40]!r} has no property name; write NAME=VALUE")
        key = _property(kind, word.name)
        if key in REFUSED_PROPERTIES:
            raise Refused(f"{kind}.{key} {REFUSED_PROPERTIES[key]}")
        if key in FILE_PROPERTIES:
            if kind not in {"loadshape", "growthshape"}:
                raise Refused(f"{kind}.{key} names a file; give the numbers themselves")
            return FILE_PROPERTIES[key], self._numbers(word.value, folder)
        inner = _FILE_IN_LIST.fullmatch(word.value) if word.bracketed else None
        if inner is not None:
            if inner[1].lower() not in {"file", "csvfile"}:
                raise Refused(f"{inner[1]} is binary; write the numbers as text and name them by file")
            return key, self._numbers(inner[2].strip("\"'"), folder)
        return key, engine_value(word)


def _element_name(text: str) -> tuple[str, str]:
    kind, _, name = text.strip().lower().partition(".")
    if kind not in PROPERTIES:
        raise Refused(_why(kind, "class"))
    if not _NAME.fullmatch(name) or "//" in name:
        raise Refused(f"{text[:40]!r} is no CLASS.NAME")
    return kind, name


def _property(kind: str, written: str) -> str:
    """Whole name of a property: given in full, or so far that only one can be meant."""
    word = written.lower()
    known = PROPERTIES[kind]
    if word in known:
        return word
    meant = sorted(name for name in known if name.startswith(word))
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise Refused(f"{written!r} can mean {', '.join(meant[:6])} of a {kind}; write it in full")
    raise Refused(f"{written[:40]!r} is no property of a {kind} that Tandem knows")


def _exact(word: Word, known: set[str] | frozenset[str]) -> str:
    key = word.name.lower()
    if not key:
        raise Refused(f"value {word.value[:40]!r} has no name; write NAME=VALUE")
    if key not in known:
        raise Refused(_why(key, "option"))
    return key


def _why(word: str, what: str) -> str:
    """Why a word is refused, abbreviations of the worst ones included."""
    shown = word[:40]
    if not word:
        return f"a {what} is missing"
    meant = sorted(name for name in REFUSED_WORDS if len(word) > 1 and name.startswith(word))
    if meant:
        return f"{what} {shown!r} {REFUSED_WORDS[meant[0]]}"
    return f"{what} {shown!r} is not on the list of what a circuit needs"


def _only(words: list[Word]) -> str:
    if len(words) != 1 or words[0].name not in {"", "file"}:
        raise Refused("one file is wanted here")
    return words[0].value.strip()


def _no_more(words: list[Word]) -> None:
    if words:
        raise Refused(f"{words[0].value[:40]!r} is not wanted here")

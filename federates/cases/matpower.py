"""MATPOWER case files (format version 2) as transmission cases.

Only data are read: assignments ``mpc.name = value`` with numbers, texts, ``[...]`` and ``{...}``. A file with
any other statement (some compute their units in code) is refused at that line, because leaving the statement
out would change the case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from federates.cases.case import TransmissionCase
from federates.cases.ppc import BLOCKS, Matrices, case_of
from federates.core.arrays import FloatArray
from federates.core.errors import ConfigError, MissingInputError

_ASSIGNMENT = re.compile(r"mpc\.(\w+)\s*=\s*(.*)", re.DOTALL)
_IGNORED = re.compile(r"(function\b.*|end|return|endfunction)\s*;?")
_TEXT = re.compile(r"'((?:[^']|'')*)'|\"([^\"]*)\"")
_COMMENT = re.compile(r"((?:[^'%\"]|'[^'\n]*'|\"[^\"\n]*\")*)%.*")
_CLOSES = {"[": "]", "{": "}"}
_COLUMNS = {"bus": 13, "gen": 10, "branch": 11, "gencost": 5, "dcline": 11}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One assignment: its name, its line, and the lines of text of its value."""

    name: str
    line: int
    value: tuple[tuple[int, str], ...]
    """Line number and text, brackets left out, continued lines joined."""
    bracket: str
    """``[``, ``{`` or nothing."""


def read_matpower(path: Path, *, blocks: int = BLOCKS, market_only: bool = False) -> TransmissionCase:
    """MATPOWER case file as a transmission case.

    Buses are named by ``mpc.bus_name`` where the file has it and the names are unique, else by number; units
    ``<bus>_G1`` ...; branches ``<from>-<to>``, with ``#2`` ... for parallel ones. How rows become units and
    branches: :mod:`federates.cases.ppc`.

    Parameters
    ----------
    path : Path
        The ``.m`` file.
    blocks : int
        Blocks into which a polynomial cost above degree one is cut.
    market_only : bool
        Whether what only a power flow needs may be missing: nominal voltages.

    Raises
    ------
    MissingInputError
        If there is no such file.
    ConfigError
        If a line is not data or a row cannot be used; the message begins with file and line.
    """
    if not path.is_file():
        raise MissingInputError(f"no MATPOWER case {path}")
    statements = {s.name: s for s in _statements(path, path.read_text(encoding="utf-8", errors="replace"))}
    _check_version(path, statements)
    tables = {name: _matrix(path, statements, name) for name in ("bus", "gen", "branch", "gencost")}
    lines = {name: numbers for name, (_, numbers) in tables.items()}
    dc_lines, lines["dcline"] = _dc_lines(path, statements)

    def where(matrix: str, row: int) -> str:
        return f"{path}:{lines[matrix][row]}"

    return case_of(
        Matrices(
            name=path.stem,
            source=f"MATPOWER case file {path.name}",
            base_mva=_scalar(path, statements, "baseMVA"),
            bus=tables["bus"][0],
            gen=tables["gen"][0],
            branch=tables["branch"][0],
            gencost=tables["gencost"][0],
            bus_names=_bus_names(statements, len(lines["bus"])),
            where=where,
            dc_lines=dc_lines,
        ),
        blocks=blocks,
        market_only=market_only,
    )


def _statements(path: Path, text: str) -> Iterator[Statement]:
    lines = _plain_lines(text)
    for number, line in lines:
        if not line or _IGNORED.fullmatch(line):
            continue
        match = _ASSIGNMENT.fullmatch(line)
        if not match:
            raise ConfigError(
                f"{path}:{number}: not data: {line[:60]!r}; only mpc.name = value can be read; "
                "MATPOWER's savecase writes such a file"
            )
        name, rest = match[1], match[2]
        bracket = rest[:1] if rest[:1] in _CLOSES else ""
        if bracket:
            value = tuple(_until(path, name, number, rest[1:], _CLOSES[bracket], lines))
        else:
            value = ((number, rest.rstrip("; ")),)
        yield Statement(name=name, line=number, value=value, bracket=bracket)


def _plain_lines(text: str) -> Iterator[tuple[int, str]]:
    """Line numbers and lines without comments; lines continued by ``...`` are joined to the first."""
    held, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        comment = _COMMENT.fullmatch(line)
        plain = comment[1] if comment else line
        first = first or number
        body, dots, _ = plain.partition("...")
        held += body + (" " if dots else "")
        if not dots:
            yield first, held.strip()
            held, first = "", 0
    if held:
        yield first, held.strip()


def _until(
    path: Path, name: str, number: int, rest: str, close: str, lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, str]]:
    begin = number
    while True:
        bare = _TEXT.sub(lambda match: " " * len(match[0]), rest)
        if close in bare:
            at = bare.index(close)
            if bare[at + 1 :].strip("; "):
                raise ConfigError(
                    f"{path}:{number}: not data after the end of mpc.{name}: {rest[at + 1 :]!r}"
                )
            yield number, rest[:at]
            return
        yield number, rest
        try:
            number, rest = next(lines)
        except StopIteration:
            raise ConfigError(f"{path}:{begin}: mpc.{name} has no closing {close!r}") from None


def _check_version(path: Path, statements: dict[str, Statement]) -> None:
    version = statements.get("version")
    if version is None or version.value[0][1].strip("'\"") != "2":
        line = version.line if version else 1
        raise ConfigError(f"{path}:{line}: not a MATPOWER case of version 2 (mpc.version = '2')")


def _scalar(path: Path, statements: dict[str, Statement], name: str) -> float:
    statement = statements.get(name)
    if statement is None:
        raise ConfigError(f"{path}:1: mpc.{name} is missing")
    return _number(path, statement.line, statement.value[0][1])


def _number(path: Path, line: int, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{path}:{line}: {text!r} is not a number") from None


def _matrix(path: Path, statements: dict[str, Statement], name: str) -> tuple[FloatArray, list[int]]:
    """Values and line numbers of a matrix's rows."""
    statement = statements.get(name)
    if statement is None or statement.bracket != "[":
        line = statement.line if statement else 1
        remedy = "; the market needs a cost for every unit" if name == "gencost" else ""
        raise ConfigError(f"{path}:{line}: matrix mpc.{name} is missing{remedy}")
    rows: list[list[float]] = []
    lines: list[int] = []
    for line, text in statement.value:
        for part in text.split(";"):
            values = [_number(path, line, word) for word in part.replace(",", " ").split()]
            if not values:
                continue
            if rows and len(values) != len(rows[0]):
                raise ConfigError(
                    f"{path}:{line}: mpc.{name} has {len(values)} columns here and {len(rows[0])} above"
                )
            rows.append(values)
            lines.append(line)
    if rows and len(rows[0]) < _COLUMNS[name]:
        raise ConfigError(f"{path}:{lines[0]}: mpc.{name} has {len(rows[0])} columns, needs {_COLUMNS[name]}")
    if not rows and name != "dcline":
        raise ConfigError(f"{path}:{statement.line}: mpc.{name} is empty")
    return np.array(rows, dtype=np.float64).reshape(len(rows), -1), lines


def _bus_names(statements: dict[str, Statement], buses: int) -> tuple[str, ...]:
    statement = statements.get("bus_name")
    if statement is None or statement.bracket != "{":
        return ()
    text = "\n".join(piece for _, piece in statement.value)
    names = tuple((match[1] or match[2] or "").replace("''", "'").strip() for match in _TEXT.finditer(text))
    usable = len(names) == buses and len(set(names)) == buses and all(names)
    return names if usable else ()


def _dc_lines(
    path: Path, statements: dict[str, Statement]
) -> tuple[tuple[tuple[int, int, float], ...], list[int]]:
    """Direct-current lines in service as from bus, to bus, limit [MW]; and their lines of text."""
    if "dcline" not in statements:
        return (), []
    rows, lines = [], []
    for row, line in zip(*_matrix(path, statements, "dcline"), strict=True):
        p_min, p_max = float(row[9]), float(row[10])
        if row[2] <= 0.0:
            continue
        if p_min != -p_max or row[15:17].any():
            raise ConfigError(
                f"{path}:{line}: direct-current line with unequal limits ({p_min}, {p_max} MW) or losses; "
                "only lossless lines with the same limit either way can be read"
            )
        rows.append((int(row[0]), int(row[1]), p_max))
        lines.append(line)
    return tuple(rows), lines

"""Lines of OpenDSS scripts cut into words, stricter than OpenDSS itself: what is unusual is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LINE_CHARACTERS = 100_000
_BARE = re.compile(r"[A-Za-z0-9_.%#$&+:*/-]+")
_LIST = re.compile(r"[A-Za-z0-9_.%#$&+:*/^|, \t-]*")
_OPEN = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'"}
_PRINTABLE = re.compile(r"[\t\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Word:
    """A value with the name before its ``=``."""

    name: str
    """Empty without a name."""
    value: str
    """Without brackets or quotes."""
    bracketed: bool
    """Whether there were any."""


class Refused(Exception):  # noqa: N818 - a reason, turned into one line of a ConfigError
    """Why a line is refused."""


def uncommented(line: str, comment: bool) -> tuple[bool, str]:
    """Whether a block comment goes on after a line, and what the line holds beside comments.

    Raises
    ------
    Refused
        If a bracket, quote or comment is left open, or a character is not printable ASCII.
    """
    if len(line) > LINE_CHARACTERS:
        raise Refused(f"the line has more than {LINE_CHARACTERS} characters")
    if comment or line.lstrip().startswith("/*"):
        begin, end, after = line.partition("*/")
        if after.strip():
            raise Refused("text stands behind */; begin a new line")
        return (not end, "") if begin or end else (comment, "")
    kept: list[str] = []
    closing = ""
    for place, letter in enumerate(line):
        if closing:
            closing = "" if letter == closing else closing
        elif letter == "!" or line.startswith("//", place):
            break
        elif line.startswith("/*", place):
            raise Refused("/* must begin its line")
        elif letter in _OPEN:
            closing = _OPEN[letter]
        kept.append(letter)
    code = "".join(kept).strip()
    if closing:
        raise Refused(f"{closing!r} is missing")
    if not _PRINTABLE.fullmatch(code):
        strange = next(c for c in code if not _PRINTABLE.fullmatch(c))
        raise Refused(f"character U+{ord(strange):04X} stands outside a comment")
    return False, code


def words_of(code: str) -> Iterator[Word]:
    """Values of a command, each with the name before its ``=``.

    Raises
    ------
    Refused
        If brackets, quotes or names stand where they are not understood.
    """
    at, name = 0, ""
    while at < len(code):
        letter = code[at]
        if letter in " \t,":
            at += 1
            continue
        if letter == "=":
            raise Refused("a name is missing before =")
        if letter in _OPEN:
            end = code.index(_OPEN[letter], at + 1)
            text, bracketed = code[at + 1 : end], True
            at = end + 1
            if at < len(code) and code[at] not in " \t,=":
                raise Refused("a bracket or quote must be followed by a space")
        else:
            end = at
            while end < len(code) and code[end] not in " \t,=" and code[end] not in _OPEN:
                end += 1
            if end < len(code) and code[end] in _OPEN:
                raise Refused("a bracket or quote stands inside a word")
            text, bracketed = code[at:end], False
            at = end
        behind = len(code[at:]) - len(code[at:].lstrip(" \t"))
        if at + behind < len(code) and code[at + behind] == "=":
            if name or bracketed:
                raise Refused(f"{text[:40]!r} cannot be a name")
            name, at = text, at + behind + 1
            if not code[at:].strip():
                raise Refused(f"{name!r} has no value")
            continue
        yield Word(name, text, bracketed)
        name = ""


def engine_value(word: Word) -> str:
    """A value as it is written for the engine: bare, or in square brackets.

    Raises
    ------
    Refused
        If it is empty or holds a character that no circuit needs.
    """
    text = word.value.strip()
    if "//" in text or not text:
        raise Refused(f"value {text[:40]!r} of {word.name!r} is empty or holds //")
    if not word.bracketed:
        if not _BARE.fullmatch(text):
            raise Refused(f"value {text[:40]!r} of {word.name!r} holds a character that is not allowed")
        return text
    if not _LIST.fullmatch(text):
        strange = next(c for c in text if not _LIST.fullmatch(c))
        raise Refused(f"value {text[:40]!r} of {word.name!r} holds {strange!r}")
    return f"[{text}]"

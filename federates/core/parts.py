"""Names of the files in which a run's tables lie: ``tables/<table>/<federate>.<span>.<part>.parquet``.

When a span is over, its parts may be merged into one of the name ``all.<span>.00000.parquet``, which
supersedes them from the moment it can be seen. What is being written has a hidden name, which is no part's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MERGED = "all"
"""Stands in a merged part's name where a federate's stands in others'."""
_FEDERATE = re.compile(r"[A-Za-z0-9_-]+")
_NAME = re.compile(r"(?P<federate>[A-Za-z0-9_-]+)\.(?P<span>\d+)\.(?P<part>\d+)\.parquet")


@dataclass(frozen=True, slots=True, order=True)
class PartName:
    """Name of one part."""

    federate: str
    """Who wrote it, or ``MERGED``."""
    span: int
    """Place of the span in the chain, from 0."""
    part: int
    """Place of the part in the federate's table, from 0."""

    def __post_init__(self) -> None:
        if not _FEDERATE.fullmatch(self.federate):
            what = "letters, digits, _ and - are allowed"
            raise ValueError(f"the federate {self.federate!r} cannot name a file: {what}")

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{self.federate}.{self.span:03d}.{self.part:05d}.parquet"

    @property
    def hidden(self) -> str:
        """Name of the file until it is complete."""
        return f".{self.file}.tmp"

    @classmethod
    def parse(cls, name: str) -> PartName | None:
        """Part of a file's name; None if it is not a part's."""
        match = _NAME.fullmatch(name)
        return None if match is None else cls(match["federate"], int(match["span"]), int(match["part"]))

    @classmethod
    def parse_hidden(cls, name: str) -> PartName | None:
        """Part of an incomplete file's name; None if it is not one's."""
        return cls.parse(name[1:-4]) if name.startswith(".") and name.endswith(".tmp") else None


def complete_parts(folder: Path) -> dict[PartName, Path]:
    """Parts of one table that hold its rows, each row once, in the order of their names."""
    found = {
        part: path for path in folder.glob("*.parquet") if (part := PartName.parse(path.name)) is not None
    }
    merged = {part.span for part in found if part.federate == MERGED}
    return {part: found[part] for part in sorted(found) if part.federate == MERGED or part.span not in merged}


@contextmanager
def published(folder: Path, part: PartName) -> Iterator[BinaryIO]:
    """A file to write a part into: it is seen whole, at the end, or not at all."""
    hidden = folder / part.hidden
    try:
        with hidden.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        hidden.replace(folder / part.file)
    finally:
        hidden.unlink(missing_ok=True)
    synchronise(folder)


def synchronise(folder: Path) -> None:
    """Bring the entries of a folder to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def discard_span(run_dir: Path, span: int, federate: str | None = None) -> None:
    """Remove the parts of a span and of all later ones, of one federate or (None) of all.

    Merged parts hold every federate's rows and go with each of them; incomplete files go too.
    """
    for path in _files(run_dir):
        part = PartName.parse(path.name) or PartName.parse_hidden(path.name)
        if part is None or part.span < span:
            continue
        if federate is None or part.federate in {federate, MERGED}:
            path.unlink(missing_ok=True)


def _files(run_dir: Path) -> Iterable[Path]:
    """Files in the table folders."""
    return [path for folder in (run_dir / "tables").glob("*") for path in folder.iterdir()]

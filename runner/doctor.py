"""Whether the engines that Tandem stands on work on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from runner.tool import call_tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One engine, tried."""

    engine: str
    """Name."""
    version: str
    """Version; empty where it could not be told."""
    ok: bool
    """Whether it gave an answer."""
    found: str
    """What it answered, or why it did not."""


def probe_engines() -> tuple[Probe, ...]:
    """Every engine, tried in a child process.

    Raises
    ------
    ModelError
        If the child ends without an answer.
    """
    found = call_tool("doctor", {})
    return tuple(
        Probe(
            engine=str(line["engine"]),
            version=str(line["version"]),
            ok=line["ok"] is True,
            found=str(line["found"]),
        )
        for line in cast("list[dict[str, object]]", found["engines"])
    )

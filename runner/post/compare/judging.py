"""How a statement of a comparison is judged: held to a threshold, or not tested for a stated reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from runner.post.compare.comparison import Comparison, Contender

Result = Literal["supported", "not supported", "not resolved", "not tested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One statement and whether the runs support it."""

    key: str
    """Stable name."""
    statement: str
    """What would be so."""
    result: Result
    """Whether it is."""
    value: float | None = None
    """Figure that decides."""
    threshold: float | None = None
    """Figure to which it is held."""
    unit: str = ""
    """Unit of both."""
    why: str = ""
    """What the figure is, or what is missing."""


def figures_of(contenders: Sequence[Contender], key: str) -> list[float] | None:
    """A metric of several runs; None where one has none."""
    found = [c.value(key) for c in contenders]
    known = [value for value in found if value is not None]
    return known if len(known) == len(found) else None


def figure_of(comparison: Comparison, model: str, key: str) -> float | None:
    """A metric of a model's first run; None where there is none."""
    run = comparison.of(model)
    return None if run is None else run.value(key)


def both(comparison: Comparison, one: str, other: str, key: str) -> tuple[float, float] | None:
    """A metric of two models; None where one has none."""
    first, second = (figure_of(comparison, model, key) for model in (one, other))
    return None if first is None or second is None else (first, second)


def untested(key: str, statement: str, why: str) -> Verdict:
    """Nothing can be said, and why."""
    return Verdict(key=key, statement=statement, result="not tested", why=why)


def unresolved(key: str, statement: str, difference: float, comparison: Comparison) -> Verdict:
    """A difference of cost [$] that is smaller than what can be told apart."""
    return Verdict(
        key=key, statement=statement, result="not resolved", value=difference,
        threshold=comparison.resolution_usd, unit="$", why="difference of cost below what can be told apart",
    )  # fmt: skip


def at_most(key: str, statement: str, value: float, threshold: float, unit: str, why: str) -> Verdict:
    """Supported up to the threshold."""
    return judged(key, statement, value, threshold, unit, why, holds=value <= threshold)


def less_than(key: str, statement: str, value: float, threshold: float, unit: str, why: str) -> Verdict:
    """Supported below the threshold."""
    return judged(key, statement, value, threshold, unit, why, holds=value < threshold)


def more_than(key: str, statement: str, value: float, threshold: float, unit: str, why: str) -> Verdict:
    """Supported above the threshold."""
    return judged(key, statement, value, threshold, unit, why, holds=value > threshold)


def judged(
    key: str, statement: str, value: float, threshold: float, unit: str, why: str, *, holds: bool
) -> Verdict:
    """A statement with its figure, and whether that holds."""
    return Verdict(
        key=key,
        statement=statement,
        result="supported" if holds else "not supported",
        value=value,
        threshold=threshold,
        unit=unit,
        why=why,
    )

"""Runs that a comparison makes of one study, by short names: a model, its bid, its day-ahead rounds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from federates.coordination.catalog import MODELS
from federates.core.errors import ConfigError

_NAMED = re.compile(r"(?P<model>\w+)(/(?P<bid>\w+)(:(?P<blocks>\d+))?)?(@(?P<rounds>\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One model to be run, and how its bid is made."""

    code: str
    """As the user names it, such as ``M5`` or ``M5/fixed_quantity``."""
    model: str
    """Key of the coordination model."""
    sets: tuple[str, ...]
    """What is put into the study for it."""


def entrants(named: Sequence[str]) -> tuple[Entrant, ...]:
    """Runs by their names: a model's code or key, a total DSO's bid after a slash, rounds after an at sign.

    ``M5/interval_curve:8@3`` is a total DSO that bids curves of 8 blocks in each of 3 day-ahead rounds.

    Raises
    ------
    ConfigError
        If a name says nothing, its model is unknown, or two names say the same.
    """
    found: list[Entrant] = []
    for text in named:
        entrant = _entrant(text)
        if any(other.sets == entrant.sets for other in found):
            raise ConfigError(f"{text!r} is named twice; name each model once")
        found.append(entrant)
    return tuple(found)


def _entrant(text: str) -> Entrant:
    parts = _NAMED.fullmatch(text)
    if parts is None:
        raise ConfigError(f"{text!r} names no model; write M5, M5/interval_curve:8 or M5@3")
    by_name = {name: model.key for model in MODELS.values() for name in (model.key, model.code)}
    name, bid, blocks, rounds = parts.group("model", "bid", "blocks", "rounds")
    if name not in by_name:
        known = ", ".join(f"{m.code} ({m.key})" for m in MODELS.values())
        raise ConfigError(f"unknown model {name!r}; models are {known}")
    sets = [f"coordination={by_name[name]}"]
    if bid:
        sets.append(f"market.bid={{kind: {bid}{f', blocks: {blocks}' if blocks else ''}}}")
    if rounds:
        sets.append(f"market.day_ahead_rounds={rounds}")
    return Entrant(code=text, model=by_name[name], sets=tuple(sets))


def every_model() -> tuple[str, ...]:
    """Codes of all models, as ``entrants`` takes them."""
    return tuple(model.code for model in MODELS.values())

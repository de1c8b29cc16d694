"""What models of one study have in common: the scenario, and the part of it that the forward plan reads."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path

import federates
from runner.manifest import versions
from runner.study import LoadedStudy
from runner.yaml_source import Plain

OF_MODELS = (
    *("name", "description", "coordination", "market.bid", "market.day_ahead_rounds", "envelope_rule"),
    *("federation", "record", "compare"),
)
"""Settings in which runs of one scenario may differ: names, model, its bid, rounds or rule, processes,
records, and which models are compared."""
UNREAD_BY_PLAN = (
    *("name", "description", "coordination", "record", "compare", "estimation", "coupling", "events"),
    *("der_q", "inverter_category", "envelope_rule", "horizon"),
    *("market.bid", "market.day_ahead_rounds", "market.hour_ahead", "market.look_ahead"),
    *("federation.hosts", "federation.chain", "federation.startup_limit", "federation.step_limit"),
)
"""Settings that the forward plan does not read; of the horizon it reads the start and the number of days.

A setting that is not named here makes a plan of its own: one too few costs time, one too many a wrong plan.
"""


def scenario_hash(loaded: LoadedStudy) -> str:
    """SHA-256 of everything that a coordination model is given and does not choose."""
    return loaded.digest(_without(loaded.resolved, OF_MODELS))


def plan_hash(loaded: LoadedStudy) -> str:
    """SHA-256 of everything on which the forward plan of a study depends, the program itself included."""
    clock = loaded.study.clock
    read: dict[str, Plain] = {
        "study": _without(loaded.resolved, UNREAD_BY_PLAN),
        "start": clock.start.isoformat(),
        "days": len(clock.days),
        "program": program_hash(),
        "versions": dict(versions()),
    }
    return loaded.digest(read)


@cache
def program_hash() -> str:
    """SHA-256 of the sources by which a plan is made: another version of the program plans anew."""
    root = Path(federates.__file__).parent
    digest = sha256()
    for file in sorted(root.rglob("*.py")):
        content = sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(root).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def _without(settings: dict[str, Plain], keys: Iterable[str]) -> dict[str, Plain]:
    """Settings less some dotted keys."""
    left = dict(settings)
    for key in keys:
        outer, _, inner = key.partition(".")
        below = left.get(outer)
        if not inner:
            left.pop(outer, None)
        elif isinstance(below, dict):
            left[outer] = _without(below, (inner,))
    return left

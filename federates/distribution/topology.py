"""What a feeder's tables say about its buses: voltage level, phases, radial order."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass

from federates.core.errors import ConfigError
from federates.distribution.model import Capacitor, Feeder, Load, Transformer

CENTRE_TAPPED = "centre_tapped"
"""A transformer's second connection that has two legs."""
Phases = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BusLevel:
    """What a bus offers to what is connected to it."""

    kv: float
    """Line-to-line nominal; the root of three times a leg's where there is a centre tap. [kV]"""
    phases: Phases
    """Or the legs of a centre tap, 1 and 2."""
    centre_tapped: bool = False
    """Whether its voltages to ground are opposite, so that twice a leg's stands between them."""


@dataclass(frozen=True, slots=True)
class _Span:
    name: str
    bus1: str
    bus2: str
    phases: Phases
    ratio: float
    centre_tapped: bool = False


def _spans(feeder: Feeder) -> list[_Span]:
    phases = {config.name: config.phases for config in feeder.configs}
    spans = []
    for line in feeder.lines:
        if line.config not in phases:
            raise ConfigError(
                f"feeder {feeder.name!r}: line {line.name!r} uses unknown configuration {line.config!r}"
            )
        spans.append(_Span(line.name, line.bus1, line.bus2, phases[line.config], 1.0))
    spans += [_transformer_span(feeder, t) for t in feeder.transformers]
    return spans + [_Span(r.name, r.bus1, r.bus2, r.phases, 1.0) for r in feeder.regulators]


def _transformer_span(feeder: Feeder, unit: Transformer) -> _Span:
    if unit.connection2 != CENTRE_TAPPED:
        return _Span(unit.name, unit.bus1, unit.bus2, unit.phases, unit.kv2 / unit.kv1)
    if len(unit.phases) != 1 or unit.connection1 != "wye":
        raise ConfigError(
            f"feeder {feeder.name!r}: {unit.name!r} is centre-tapped; that takes one phase in wye"
        )
    return _Span(unit.name, unit.bus1, unit.bus2, unit.phases, unit.kv2 / 2 / unit.kv1, centre_tapped=True)


def bus_levels(feeder: Feeder) -> Mapping[str, BusLevel]:
    """Return every bus's level and phases, walking the feeder from its head.

    Raises
    ------
    ConfigError
        If the feeder has a loop, an element that the head does not feed, or an element on a phase that its
        sending bus lacks.
    """
    at_bus: dict[str, list[_Span]] = defaultdict(list)
    spans = _spans(feeder)
    for span in spans:
        at_bus[span.bus1].append(span)
        at_bus[span.bus2].append(span)
    levels = {feeder.head_bus: BusLevel(kv=feeder.kv, phases=(1, 2, 3))}
    walked: set[str] = set()
    queue = deque([feeder.head_bus])
    while queue:
        bus = queue.popleft()
        for span in at_bus[bus]:
            if span.name in walked:
                continue
            walked.add(span.name)
            far = span.bus2 if span.bus1 == bus else span.bus1
            if far in levels:
                raise ConfigError(f"feeder {feeder.name!r}: {span.name!r} closes a loop at bus {far!r}")
            _require_phases(feeder, span.name, span.phases, levels[bus], bus)
            if span.centre_tapped and far == span.bus1:
                raise ConfigError(f"feeder {feeder.name!r}: {span.name!r} is fed at its centre tap")
            levels[far] = _beyond(span, levels[bus], forward=span.bus1 == bus)
            queue.append(far)
    if len(walked) < len(spans):
        lost = next(span.name for span in spans if span.name not in walked)
        raise ConfigError(f"feeder {feeder.name!r}: {lost!r} is not fed from head bus {feeder.head_bus!r}")
    connected: tuple[Capacitor | Load, ...] = (*feeder.capacitors, *feeder.loads)
    for item in connected:
        if item.bus not in levels:
            raise ConfigError(f"feeder {feeder.name!r}: {item.name!r} is at unknown bus {item.bus!r}")
        _require_phases(feeder, item.name, item.phases, levels[item.bus], item.bus)
    return levels


def _beyond(span: _Span, near: BusLevel, *, forward: bool) -> BusLevel:
    ratio = span.ratio if forward else 1 / span.ratio
    if span.centre_tapped:
        return BusLevel(kv=near.kv * ratio, phases=(1, 2), centre_tapped=True)
    tapped = near.centre_tapped
    return BusLevel(kv=near.kv * ratio, phases=tuple(sorted(span.phases)), centre_tapped=tapped)


def connection_kv(level: BusLevel, phases: Phases) -> float:
    """Return the rating of a connection at a bus: to neutral for one phase, else between phases. [kV]"""
    to_neutral = level.kv / math.sqrt(3)
    if len(phases) == 1:
        return to_neutral
    return 2 * to_neutral if level.centre_tapped else level.kv


def _require_phases(feeder: Feeder, name: str, phases: Phases, level: BusLevel, bus: str) -> None:
    if not set(phases) <= set(level.phases):
        raise ConfigError(
            f"feeder {feeder.name!r}: {name!r} uses phases {phases}, bus {bus!r} has only {level.phases}"
        )

"""Seeded synthetic feeders: radial, unbalanced, with service transformers.

A three-phase trunk with branches carries one- and two-phase laterals; customers stand behind service
transformers, on request as in North America: centre-tapped for one phase, and delta loads behind three. A
regulator at the head holds 123 V; conductors are chosen by current, and the load is scaled
down where it would drop more than the primary may. Same arguments, same feeder, byte for byte.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ConfigError
from federates.distribution.conductors import ACSR_1_0, ACSR_4_0, CONDUCTORS, Conductor, overhead_config
from federates.distribution.model import Capacitor, Feeder, Line, LineConfig, Load, Regulator, Transformer
from federates.distribution.topology import CENTRE_TAPPED

MIN_NODES, MAX_NODES = 100, 10_000
PRIMARY_DROP_PU = 0.04
"""Greatest estimated drop from the head to any primary bus at peak."""
CURRENT_MARGIN = 1.6
"""Ampacity chosen over estimated peak current."""
TRUNK_SHARE = 0.1
"""Three-phase trunk buses per node asked for."""
BRANCH_SPANS = 12
"""Mean number of trunk spans between branches."""
LATERAL_SPANS = 5
"""Mean number of spans of a lateral."""
TWO_PHASE_SHARE = 0.15
SERVICE_SHARE = 0.7
"""Lateral buses with a service transformer."""
THREE_PHASE_SERVICE_SHARE = 0.15
"""Trunk buses with a three-phase service transformer."""
POWER_FACTOR = (0.92, 0.98)
CAPACITOR_SHARE = 0.4
"""Of the peak reactive load, fixed at one place on the trunk."""
LEG_SHARE = 0.2
"""Part of a centre-tapped customer's load that is on one leg."""
_SERVICE_KVA = (15.0, 25.0, 50.0)
_SERVICE_KVA_3 = (75.0, 150.0, 300.0)
_SERVICE_KV, _SERVICE_KV_3 = 0.24, 0.48
_HEAD, _REGULATED = "head", "reg"


@dataclass(slots=True)
class _Tree:
    """Primary buses in the order in which they grew; a parent stands before its children."""

    names: list[str] = field(default_factory=lambda: [_REGULATED])
    parents: list[int] = field(default_factory=lambda: [-1])
    phases: list[tuple[int, ...]] = field(default_factory=lambda: [(1, 2, 3)])
    length_ft: list[float] = field(default_factory=lambda: [0.0])

    def add(self, name: str, parent: int, phases: tuple[int, ...], length_ft: float) -> int:
        self.names.append(name)
        self.parents.append(parent)
        self.phases.append(phases)
        self.length_ft.append(length_ft)
        return len(self.names) - 1


@dataclass(frozen=True, slots=True)
class _Service:
    """A service transformer and the customers behind it."""

    bus: int
    phases: tuple[int, ...]
    kva: float
    kw: float
    kvar: float


def synthetic_feeder(
    nodes: int, seed: int, *, kv: float = 12.47, peak_kw: float = 8000.0, centre_tapped: bool = False
) -> Feeder:
    """Return a feeder with exactly ``nodes`` nodes below its head bus.

    Parameters
    ----------
    nodes
        Bus phases, 100 to 10 000, secondaries included.
    seed
        Not negative.
    kv
        Line-to-line. [kV]
    peak_kw
        Greatest total load; less where voltage or the customers' own peaks allow less. [kW]
    centre_tapped
        Customers of one phase have two legs of 120 V, with a load between them and one on a leg; those of
        three phases are in delta.

    Raises
    ------
    ConfigError
        If the size or a rating is out of range.
    """
    if not MIN_NODES <= nodes <= MAX_NODES:
        raise ConfigError(f"synthetic feeder: {nodes} nodes is not within {MIN_NODES} to {MAX_NODES}")
    if seed < 0 or kv <= 0 or peak_kw <= 0:
        raise ConfigError("synthetic feeder: seed must not be negative, kv and peak_kw must be above zero")
    rng = np.random.default_rng([seed, nodes])
    legs = 2 if centre_tapped else 1
    tree = _Tree()
    trunk = _grow_trunk(tree, rng, max(6, round(TRUNK_SHARE * nodes)))
    services = _grow_services(tree, rng, trunk, nodes - 3 * len(tree.names), legs)
    kv_ln = kv / math.sqrt(3)
    size, factor = _dimension(tree, services, kv_ln, peak_kw)
    services = [_Service(s.bus, s.phases, s.kva, s.kw * factor, s.kvar * factor) for s in services]
    return Feeder(
        name=f"synthetic-{nodes}-{seed}",
        head_bus=_HEAD,
        kv=kv,
        configs=_configs(),
        lines=_lines(tree, size),
        transformers=tuple(_transformer(tree, service, kv, legs) for service in services),
        regulators=(_regulator(kv_ln),),
        capacitors=(_capacitor(tree, trunk, services, kv),),
        loads=tuple(load for service in services for load in _loads(tree, service, legs)),
        source=f"Tandem's generator, {nodes} nodes, seed {seed}",
    )


def _grow_trunk(tree: _Tree, rng: Generator, count: int) -> list[int]:
    trunk = [0]
    for place in range(count):
        branches = len(trunk) > 2 and rng.random() < 1 / BRANCH_SPANS
        parent = int(rng.choice(trunk[1:])) if branches else trunk[-1]
        trunk.append(tree.add(f"t{place}", parent, (1, 2, 3), float(rng.integers(150, 400))))
    return trunk


def _grow_services(tree: _Tree, rng: Generator, trunk: Sequence[int], left: int, legs: int) -> list[_Service]:
    """Grow laterals and services, of ``legs`` nodes each, until exactly ``left`` nodes are used up."""
    services = []
    for bus in trunk[1:]:
        if left > 3 and rng.random() < THREE_PHASE_SERVICE_SHARE:
            services.append(_draw_service(rng, bus, (1, 2, 3)))
            left -= 3
    weights = rng.dirichlet([20.0, 20.0, 20.0])
    while left > 0:
        bus = int(rng.choice(trunk[1:]))
        two = left > 2 and rng.random() < TWO_PHASE_SHARE
        drawn = rng.choice(3, size=2 if two else 1, replace=False, p=weights) + 1
        phases = tuple(sorted(int(phase) for phase in drawn))
        for _ in range(1 + int(rng.poisson(LATERAL_SPANS - 1))):
            if left < len(phases):
                break
            bus = tree.add(f"l{len(tree.names)}", bus, phases, float(rng.integers(100, 300)))
            left -= len(phases)
            if left >= legs and rng.random() < SERVICE_SHARE:
                services.append(_draw_service(rng, bus, (int(rng.choice(phases)),)))
                left -= legs
    return services


def _draw_service(rng: Generator, bus: int, phases: tuple[int, ...]) -> _Service:
    kva = float(rng.choice(_SERVICE_KVA_3 if len(phases) == 3 else _SERVICE_KVA))
    kw = kva * rng.uniform(0.35, 0.75)
    factor = rng.uniform(*POWER_FACTOR)
    return _Service(bus, phases, kva, kw, kw * math.tan(math.acos(factor)))


def _dimension(
    tree: _Tree, services: Sequence[_Service], kv_ln: float, peak_kw: float
) -> tuple[IntArray, float]:
    """Return each bus's conductor, as a place in the table, and the factor on all loads."""
    factor = min(1.0, peak_kw / sum(s.kw for s in services))
    current_a = factor * _subtree_current_a(tree, services, kv_ln).max(axis=1)
    ampacity_a = np.array([conductor.ampacity_a for conductor in CONDUCTORS])
    factor *= min(1.0, ampacity_a[-1] / CURRENT_MARGIN / current_a[0])
    current_a *= min(1.0, ampacity_a[-1] / CURRENT_MARGIN / current_a[0])
    size = np.minimum(np.searchsorted(ampacity_a, CURRENT_MARGIN * current_a), len(CONDUCTORS) - 1)
    drop_pu = _largest_drop_pu(tree, size, current_a, kv_ln)
    return size, factor * min(1.0, PRIMARY_DROP_PU / drop_pu)


def _subtree_current_a(tree: _Tree, services: Sequence[_Service], kv_ln: float) -> FloatArray:
    """Return the sum of current magnitudes below each bus, shape (buses, 3). [A]"""
    current_a = np.zeros((len(tree.names), 3))
    for service in services:
        for phase in service.phases:
            current_a[service.bus, phase - 1] += (
                math.hypot(service.kw, service.kvar) / len(service.phases) / kv_ln
            )
    for bus in range(len(tree.names) - 1, 0, -1):
        current_a[tree.parents[bus]] += current_a[bus]
    return current_a


def _largest_drop_pu(tree: _Tree, size: IntArray, current_a: FloatArray, kv_ln: float) -> float:
    """Return the largest drop from the head: current times impedance, added up along the path."""
    ohm_per_ft = np.array([_ohm_per_mile(conductor) for conductor in CONDUCTORS]) / 5280
    drop_pu = np.zeros(len(tree.names))
    for bus in range(1, len(tree.names)):
        ohm = ohm_per_ft[size[bus], int(len(tree.phases[bus]) == 3)] * tree.length_ft[bus]
        drop_pu[bus] = drop_pu[tree.parents[bus]] + current_a[bus] * ohm / (1e3 * kv_ln)
    return float(drop_pu.max())


def _ohm_per_mile(conductor: Conductor) -> tuple[float, float]:
    """Return what drops voltage per ampere: with return in neutral and earth, and in the other two phases."""
    z = overhead_config("drop", conductor, _neutral(conductor), (1, 2, 3), (0, 1, 2)).z_ohm_per_mile
    factor = sum(POWER_FACTOR) / 2
    self_z, positive_z = z[0, 0], z[0, 0] - (z[0, 1] + z[1, 2] + z[0, 2]) / 3
    weight = factor + 1j * math.sqrt(1 - factor**2)
    return float((self_z * weight.conjugate()).real), float((positive_z * weight.conjugate()).real)


def _neutral(conductor: Conductor) -> Conductor:
    return conductor if conductor is ACSR_1_0 else ACSR_4_0


def _config_name(conductor: Conductor, phases: tuple[int, ...]) -> str:
    return f"{conductor.name}_{''.join(map(str, phases))}"


def _configs() -> tuple[LineConfig, ...]:
    phase_sets: tuple[tuple[int, ...], ...] = ((1, 2, 3), (1, 2), (2, 3), (1, 3), (1,), (2,), (3,))
    return tuple(
        overhead_config(
            _config_name(conductor, phases),
            conductor,
            _neutral(conductor),
            phases,
            tuple(p - 1 for p in phases),
        )
        for conductor in CONDUCTORS
        for phases in phase_sets
    )


def _lines(tree: _Tree, size: IntArray) -> tuple[Line, ...]:
    return tuple(
        Line(
            name=tree.names[bus],
            bus1=tree.names[tree.parents[bus]],
            bus2=tree.names[bus],
            config=_config_name(CONDUCTORS[size[bus]], tree.phases[bus]),
            length_ft=tree.length_ft[bus],
        )
        for bus in range(1, len(tree.names))
    )


def _transformer(tree: _Tree, service: _Service, kv: float, legs: int) -> Transformer:
    single = len(service.phases) == 1
    bus = tree.names[service.bus]
    return Transformer(
        name=f"x_{bus}",
        bus1=bus,
        bus2=f"s_{bus}",
        phases=service.phases,
        kv1=kv / math.sqrt(3) if single else kv,
        kv2=_SERVICE_KV if single else _SERVICE_KV_3,
        kva=service.kva,
        r_pct=1.2,
        x_pct=2.0 if single else 4.0,
        connection2=CENTRE_TAPPED if single and legs > 1 else "wye",
    )


def _regulator(kv_ln: float) -> Regulator:
    ct_a = CONDUCTORS[-1].ampacity_a
    return Regulator(
        name="reg",
        bus1=_HEAD,
        bus2=_REGULATED,
        phases=(1, 2, 3),
        kv=kv_ln,
        kva=kv_ln * ct_a,
        v_set_v=(123.0,) * 3,
        bandwidth_v=2.0,
        pt_ratio=1e3 * kv_ln / 120,
        ct_primary_a=ct_a,
        ldc_r_v=(0.0,) * 3,
        ldc_x_v=(0.0,) * 3,
        delay_s=45.0,
    )


def _capacitor(tree: _Tree, trunk: Sequence[int], services: Sequence[_Service], kv: float) -> Capacitor:
    kvar = CAPACITOR_SHARE * sum(service.kvar for service in services)
    return Capacitor(
        name="cap", bus=tree.names[trunk[2 * len(trunk) // 3]], phases=(1, 2, 3), kv=kv, kvar=kvar
    )


def _loads(tree: _Tree, service: _Service, legs: int) -> Iterator[Load]:
    bus = f"s_{tree.names[service.bus]}"
    single = len(service.phases) == 1
    if legs == 1 or not single:
        yield Load(
            name=bus,
            bus=bus,
            phases=service.phases,
            connection="wye" if legs == 1 else "delta",
            kv=_SERVICE_KV if single else _SERVICE_KV_3,
            kw=service.kw,
            kvar=service.kvar,
        )
        return
    leg = 1 + service.bus % 2
    for name, phases, kv, share in (
        (bus, (1, 2), _SERVICE_KV, 1 - LEG_SHARE),
        (f"{bus}_leg", (leg,), _SERVICE_KV / 2, LEG_SHARE),
    ):
        yield Load(
            name=name,
            bus=bus,
            phases=phases,
            connection="delta" if len(phases) > 1 else "wye",
            kv=kv,
            kw=share * service.kw,
            kvar=share * service.kvar,
        )

"""A user's OpenDSS master file: solved as published, or taken into an LDA as its one feeder.

Only screened commands reach the engine. In an LDA the file's source becomes the ideal source at the T-D
interface, and its loads are the published peaks at which DERs and vehicles are placed; substation, regulators
and capacitors stay as the file has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from federates.core.errors import ConfigError
from federates.distribution.circuit import COLLAPSE_PU, Circuit, CircuitLayout, Terminal
from federates.distribution.legs import OPPOSITE
from federates.distribution.master_faults import (
    at_source,
    misrated,
    undrivable,
    unfed,
    unsupported,
    untapped,
)
from federates.distribution.model import Feeder, Line, Load
from federates.distribution.nodes import PHASES, bus_of, fed_from, phase_of
from federates.distribution.screen import Statement, screen
from federates.distribution.topology import BusLevel, connection_kv

TOLERANCE_PU = 1e-8
LEGS = (1, 2)
"""Numbers of the legs of a centre tap."""
BASE_SHARE = 0.05
"""How far a source may be from its bus's voltage base."""
SOURCE_X_PU = 1e-6
"""Reactance of the ideal source on 100 MVA."""
DER_V_MIN_PU, DER_V_MAX_PU = 0.02, 2.0
ENGINE_V_MIN_PU = 0.95
"""Lower limit of a load's model that the engine takes where a script gives none."""
_LOAD_MODELS = {"1": "pq", "2": "z", "5": "i"}
_FEET = {"mi": 5280.0, "kft": 1000.0, "km": 3280.84, "m": 3.28084, "in": 1 / 12, "cm": 0.0328084}
"""By unit of length; none at all counts as feet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDssFeeder(Feeder):
    """A master file as one feeder of an LDA; its tables hold loads, and elements by their length."""

    script: tuple[str, ...]
    """Screened commands."""
    regulators_in_script: tuple[str, ...]
    """Regulator controls that the commands define."""
    heads: tuple[Terminal, ...]
    """Terminals at the source's bus."""
    rating_mva: float
    """What the elements at the source's bus can carry together. [MVA]"""
    levels: Mapping[str, BusLevel]
    """What each bus offers to a DER; the source's bus offers nothing."""
    load_edits: tuple[str, ...]
    """Commands by which loads that are left at the engine's default keep to their model at low voltage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerConnection:
    """Where a DER is connected in a circuit."""

    name: str
    """Of its element."""
    bus: str
    phases: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCircuit:
    """A master file's circuit as it is published, its own source included."""

    statements: tuple[Statement, ...]
    circuit: Circuit
    heads: tuple[Terminal, ...]
    """Terminals at the source's bus."""

    def behind_ideal_source(self) -> Circuit:
        """The same circuit as a study has it: its source stiff and balanced, at 1 pu.

        Raises
        ------
        DivergedError
            If the power flow does not converge.
        """
        script = [*(s.text for s in self.statements), _ideal_source(self.circuit.source().base_kv)]
        return Circuit(script, tolerance=TOLERANCE_PU, layout=self.circuit.layout)


def read_published(path: Path) -> PublishedCircuit:
    """Circuit of a master file, screened, loads at their peak.

    Raises
    ------
    ConfigError
        If there is no such file, a line is refused by the screening or the engine, an element's phases are
        not fed, or a load's rated voltage is not that of its connection.
    DivergedError
        If the power flow does not converge.
    """
    statements = screen(path)
    faults = list(unsupported(statements))
    if faults:
        raise ConfigError("\n".join(faults))
    circuit = _circuit(path, statements, ())
    source = circuit.source()
    heads = _heads(circuit, source.bus)
    faults = [*untapped(statements, circuit), *unfed(circuit, statements, source.bus)]
    if not heads:
        faults.append(f"{path}: nothing is connected at the source's bus {source.bus!r}")
    if faults:
        raise ConfigError("\n".join(faults))
    if not circuit.node_base_v.all():
        raise ConfigError(f"{path}: has no voltage bases; write set voltagebases=[...] and calcvoltagebases")
    base_kv = math.sqrt(3) * float(circuit.node_base_v[circuit.node_names.index(f"{source.bus}.1")]) / 1e3
    if not math.isclose(base_kv, source.base_kv, rel_tol=BASE_SHARE):
        what = f"the source's bus has the base {base_kv:.4g} kV, the source {source.base_kv:.4g} kV"
        raise ConfigError(f"{path}: {what}; name every level in set voltagebases=[...]")
    faults = list(misrated(statements, circuit))
    if faults:
        raise ConfigError("\n".join(faults))
    return PublishedCircuit(statements=statements, circuit=_circuit(path, statements, heads), heads=heads)


def read_master(path: Path, head_bus: str | None = None) -> OpenDssFeeder:
    """Master file as a feeder of an LDA.

    Parameters
    ----------
    path
        The file.
    head_bus
        Bus that becomes the interface, what lies before it left out; by default the bus of the file's source.

    Raises
    ------
    ConfigError
        As `read_published`, or if the file holds what a study cannot drive.
    DivergedError
        If the power flow does not converge.
    """
    published = read_published(path)
    if head_bus is not None and head_bus.lower() != published.circuit.source().bus:
        published = _cut(path, published, head_bus.lower())
    circuit = published.circuit
    source = circuit.source()
    faults = list(undrivable(published.statements))
    if source.phases_count != len(PHASES):
        faults.append(f"{path}: its source has {source.phases_count} phases; a T-D interface has three")
    faults += at_source(published.statements, circuit, source.bus)
    loads = tuple(_loads(published, faults))
    if not loads:
        faults.append(f"{path}: has no loads; a study drives loads")
    if faults:
        raise ConfigError("\n".join(faults))
    return OpenDssFeeder(
        name=path.stem,
        head_bus=source.bus,
        kv=source.base_kv,
        configs=(),
        lines=tuple(_spans(published)),
        transformers=(),
        regulators=(),
        capacitors=(),
        loads=loads,
        source=path.name,
        script=tuple(s.text for s in published.statements),
        regulators_in_script=circuit.layout.regulators,
        heads=published.heads,
        rating_mva=_rating_mva(circuit, published.heads, source.base_kv),
        load_edits=tuple(_load_edits(circuit)),
        levels=_levels(circuit, source.bus),
    )


def master_circuit(
    feeder: OpenDssFeeder, *, name: str, ders: Sequence[DerConnection], tolerance: float
) -> Circuit:
    """Circuit of a master file behind an ideal source, with DERs at zero.

    Raises
    ------
    ConfigError
        If the engine refuses a command.
    """
    commands = []
    for der in ders:
        kv = connection_kv(feeder.levels[der.bus], der.phases)
        bus = ".".join([der.bus, *map(str, der.phases)])
        commands.append(der_command(der.name, bus, len(der.phases), kv))
    layout = CircuitLayout(
        name=name,
        loads=tuple(load.name for load in feeder.loads),
        ders=tuple(der.name for der in ders),
        regulators=feeder.regulators_in_script,
        interface=feeder.heads,
        feeder_heads=(feeder.heads,),
    )
    script = [*feeder.script, *feeder.load_edits, _ideal_source(feeder.kv), *commands]
    return Circuit(script, tolerance=tolerance, layout=layout)


def der_command(name: str, bus: str, phases_count: int, kv: float) -> str:
    """Command for a DER at zero power: to neutral on one or three phases, or between two.

    Parameters
    ----------
    name
        Of the element.
    bus
        With its phases.
    phases_count
        1, 2 or 3.
    kv
        To neutral for one phase, else line-to-line. [kV]
    """
    between_two = phases_count == 2
    return (
        f"new generator.{name} phases={1 if between_two else phases_count} bus1={bus} "
        f"conn={'delta' if between_two else 'wye'} kv={kv!r} kw=0 kvar=0 model=1 "
        f"vminpu={DER_V_MIN_PU} vmaxpu={DER_V_MAX_PU}"
    )


def _ideal_source(kv: float) -> str:
    """Command that makes the script's source stiff and balanced at 1 pu."""
    x_ohm = SOURCE_X_PU * kv**2 / 100
    return f"edit vsource.source pu=1 angle=0 r1=0 x1={x_ohm!r} r0=0 x0={x_ohm!r}"


# -- circuit --------------------------------------------------------------------------------------------


def _named(statements: Sequence[Statement], kind: str) -> tuple[str, ...]:
    return tuple(s.name for s in statements if s.verb == "new" and s.kind == kind)


def _circuit(path: Path, statements: Sequence[Statement], heads: tuple[Terminal, ...]) -> Circuit:
    layout = CircuitLayout(
        name=path.stem,
        loads=_named(statements, "load"),
        ders=_named(statements, "generator"),
        regulators=_named(statements, "regcontrol"),
        interface=heads,
        feeder_heads=(heads,) if heads else (),
    )
    try:
        return Circuit([s.text for s in statements], tolerance=TOLERANCE_PU, layout=layout)
    except ConfigError as error:
        place = next((s.place for s in statements if repr(s.text) in str(error)), str(path))
        raise ConfigError(f"{place}: {error}") from error


def _cut(path: Path, published: PublishedCircuit, head_bus: str) -> PublishedCircuit:
    """The circuit behind one of its buses, to which the source moves."""
    circuit = published.circuit
    at_head = {n for n in range(len(circuit.node_names)) if bus_of(circuit, n) == head_bus}
    if {phase_of(circuit, n) for n in at_head} & PHASES != PHASES:
        raise ConfigError(f"{path} has no bus {head_bus!r} with three phases")
    before = fed_from(circuit, circuit.source().bus, stop=at_head) - at_head
    branches = {b.name.lower(): b.nodes1 + b.nodes2 for b in circuit.branches()}
    elements = branches | {s.name.lower(): s.nodes for s in circuit.shunts()}
    elements |= {f"load.{n}": p for n, p in zip(circuit.layout.loads, circuit.load_nodes, strict=True)}
    elements |= {f"generator.{n}": p for n, p in zip(circuit.layout.ders, circuit.der_nodes, strict=True)}
    gone = {name for name, nodes in elements.items() if before & set(nodes)}
    relays = {
        s.element for s in published.statements
        if s.kind == "regcontrol" and f"transformer.{(s.last('transformer') or '').lower()}" in gone
    }  # fmt: skip
    base_kv = math.sqrt(3) * float(circuit.node_base_v[min(at_head)]) / 1e3
    moved = [("bus1", head_bus), ("basekv", repr(base_kv))]
    statements = tuple(
        replace(s, values=[*s.values, *moved]) if s.verb == "new" and s.kind == "circuit" else s
        for s in published.statements
        if s.element not in gone | relays
    )
    heads = _heads(circuit, head_bus)
    heads = tuple(h for h in heads if h.element.lower() not in gone)
    if not heads:
        raise ConfigError(f"{path}: nothing hangs behind bus {head_bus!r}")
    return PublishedCircuit(statements=statements, circuit=_circuit(path, statements, heads), heads=heads)


def _heads(circuit: Circuit, bus: str) -> tuple[Terminal, ...]:
    found = []
    for branch in circuit.branches():
        for number, nodes in ((1, branch.nodes1), (2, branch.nodes2)):
            if bus_of(circuit, nodes[0]) == bus:
                found.append(Terminal(element=branch.name, number=number))
    return tuple(found)


def _rating_mva(circuit: Circuit, heads: Iterable[Terminal], kv: float) -> float:
    branches = {branch.name: branch for branch in circuit.branches()}
    at_head = [branches[head.element] for head in heads]
    return sum(min(b.kva, math.sqrt(3) * kv * b.ampacity_a) for b in at_head) / 1e3


# -- tables ---------------------------------------------------------------------------------------------


def _loads(published: PublishedCircuit, faults: list[str]) -> Iterator[Load]:
    circuit = published.circuit
    ratings = circuit.load_ratings()
    places = {s.element: s for s in reversed(published.statements) if s.verb == "new"}
    for k, (name, nodes) in enumerate(zip(circuit.layout.loads, circuit.load_nodes, strict=True)):
        statement = places[f"load.{name}"]
        phases = tuple(phase_of(circuit, node) for node in nodes)
        if not set(phases) <= PHASES or len({bus_of(circuit, node) for node in nodes}) != 1:
            faults.append(f"{statement.place}: load.{name} is on conductors {phases}; phases are 1, 2, 3")
            continue
        yield Load(
            name=name,
            bus=bus_of(circuit, nodes[0]),
            phases=phases,
            connection="delta" if ratings.is_delta[k] or len(phases) > ratings.phases_count[k] else "wye",
            kv=float(ratings.kv[k]),
            kw=float(ratings.kw[k]),
            kvar=float(ratings.kvar[k]),
            model=_LOAD_MODELS.get(statement.last("model") or "1", "pq"),
        )


def _load_edits(circuit: Circuit) -> Iterator[str]:
    """A load at the default lower limit would turn into an impedance at 0.95 pu, and hide a collapse."""
    for name, v_min_pu in zip(circuit.layout.loads, circuit.load_ratings().v_min_pu, strict=True):
        if math.isclose(v_min_pu, ENGINE_V_MIN_PU):
            yield f"edit load.{name} vminpu={COLLAPSE_PU}"


def _levels(circuit: Circuit, source_bus: str) -> dict[str, BusLevel]:
    nodes: dict[str, dict[int, int]] = {}
    for node in range(len(circuit.node_names)):
        bus, phase = bus_of(circuit, node), phase_of(circuit, node)
        if bus != source_bus and phase in PHASES:
            nodes.setdefault(bus, {})[phase] = node
    v_v = circuit.node_voltages_v()
    levels = {}
    for bus, at in nodes.items():
        v = v_v[list(at.values())]
        levels[bus] = BusLevel(
            kv=math.sqrt(3) * float(circuit.node_base_v[next(iter(at.values()))]) / 1e3,
            phases=tuple(sorted(at)),
            centre_tapped=v.size == len(LEGS) and float((v[0] / v[1]).real) < OPPOSITE,
        )
    return levels


def _spans(published: PublishedCircuit) -> Iterator[Line]:
    """Series elements by length: what ranks loads by distance. A transformer has no length."""
    circuit = published.circuit
    given = {s.element: s for s in published.statements if s.verb == "new" and s.kind in {"line", "linecode"}}
    length_ft = {}
    for name, length in zip(circuit.line_ids, circuit.line_lengths().tolist(), strict=True):
        line = given[name.lower()]
        code = given.get(f"linecode.{(line.last('linecode') or '').lower()}")
        units = line.last("units") or (code and code.last("units")) or "ft"
        length_ft[name] = length * _FEET.get(units.lower(), 1.0)
    for branch in circuit.branches():
        yield Line(
            name=branch.name,
            bus1=bus_of(circuit, branch.nodes1[0]),
            bus2=bus_of(circuit, branch.nodes2[0]),
            config="",
            length_ft=length_ft.get(branch.name, 0.0),
        )

"""Feeders' tables to one circuit per LDA.

The feeders of an LDA hang on one medium-voltage bus behind one substation transformer; the source is stiff
and balanced. Every name carries its feeder's prefix. A single-phase load or DER is wye to neutral; two
phases are one delta load between them. A user's master file is a circuit of its own: it keeps its names, and
the DERs are added to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ConfigError
from federates.distribution.circuit import COLLAPSE_PU, Circuit, CircuitLayout, Control, Terminal
from federates.distribution.master import DerConnection, OpenDssFeeder, der_command, master_circuit
from federates.distribution.model import Capacitor, Feeder, Line, LineConfig, Load, Regulator, Transformer
from federates.distribution.topology import CENTRE_TAPPED, BusLevel, bus_levels, connection_kv

FREQUENCY_HZ = 60.0
FEET_PER_MILE = 5280.0
SOURCE_BUS = "bus"
MV_BUS = "mv"
SUBSTATION = "substation"
SUBSTATION_MVA_PER_FEEDER = 5.0
SUBSTATION_X_PCT = 8.0
SUBSTATION_R_PCT = 1.0
SUBSTATION_BAND_PU = 0.02
"""Full bandwidth of the tap changer: 1 % either side of 1.00 pu."""
SUBSTATION_DELAY_S = 30.0
RELAY_BASE_V = 120.0
SOURCE_X_PU = 1e-6
"""Reactance of the source on 100 MVA: stiff, 5e-8 pu of drop at 5 MVA."""
LOAD_V_MIN_PU, LOAD_V_MAX_PU = COLLAPSE_PU, 1.3
"""Inside, a load follows its model; outside, the engine makes it an impedance. A test reads the voltages."""
REGULATOR_X_OHM = 5.8e-4
"""Series reactance of a regulator: 0.01 % at 2.4 kV and 1 MVA."""
CENTRE_TAP_X = (1.2, 1.2, 0.8)
"""Reactance between windings 1-2, 1-3 and 2-3 over that of the whole transformer (Kersting, section 11.3)."""
CENTRE_TAP_R = (0.5, 1.0, 1.0)
"""Resistance of the three windings, on the whole rating, over the total (same source)."""
_LOAD_MODEL = {"pq": 1, "z": 2, "i": 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegulatorOverride:
    """Settings that replace a published regulator's."""

    name: str
    v_set_v: tuple[float, ...]
    """Set-point per relay. [V]"""
    ldc: bool
    """Whether line-drop compensation stays on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerAttachment:
    """Where a DER is connected: to neutral on one or three phases, or between two."""

    id: str
    bus: str
    """Local to the feeder."""
    phases: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederInstance:
    """A feeder as it stands in an LDA."""

    prefix: str
    """Set before its names, unless it keeps its own."""
    feeder: Feeder
    line_length_scale: float = 1.0
    load_scale: float = 1.0
    regulators: tuple[RegulatorOverride, ...] = ()
    ders: tuple[DerAttachment, ...] = ()

    @property
    def name_prefix(self) -> str:
        """What stands before the feeder's names in the circuit; a master file keeps its own."""
        return "" if isinstance(self.feeder, OpenDssFeeder) else f"{self.prefix}_"


@dataclass(frozen=True, slots=True, kw_only=True)
class LdaModel:
    """The feeders below one T-D interface.

    Where ``bus_kv`` is the feeders' own voltage, they hang on the source directly, without a substation.
    """

    name: str
    bus_kv: float
    """Line-to-line at the T-D interface. [kV]"""
    feeders: tuple[FeederInstance, ...]
    substation_mva: float | None = None
    """Rating of the substation; by default 5 MVA a feeder. [MVA]"""

    @property
    def kv(self) -> float:
        """Line-to-line voltage of the feeders' common bus. [kV]"""
        return self.feeders[0].feeder.kv

    @property
    def has_substation(self) -> bool:
        """Whether a transformer stands between the interface and the feeders."""
        return not math.isclose(self.bus_kv, self.kv)

    @property
    def load_ids(self) -> tuple[str, ...]:
        """Ids of the loads in the circuit's order."""
        return tuple(f"{f.name_prefix}{load.name}" for f in self.feeders for load in f.feeder.loads)

    @property
    def der_ids(self) -> tuple[str, ...]:
        """Ids of the DERs in the circuit's order."""
        return tuple(der.id for f in self.feeders for der in f.ders)

    @property
    def load_feeder(self) -> tuple[int, ...]:
        """Place of each load's feeder."""
        return tuple(place for place, f in enumerate(self.feeders) for _ in f.feeder.loads)

    @property
    def der_feeder(self) -> tuple[int, ...]:
        """Place of each DER's feeder."""
        return tuple(place for place, f in enumerate(self.feeders) for _ in f.ders)

    def rated_load_kw(self) -> FloatArray:
        """Return the loads' scaled peak, shape (loads,). [kW]"""
        return np.array([load.kw * f.load_scale for f in self.feeders for load in f.feeder.loads])

    def rated_load_kvar(self) -> FloatArray:
        """Return the loads' scaled reactive peak, shape (loads,). [kvar]"""
        return np.array([load.kvar * f.load_scale for f in self.feeders for load in f.feeder.loads])


def build_circuit(lda: LdaModel, tolerance: float = 1e-8) -> Circuit:
    """Return the LDA's circuit, loads at their scaled peak, DERs at zero.

    Raises
    ------
    ConfigError
        If the feeders do not share one voltage, a feeder is not radial, or a name does not fit.
    """
    _check(lda)
    if isinstance(lda.feeders[0].feeder, OpenDssFeeder):
        return _circuit_of_master(lda, lda.feeders[0].feeder, tolerance)
    script = list(_source(lda))
    levels = {SOURCE_BUS: lda.bus_kv, MV_BUS: lda.kv}
    heads, regulators = [], [SUBSTATION] if lda.has_substation else []
    for instance in lda.feeders:
        writer = _FeederWriter(lda, instance)
        script += writer.script()
        heads.append(tuple(writer.head_terminals()))
        regulators += writer.regulator_names()
        levels |= {f"{instance.prefix}_{bus}": level.kv for bus, level in writer.levels.items()}
    bases = " ".join(f"{kv:.6g}" for kv in sorted(set(levels.values()), reverse=True))
    script += [f"set voltagebases=({bases})", "calcvoltagebases"]
    substation = (Terminal(element=f"Transformer.{SUBSTATION}", number=1),)
    layout = CircuitLayout(
        name=lda.name,
        loads=lda.load_ids,
        ders=_der_names(lda),
        regulators=tuple(regulators),
        interface=substation if lda.has_substation else tuple(t for head in heads for t in head),
        feeder_heads=tuple(heads),
    )
    return Circuit(script, tolerance=tolerance, layout=layout)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederZones:
    """The feeder of every node and element of an LDA's circuit, -1 for the substation."""

    count: int
    """Feeders."""
    node: IntArray
    """Shape (nodes,)."""
    line: IntArray
    """Ordered as ``line_ids``."""
    transformer: IntArray
    """Ordered as ``transformer_ids``."""


def feeder_zones(lda: LdaModel, circuit: Circuit) -> FeederZones:
    """Return which of the LDA's feeders each node and element belongs to."""
    prefixes = sorted(((f.name_prefix.lower(), place) for place, f in enumerate(lda.feeders)), reverse=True)

    def places(names: Sequence[str]) -> IntArray:
        found = (
            next((place for prefix, place in prefixes if name.lower().startswith(prefix)), -1)
            for name in names
        )
        return np.fromiter(found, dtype=np.int64, count=len(names))

    return FeederZones(
        count=len(lda.feeders),
        node=places(circuit.node_names),
        line=places([name.split(".", 1)[1] for name in circuit.line_ids]),
        transformer=places([name.split(".", 1)[1] for name in circuit.transformer_ids]),
    )


def _circuit_of_master(lda: LdaModel, feeder: OpenDssFeeder, tolerance: float) -> Circuit:
    """A master file's own circuit behind the ideal source, with the LDA's DERs and scaled loads."""
    circuit = master_circuit(
        feeder,
        name=lda.name,
        ders=[
            DerConnection(name=name, bus=der.bus, phases=der.phases)
            for name, der in zip(_der_names(lda), lda.feeders[0].ders, strict=True)
        ],
        tolerance=tolerance,
    )
    circuit.set_loads(lda.rated_load_kw(), lda.rated_load_kvar())
    circuit.solve(Control.OFF)
    return circuit


def _der_names(lda: LdaModel) -> tuple[str, ...]:
    return tuple(f"der{place}" for place in range(len(lda.der_ids)))


def _check(lda: LdaModel) -> None:
    if not lda.feeders:
        raise ConfigError(f"LDA {lda.name!r} has no feeder")
    if len(lda.feeders) > 1 and any(isinstance(f.feeder, OpenDssFeeder) for f in lda.feeders):
        raise ConfigError(f"LDA {lda.name!r}: a master file is an LDA's only feeder")
    if any(not math.isclose(f.feeder.kv, lda.kv) for f in lda.feeders):
        raise ConfigError(f"LDA {lda.name!r}: its feeders must share one nominal voltage")
    prefixes = [f.prefix.lower() for f in lda.feeders]
    if len(set(prefixes)) < len(prefixes):
        raise ConfigError(f"LDA {lda.name!r}: its feeders' prefixes must differ, regardless of case")
    if len(set(lda.der_ids)) < len(lda.der_ids):
        raise ConfigError(f"LDA {lda.name!r}: two DERs share an id")


def _source(lda: LdaModel) -> Iterator[str]:
    bus = SOURCE_BUS if lda.has_substation else MV_BUS
    x_ohm = SOURCE_X_PU * lda.bus_kv**2 / 100
    yield (
        f"new circuit.lda bus1={bus} phases=3 basekv={lda.bus_kv} pu=1 angle=0 basefreq={FREQUENCY_HZ} "
        f"r1=0 x1={x_ohm!r} r0=0 x0={x_ohm!r}"
    )
    if not lda.has_substation:
        return
    kva = 1e3 * (lda.substation_mva or SUBSTATION_MVA_PER_FEEDER * len(lda.feeders))
    yield (
        f"new transformer.{SUBSTATION} phases=3 windings=2 xhl={SUBSTATION_X_PCT} "
        f"%loadloss={SUBSTATION_R_PCT} buses=({SOURCE_BUS} {MV_BUS}) conns=(delta wye) "
        f"kvs=({lda.bus_kv} {lda.kv}) kvas=({kva} {kva}) "
        "wdg=2 maxtap=1.1 mintap=0.9 numtaps=32"
    )
    ratio = 1e3 * lda.kv / math.sqrt(3) / RELAY_BASE_V
    yield (
        f"new regcontrol.{SUBSTATION} transformer={SUBSTATION} winding=2 vreg={RELAY_BASE_V} "
        f"band={SUBSTATION_BAND_PU * RELAY_BASE_V} ptratio={ratio!r} delay={SUBSTATION_DELAY_S}"
    )


class _FeederWriter:
    """Writes one feeder's commands."""

    def __init__(self, lda: LdaModel, instance: FeederInstance) -> None:
        self._instance = instance
        self._feeder = instance.feeder
        self._first_der = next(
            sum(len(f.ders) for f in lda.feeders[:place])
            for place, other in enumerate(lda.feeders)
            if other is instance
        )
        self.levels = bus_levels(instance.feeder)
        self._overrides = {override.name: override for override in instance.regulators}
        known = {regulator.name for regulator in self._feeder.regulators}
        if unknown := sorted(set(self._overrides) - known):
            raise ConfigError(f"feeder {self._feeder.name!r} has no regulator {unknown[0]!r} to override")

    def script(self) -> Iterator[str]:
        feeder = self._feeder
        yield from (self._config(config) for config in feeder.configs)
        yield from (self._line(line) for line in feeder.lines)
        yield from (self._transformer(unit) for unit in feeder.transformers)
        for regulator in feeder.regulators:
            yield from self._regulator(regulator)
        yield from (self._capacitor(capacitor) for capacitor in feeder.capacitors)
        yield from (self._load(load) for load in feeder.loads)
        for place, der in enumerate(self._instance.ders):
            yield self._der(self._first_der + place, der)

    def head_terminals(self) -> Iterator[Terminal]:
        feeder = self._feeder
        for line in feeder.lines:
            yield from self._head_end(f"Line.{self._name(line.name)}", line.bus1, line.bus2)
        for unit in feeder.transformers:
            yield from self._head_end(f"Transformer.{self._name(unit.name)}", unit.bus1, unit.bus2)
        for regulator in feeder.regulators:
            for name, _ in self._units(regulator):
                yield from self._head_end(f"Transformer.{name}", regulator.bus1, regulator.bus2)
        connected = [item.bus for item in feeder.loads]
        connected += [item.bus for item in feeder.capacitors]
        connected += [item.bus for item in self._instance.ders]
        if feeder.head_bus in connected:
            raise ConfigError(f"feeder {feeder.name!r}: nothing may be connected at its head bus but lines")

    def regulator_names(self) -> list[str]:
        return [name for regulator in self._feeder.regulators for name, _ in self._units(regulator)]

    def _head_end(self, element: str, bus1: str, bus2: str) -> Iterator[Terminal]:
        if bus1 == self._feeder.head_bus:
            yield Terminal(element=element, number=1)
        elif bus2 == self._feeder.head_bus:
            yield Terminal(element=element, number=2)

    def _name(self, name: str) -> str:
        return f"{self._instance.prefix}_{name}"

    def _bus(self, bus: str, phases: Sequence[int]) -> str:
        name = MV_BUS if bus == self._feeder.head_bus else self._name(bus)
        return ".".join([name, *map(str, phases)])

    def _level(self, bus: str) -> BusLevel:
        if bus not in self.levels:
            raise ConfigError(f"feeder {self._feeder.name!r} has no bus {bus!r}")
        return self.levels[bus]

    def _config(self, config: LineConfig) -> str:
        z = config.z_ohm_per_mile
        nf_per_us = 1e3 / (2 * math.pi * FREQUENCY_HZ)
        return (
            f"new linecode.{self._name(config.name)} nphases={len(config.phases)} basefreq={FREQUENCY_HZ} "
            f"rmatrix={_triangle(z.real)} xmatrix={_triangle(z.imag)} "
            f"cmatrix={_triangle(config.b_us_per_mile.real * nf_per_us)}"
        )

    def _line(self, line: Line) -> str:
        config = next(c for c in self._feeder.configs if c.name == line.config)
        miles = line.length_ft * self._instance.line_length_scale / FEET_PER_MILE
        amps = config.ampacity_a if line.ampacity_a is None else line.ampacity_a
        return (
            f"new line.{self._name(line.name)} phases={len(config.phases)} "
            f"bus1={self._bus(line.bus1, config.phases)} bus2={self._bus(line.bus2, config.phases)} "
            f"linecode={self._name(config.name)} length={miles!r} normamps={amps} emergamps={amps}"
        )

    def _transformer(self, unit: Transformer) -> str:
        if unit.connection2 == CENTRE_TAPPED:
            return self._centre_tapped(unit)
        return (
            f"new transformer.{self._name(unit.name)} phases={len(unit.phases)} windings=2 xhl={unit.x_pct} "
            f"%loadloss={unit.r_pct} conns=({unit.connection1} {unit.connection2}) "
            f"buses=({self._bus(unit.bus1, unit.phases)} {self._bus(unit.bus2, unit.phases)}) "
            f"kvs=({unit.kv1} {unit.kv2}) kvas=({unit.kva} {unit.kva})"
        )

    def _centre_tapped(self, unit: Transformer) -> str:
        """Shell-type unit with interlaced halves: what is seen from the whole secondary, by winding."""
        name, (phase,) = self._name(unit.bus2), unit.phases
        half_kv, kva = unit.kv2 / 2, unit.kva
        xs = " ".join(f"{share * unit.x_pct!r}" for share in CENTRE_TAP_X)
        rs = " ".join(f"{share * unit.r_pct!r}" for share in CENTRE_TAP_R)
        return (
            f"new transformer.{self._name(unit.name)} phases=1 windings=3 "
            f"xscarray=({xs}) %rs=({rs}) conns=(wye wye wye) "
            f"buses=({self._bus(unit.bus1, (phase,))}.0 {name}.1.0 {name}.0.2) "
            f"kvs=({unit.kv1} {half_kv} {half_kv}) kvas=({kva} {kva} {kva})"
        )

    def _units(self, regulator: Regulator) -> list[tuple[str, tuple[int, ...]]]:
        """Return name and phases of each of a regulator's transformers."""
        name = self._name(regulator.name)
        if regulator.ganged:
            return [(name, regulator.phases)]
        return [(f"{name}_{phase}", (phase,)) for phase in regulator.phases]

    def _regulator(self, regulator: Regulator) -> Iterator[str]:
        override = self._overrides.get(regulator.name)
        v_set_v = override.v_set_v if override else regulator.v_set_v
        units = self._units(regulator)
        if len(v_set_v) != len(units):
            raise ConfigError(
                f"feeder {self._feeder.name!r}: regulator {regulator.name!r} takes {len(units)} set-points"
            )
        ldc = 0.0 if override and not override.ldc else 1.0
        for place, (name, phases) in enumerate(units):
            kva = regulator.kva * len(phases)
            kv = regulator.kv * (math.sqrt(3) if len(phases) > 1 else 1.0)
            xhl = 100 * REGULATOR_X_OHM * regulator.kva / (1e3 * regulator.kv**2)
            yield (
                f"new transformer.{name} phases={len(phases)} windings=2 xhl={xhl!r} %loadloss={xhl / 10!r} "
                f"buses=({self._bus(regulator.bus1, phases)} {self._bus(regulator.bus2, phases)}) "
                f"conns=(wye wye) kvs=({kv!r} {kv!r}) kvas=({kva} {kva}) "
                "wdg=2 maxtap=1.1 mintap=0.9 numtaps=32"
            )
            yield (
                f"new regcontrol.{name} transformer={name} winding=2 vreg={v_set_v[place]} "
                f"band={regulator.bandwidth_v} ptratio={regulator.pt_ratio} ctprim={regulator.ct_primary_a} "
                f"r={ldc * regulator.ldc_r_v[place]} x={ldc * regulator.ldc_x_v[place]} "
                f"delay={regulator.delay_s}"
            )

    def _capacitor(self, capacitor: Capacitor) -> str:
        return (
            f"new capacitor.{self._name(capacitor.name)} phases={len(capacitor.phases)} "
            f"bus1={self._bus(capacitor.bus, capacitor.phases)} kv={capacitor.kv} kvar={capacitor.kvar}"
        )

    def _load(self, load: Load) -> str:
        phases = 1 if len(load.phases) == 2 else len(load.phases)
        scale = self._instance.load_scale
        return (
            f"new load.{self._name(load.name)} phases={phases} bus1={self._bus(load.bus, load.phases)} "
            f"conn={load.connection} kv={load.kv} kw={load.kw * scale} kvar={load.kvar * scale} "
            f"model={_LOAD_MODEL[load.model]} vminpu={LOAD_V_MIN_PU} vmaxpu={LOAD_V_MAX_PU}"
        )

    def _der(self, place: int, der: DerAttachment) -> str:
        level = self._level(der.bus)
        if not set(der.phases) <= set(level.phases):
            raise ConfigError(
                f"feeder {self._feeder.name!r}: DER {der.id!r} asks for phases {der.phases} of bus "
                f"{der.bus!r}, which has {level.phases}"
            )
        bus = self._bus(der.bus, der.phases)
        return der_command(f"der{place}", bus, len(der.phases), connection_kv(level, der.phases))


def _triangle(matrix: FloatArray) -> str:
    rows = (" ".join(f"{x!r}" for x in row[: place + 1].tolist()) for place, row in enumerate(matrix))
    return "(" + " | ".join(rows) + ")"

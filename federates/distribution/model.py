"""A distribution feeder as tables, independent of any engine.

Impedances are full phase matrices, so that the published unbalanced configurations enter as printed. A
feeder's bus names are local; the builder prefixes them when several feeders share one LDA.
"""

from __future__ import annotations

from dataclasses import dataclass

from federates.core.arrays import ComplexArray


@dataclass(frozen=True, slots=True, kw_only=True)
class LineConfig:
    """A line configuration: series impedance and shunt susceptance per length, by phase."""

    name: str
    phases: tuple[int, ...]
    """Phases in the order of the matrix, of 1, 2, 3."""
    z_ohm_per_mile: ComplexArray
    """Series impedance, shape (phases, phases). [ohm/mile]"""
    b_us_per_mile: ComplexArray
    """Shunt susceptance, shape (phases, phases), real. [uS/mile]"""
    ampacity_a: float
    """Continuous current per phase. [A]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line segment, or a closed switch (length 0 is refused; use a short line)."""

    name: str
    bus1: str
    bus2: str
    config: str
    length_ft: float
    ampacity_a: float | None = None
    """Overrides the configuration's. [A]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """An in-line or service transformer of two windings, the second one possibly centre-tapped."""

    name: str
    bus1: str
    bus2: str
    phases: tuple[int, ...]
    kv1: float
    """Line-to-line (three-phase) or line-to-neutral (single-phase) rating. [kV]"""
    kv2: float
    """As ``kv1``; of the whole winding where it is centre-tapped. [kV]"""
    kva: float
    r_pct: float
    """Total resistance on own base. [%]"""
    x_pct: float
    connection1: str = "wye"
    connection2: str = "wye"
    """``wye``, ``delta`` or, with one phase, ``centre_tapped``: two legs, nodes 1 and 2 of the second bus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regulator:
    """A step-voltage regulator in a line, 32 steps of 0.625 %, one control per phase."""

    name: str
    bus1: str
    bus2: str
    phases: tuple[int, ...]
    kv: float
    """Line-to-neutral rating. [kV]"""
    kva: float
    """Rating per phase. [kVA]"""
    v_set_v: tuple[float, ...]
    """Set-point per phase on the PT's base. [V]"""
    bandwidth_v: float
    pt_ratio: float
    ct_primary_a: float
    ldc_r_v: tuple[float, ...]
    """Line-drop compensation per phase; zeros switch it off. [V]"""
    ldc_x_v: tuple[float, ...]
    delay_s: float = 30.0
    ganged: bool = False
    """All phases step together on the first phase's relay; the settings per phase then hold one entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacitor:
    """A fixed shunt capacitor."""

    name: str
    bus: str
    phases: tuple[int, ...]
    kv: float
    """Line-to-line (three-phase) or line-to-neutral (single-phase) rating. [kV]"""
    kvar: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A spot load; the published peak. ``model``: pq, z or i."""

    name: str
    bus: str
    phases: tuple[int, ...]
    """One phase: wye single-phase. Two: between the phases (delta). Three: three-phase.

    Behind a centre tap, 1 and 2 are its legs.
    """
    connection: str
    """wye or delta."""
    kv: float
    """Rating as the connection sees it: line-to-neutral for wye single-phase, else line-to-line. [kV]"""
    kw: float
    kvar: float
    model: str = "pq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeder:
    """One feeder below its head bus."""

    name: str
    head_bus: str
    """Bus at which the feeder meets the substation's medium-voltage bus."""
    kv: float
    """Line-to-line nominal at the head. [kV]"""
    configs: tuple[LineConfig, ...]
    lines: tuple[Line, ...]
    transformers: tuple[Transformer, ...]
    regulators: tuple[Regulator, ...]
    capacitors: tuple[Capacitor, ...]
    loads: tuple[Load, ...]
    source: str
    """Where the figures come from."""

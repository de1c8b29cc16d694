"""The words in which a circuit is asked and answers, free of any engine."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

from federates.core.arrays import BoolArray, FloatArray, IntArray


class Control(enum.Enum):
    """What the regulators do in a solve."""

    OFF = "off"
    """Taps stay."""
    STATIC = "static"
    """Taps move as far as they need to."""
    TIME = "time"
    """The solve advances ``step_s``; each regulator takes one step per delay that passes out of band."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """One end of an element."""

    element: str
    """Class and name, as in ``Line.l1``."""
    number: int
    """1 or 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitLayout:
    """The project's order of what it sets and reads in a circuit, by element name without the class."""

    name: str
    loads: tuple[str, ...]
    ders: tuple[str, ...]
    regulators: tuple[str, ...]
    """Regulator controls, the substation's tap changer included."""
    interface: tuple[Terminal, ...]
    """Terminals at the source's bus whose powers add up to the power drawn there."""
    feeder_heads: tuple[tuple[Terminal, ...], ...]
    """Per feeder, the terminals at the medium-voltage bus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveReport:
    """How a solve went."""

    iterations: int
    """Power-flow iterations of the last solution."""
    control_iterations: int
    """Rounds of control actions."""
    tap_moves: int
    """Steps moved, summed over the regulators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A series element between two buses."""

    name: str
    """Class and name, as in ``Line.l1``."""
    kind: Literal["line", "transformer", "regulator"]
    """A transformer with a tap changer is a regulator."""
    nodes1: tuple[int, ...]
    """Places in ``node_names`` of the first end; grounded conductors are left out."""
    nodes2: tuple[int, ...]
    """Of the second end, or of both halves of a centre-tapped secondary."""
    ampacity_a: float
    """Per phase; infinite for transformers and regulators. [A]"""
    kva: float
    """Rating of all phases together; infinite for lines. [kVA]"""
    ends_count: int = 2
    """Terminals: 3 where the secondary is centre-tapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shunt:
    """A capacitor."""

    name: str
    nodes: tuple[int, ...]
    """Places in ``node_names``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRatings:
    """What a circuit's script says of its loads, in the layout's order; shapes (loads,)."""

    kw: FloatArray
    kvar: FloatArray
    kv: FloatArray
    """As the connection sees it. [kV]"""
    phases_count: IntArray
    is_delta: BoolArray
    model: IntArray
    """The engine's number: 1 constant power, 2 impedance, 5 current, 3 and 4 mixed, 8 ZIP."""
    v_low_pu: FloatArray
    """Below, a load is its rated impedance. [pu]"""
    v_min_pu: FloatArray
    """Below, a load leaves its model. [pu]"""
    v_max_pu: FloatArray
    """Above, a load leaves its model. [pu]"""
    p_exponent: FloatArray
    """Active power goes with this power of the voltage; NaN where the model is no power law."""
    q_exponent: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The source that a circuit's script defines."""

    bus: str
    base_kv: float
    """Line-to-line. [kV]"""
    phases_count: int

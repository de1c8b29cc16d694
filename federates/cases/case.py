"""A transmission case as arrays: buses, branches, units, and the series that drive them.

Everything a reader must deliver and everything the ISO and the transmission model may use. Branch
parameters follow the MATPOWER convention: pi model on ``base_mva``, tap ratio and shift on the *from* side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Buses:
    """Buses of a case; every array has shape (buses,)."""

    ids: tuple[str, ...]
    """Names, unique."""
    base_kv: FloatArray
    """Nominal voltage. [kV]"""
    area: IntArray
    """Area number."""
    load_mw: FloatArray
    """Load of the base case; its share within the area spreads an area's series. [MW]"""
    load_mvar: FloatArray
    """Reactive load of the base case. [Mvar]"""
    shunt_mvar: FloatArray
    """Reactive injection of the bus shunt at 1 pu; negative = reactor. [Mvar]"""
    v_start_pu: FloatArray
    """Voltage in the base case, a starting point. [pu]"""

    def index(self, bus: str) -> int:
        """Place of a bus by name.

        Raises
        ------
        ConfigError
            If there is no such bus.
        """
        try:
            return self.ids.index(bus)
        except ValueError:
            raise ConfigError(f"no bus {bus!r} in the transmission case") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branches:
    """Lines and transformers; every array has shape (branches,)."""

    ids: tuple[str, ...]
    """Names, unique."""
    from_bus: IntArray
    """Place of the from bus."""
    to_bus: IntArray
    """Place of the to bus."""
    r_pu: FloatArray
    """Series resistance. [pu]"""
    x_pu: FloatArray
    """Series reactance. [pu]"""
    b_pu: FloatArray
    """Total charging susceptance. [pu]"""
    ratio: FloatArray
    """Off-nominal tap ratio on the from side; 1.0 where there is none."""
    shift_deg: FloatArray
    """Phase shift on the from side. [deg]"""
    is_transformer: BoolArray
    """Whether the branch is a transformer."""
    rating_mw: FloatArray
    """Continuous rating; ``inf`` where there is none. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DcLines:
    """Direct-current lines as two injections; every array has shape (dc lines,)."""

    ids: tuple[str, ...]
    """Names."""
    from_bus: IntArray
    """Place of the from bus."""
    to_bus: IntArray
    """Place of the to bus."""
    limit_mw: FloatArray
    """Greatest flow either way. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Generating units, storage and regulating devices; every array has shape (units,) unless said.

    Costs are piecewise linear above ``p_min_mw``: block ``k`` of unit ``g`` is ``block_mw[g, k]`` wide at
    ``block_usd_per_mwh[g, k]`` (zero width pads). ``no_load_usd_per_h`` is the cost of running at
    ``p_min_mw``. Start-up categories go from hot to cold: category ``s`` applies once the unit has been
    off for ``start_after_h[g, s]`` hours and costs ``start_usd[g, s]`` (padded with infinite hours).
    """

    ids: tuple[str, ...]
    """Names, unique."""
    bus: IntArray
    """Place of the bus."""
    kind: tuple[str, ...]
    """One of: thermal, nuclear, hydro, wind, pv, rtpv, csp, storage, sync_cond, support."""
    p_min_mw: FloatArray
    """Least output while on. [MW]"""
    p_max_mw: FloatArray
    """Greatest output. [MW]"""
    q_min_mvar: FloatArray
    """Least reactive output. [Mvar]"""
    q_max_mvar: FloatArray
    """Greatest reactive output. [Mvar]"""
    v_set_pu: FloatArray
    """Voltage set-point of the unit's bus. [pu]"""
    regulates: BoolArray
    """Whether the unit holds its bus voltage while it is on; ``support`` only while no other such unit is."""
    ramp_mw_per_min: FloatArray
    """Ramp rate either way. [MW/min]"""
    min_up_h: FloatArray
    """Minimum up time. [h]"""
    min_down_h: FloatArray
    """Minimum down time. [h]"""
    no_load_usd_per_h: FloatArray
    """Cost of running at least output. [$/h]"""
    block_mw: FloatArray
    """Widths of cost blocks above least output, shape (units, blocks). [MW]"""
    block_usd_per_mwh: FloatArray
    """Prices of cost blocks, non-decreasing, shape (units, blocks). [$/MWh]"""
    start_after_h: FloatArray
    """Hours off from which a start-up category applies, shape (units, categories). [h]"""
    start_usd: FloatArray
    """Cost of a start in that category, shape (units, categories). [$]"""
    must_run: BoolArray
    """Whether the unit is always on."""
    co2_t_per_mwh: FloatArray
    """Average emissions at full output. [t/MWh]"""
    initial_mw: FloatArray
    """Output before the study where the case states one, else NaN. [MW]"""
    energy_mwh: FloatArray
    """Store of storage and CSP units, else 0. [MWh]"""
    charge_mw: FloatArray
    """Greatest charging power of storage, else 0. [MW]"""
    round_trip: FloatArray
    """Round-trip efficiency of storage, else 1."""

    def of_kind(self, *kinds: str) -> BoolArray:
        """Mask of the units of the given kinds, shape (units,)."""
        return np.array([k in kinds for k in self.kind], dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One resolution of the exogenous series over a window; time runs along axis 0.

    A value holds over ``[t, t + length_s)``.
    """

    t_s: IntArray
    """Study time at which each value begins, shape (times,). [s]"""
    length_s: int
    """Spacing. [s]"""
    load_mw: FloatArray
    """Load per bus, shape (times, buses). [MW]"""
    available_mw: FloatArray
    """Greatest output of each unit (hydro, wind, pv, rtpv follow their series), shape (times, units). [MW]"""
    must_take: BoolArray
    """Whether the unit's output must equal its availability (hydro, rtpv), shape (units,)."""
    inflow_mw: FloatArray
    """Natural inflow of CSP stores, zero elsewhere, shape (times, units). [MW]"""
    area_shape: FloatArray
    """Load of each area over its own greatest value of the day, shape (times, areas)."""
    areas: IntArray
    """Area numbers of ``area_shape``'s columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransmissionCase:
    """A transmission system with its series."""

    name: str
    base_mva: float
    buses: Buses
    branches: Branches
    dc_lines: DcLines
    units: Units
    reference_bus: int
    """Place of the bus whose angle is zero."""
    source: str
    """Where the data come from, with the credit that its licence asks for."""
    series: Literal["rts_gmlc", "shaped"] = "shaped"
    """Which series drive it: its own of RTS-GMLC, or base loads times the shape of an RTS-GMLC area."""

    def with_ratings(self, factors: dict[str, float]) -> TransmissionCase:
        """Case whose named branches have their rating multiplied.

        Raises
        ------
        ConfigError
            If a branch is not in the case.
        """
        rating = self.branches.rating_mw.copy()
        for branch, factor in factors.items():
            if branch not in self.branches.ids:
                raise ConfigError(f"no branch {branch!r} in the transmission case")
            rating[self.branches.ids.index(branch)] *= factor
        return replace(self, branches=replace(self.branches, rating_mw=rating))

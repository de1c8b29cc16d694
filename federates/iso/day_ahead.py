"""What goes into a day-ahead clearing and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.curve import NetCurve
from federates.iso.lda_cuts import ImportRange
from federates.iso.lda_stores import LdaStores, no_stores
from federates.iso.pricing import Prices
from federates.iso.products.feeder_rows import FeederRows
from federates.iso.reserves import NetReserves
from federates.iso.unit_state import UnitState


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBids:
    """Everything that a day-ahead clearing serves and may use, hour by hour."""

    demand_mw: FloatArray
    """Fixed withdrawal, floors of offered resources included (and losses where they do not follow from the
    flows), shape (hours, buses). [MW]"""
    available_mw: FloatArray
    """Greatest output, shape (hours, units). [MW]"""
    must_take: BoolArray
    """Whether the output must equal what is available, shape (units,)."""
    inflow_mw: FloatArray
    """Natural inflow of solar-thermal stores, shape (hours, units). [MW]"""
    required_mw: FloatArray = field(default_factory=lambda: np.zeros(0))
    """Reserve requirements, shape (hours, requirements); empty: none. [MW]"""
    curves: tuple[tuple[NetCurve, ...], ...] = ()
    """Net curves: one tuple per curve, one entry per hour."""
    block_mw: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    """Width of offered blocks at the fixed slots, shape (hours, slots). [MW]"""
    block_usd_per_mwh: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    """Their price, shape (hours, slots). [$/MWh]"""
    net_reserves: tuple[NetReserves, ...] = ()
    """Reserve that the net curves offer, one entry per hour; empty: none."""
    feeder: tuple[FeederRows, ...] = ()
    """Limits of feeders on the offered blocks, one entry per hour; empty: the market sees no feeder."""
    lda_stores: LdaStores = field(default_factory=lambda: no_stores(0, 0))
    """Stores offered beside the curves."""
    cut_range: ImportRange | None = None
    """Where areas that state the cost of their whole day can be asked: they bid no curves; None: none do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How a commitment was found, and how good it is proven to be."""

    bound_usd: float
    """No commitment costs less. [$]"""
    gap: float
    """(cost - bound) / cost of the search; NaN where the commitment was given."""
    nodes_count: int
    """Nodes of the search trees."""
    iterations_count: int
    """Simplex iterations."""
    time_limited: bool
    """Whether the clock ended it: then it cannot be repeated exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayReserves:
    """Reserves of a day; time is the first axis."""

    unit_mw: FloatArray
    """Award by product, shape (hours, products, units). [MW]"""
    curve_mw: FloatArray
    """Award of net curves by product, shape (hours, products, curves). [MW]"""
    price_usd_per_mw_h: FloatArray
    """Price of each product at each bus, shape (hours, products, buses). [$/MW/h]"""
    required_mw: FloatArray
    """Requirements, shape (hours, requirements). [MW]"""
    short_mw: FloatArray
    """What is missing to them, shape (hours, requirements). [MW]"""
    requirement_usd_per_mw_h: FloatArray
    """Their own prices, shape (hours, requirements). [$/MW/h]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAhead:
    """Day-ahead schedules and prices; time is the first axis."""

    commitment: BoolArray
    """Whether a fuelled unit is on; true for units without fuel, shape (hours, units)."""
    unit_mw: FloatArray
    """Schedule, negative = charging, shape (hours, units). [MW]"""
    energy_mwh: FloatArray
    """Energy in stores at the end of the hour, shape (hours, units). [MWh]"""
    prices: Prices
    """LMPs and their parts with the commitment fixed, shape (hours, buses)."""
    relaxed_prices: Prices
    """The same with the commitment relaxed between 0 and 1: start and no-load costs are then in the
    prices."""
    reserves: DayReserves
    """Reserve awards and prices."""
    loss_mw: FloatArray
    """Losses, drawn at the buses by the network's loss weights, shape (hours,). [MW]"""
    loss_held: BoolArray
    """Hours in which prices made wasted energy worth while, so that losses were held, shape (hours,)."""
    loss_error_mw: FloatArray
    """Losses less those of the flows; within the tolerance unless held losses did not settle, shape (hours,).
    [MW]"""
    curve_mw: FloatArray
    """Net import awarded, offered stores included, shape (hours, curves). [MW]"""
    lda_store_mw: FloatArray
    """Part of it that offered stores draw, negative = discharge, shape (hours, stores). [MW]"""
    block_mw: FloatArray
    """Part of each offered block that is taken, shape (hours, slots). [MW]"""
    flow_mw: FloatArray
    """Branch flows, shape (hours, branches). [MW]"""
    line_price_usd_per_mwh: FloatArray
    """Signed price of each rating, shape (hours, branches). [$/MWh]"""
    dc_mw: FloatArray
    """Flow of direct-current lines, shape (hours, dc lines). [MW]"""
    shed_mw: FloatArray
    """Load not served, shape (hours, buses). [MW]"""
    surplus_mw: FloatArray
    """Energy without a taker, shape (hours, buses). [MW]"""
    penalty_priced: BoolArray
    """Hours in which a shortage, a surplus, an overload or an excess over a feeder limit sets prices, shape
    (hours,)."""
    overload_mwh: float
    """Flow beyond ratings, all lines and hours together. [MWh]"""
    objective_usd: float
    """Cost: no-load, starts and blocks of units, offered blocks and reserves, minus the worth of net imports
    against none (where areas state the cost of their day, plus that), plus penalties. [$]"""
    search: Search
    """Where the commitment comes from."""
    state: UnitState
    """Where the units stand after the last hour."""

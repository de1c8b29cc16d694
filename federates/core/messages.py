"""Every message of the federation, with its units and signs.

Signs, stated once: interface demand positive = import into the LDA; generation positive = injection;
storage positive = discharge; Q follows P (positive = drawn at the interface, injected by generators and
DERs). Prices are $/MWh. ``interval_s`` is the study time at which the interval that a market message is
about begins, so that a stale message is recognised.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from federates.core.arrays import FloatArray, IntArray


def _none() -> FloatArray:
    return np.zeros(0)


def _no_counts() -> IntArray:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryVoltage:
    """Transmission to feeder: positive-sequence voltage of the LDA's bus."""

    v_pu: float
    """Magnitude. [pu of bus base]"""
    angle_deg: float
    """Angle against the transmission reference. [deg]"""
    converged: bool
    """Whether the fixed point of this physical step is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryPower:
    """Feeder to transmission: power drawn at the interface, ``multiplicity`` included."""

    p_mw: FloatArray
    """Per phase a, b, c, shape (3,); positive = import. [MW]"""
    q_mvar: FloatArray
    """Per phase a, b, c, shape (3,); positive = import. [Mvar]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitDispatch:
    """ISO to transmission: set-points of all units of the case, in case order, for one interval."""

    interval_s: int
    """Beginning of the interval. [s]"""
    set_point_mw: FloatArray
    """Average output over the interval, shape (units,). [MW]"""
    synchronised: FloatArray
    """1 where the unit holds voltage and shares imbalance, shape (units,); others may still give power."""
    uncurtailed: FloatArray
    """1 where the market takes all that the unit can give: it then follows sun and wind, shape (units,)."""
    headroom_mw: FloatArray
    """Committed room to move up, by which imbalance is shared, shape (units,). [MW]"""
    dc_flow_mw: FloatArray
    """Flow of each DC line from its from to its to bus, shape (dc lines,). [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridState:
    """Transmission to ISO: what the control room sees at the end of a physical step."""

    unit_output_mw: FloatArray
    """Actual output, participation included, shape (units,). [MW]"""
    bus_load_mw: FloatArray
    """Actual withdrawal, LDA interchange included, shape (buses,). [MW]"""
    losses_mw: float
    """AC losses of the last accepted solution. [MW]"""
    interchange_mw: FloatArray
    """Net import of each LDA as carried, multiplicity included, shape (ldas,). [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalMeters:
    """Transmission to ISO: what the meters have read when a market interval is over.

    Units that share an imbalance give, minute by minute, their share of (withdrawals - all set outputs) and
    of the AC losses beyond what they are set to; ``share_h`` says what they would give of any other quantity.
    """

    interval_s: int
    """Beginning of the interval. [s]"""
    unit_mwh: FloatArray
    """Energy injected by each unit, shape (units,). [MWh]"""
    set_point_mwh: FloatArray
    """The same before any share in an imbalance: awards, or what sun and water gave, (units,). [MWh]"""
    load_mwh: FloatArray
    """Withdrawn outside LDAs at each bus, shape (buses,). [MWh]"""
    interchange_mwh: FloatArray
    """Net import of each LDA as carried, multiplicity included, shape (ldas,). [MWh]"""
    losses_mwh: float
    """AC losses. [MWh]"""
    drawn_response_mwh: FloatArray
    """Share of each unit in withdrawals less set outputs, shape (units,). [MWh]"""
    loss_response_mwh: FloatArray
    """Share of each unit in the AC losses, shape (units,). [MWh]"""
    share_h: FloatArray
    """Share of each unit in an imbalance, integrated over the interval, shape (units,). [h]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerMeters:
    """Feeder to ISO (M1-M4): energy of DERs with awards of their own, when a market interval is over."""

    interval_s: int
    """Beginning of the interval. [s]"""
    energy_mwh: FloatArray
    """Injected by the DERs of each aggregator of the LDA that are in its market, multiplicity included, shape
    (aggregators,). [MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerMeters:
    """Feeder to DSO: what an LDA's meters have read when a market interval is over (one simulated set)."""

    interval_s: int
    """Beginning of the interval. [s]"""
    import_mwh: float
    """Drawn at the interface; positive = import. [MWh]"""
    lost_mwh: float
    """Lost in lines and transformers; the plant knows it, so that accounts can be checked. [MWh]"""
    der_mwh: FloatArray
    """Injected by each DER, in fleet order. [MWh]"""
    load_mwh: FloatArray
    """Drawn by each load at the voltage it had, in circuit order, shape (loads,). [MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceBid:
    """DSO to ISO: one net curve per interval at the T-D interface.

    Curve ``k`` owns ``counts[k]`` entries of ``import_mw`` (ascending) and ``price_usd_per_mwh``. The
    first entry is the least net import; its price is not used (NaN on the wire is refused, so it repeats
    the next price). Entry ``j`` is the end of a block whose width is ``import_mw[j] - import_mw[j-1]`` and
    whose value is ``price[j]``; prices do not rise along the curve. One entry is a fixed quantity.
    """

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    counts: IntArray
    """Entries of each curve, shape (intervals,)."""
    import_mw: FloatArray
    """Breakpoints of net import, all curves one after the other. [MW]"""
    price_usd_per_mwh: FloatArray
    """Value of the block that ends at the breakpoint, same shape. [$/MWh]"""
    reserve_counts: IntArray = field(default_factory=_no_counts)
    """Reserve blocks of each interval, shape (intervals,); empty: no reserve is offered."""
    reserve_product: IntArray = field(default_factory=_no_counts)
    """Product of each reserve block, by its place in `reserve_offer.DSO_PRODUCTS`, shape (blocks,)."""
    reserve_mw: FloatArray = field(default_factory=_none)
    """Width of each reserve block, shape (blocks,). [MW]"""
    reserve_usd_per_mw_h: FloatArray = field(default_factory=_none)
    """Price of each reserve block, shape (blocks,). [$/MW/h]"""
    p_lo_mw: FloatArray = field(default_factory=_none)
    """Least net import with all up-reserve called, shape (intervals,); counts where reserve is offered.
    [MW]"""
    p_hi_mw: FloatArray = field(default_factory=_none)
    """Greatest net import with all down-reserve called, shape (intervals,). [MW]"""
    capacity_mw: FloatArray = field(default_factory=_none)
    """Capacity offered for the commitment of the day, shape (1,); empty: none is bought. [MW]"""
    baseline_mw: FloatArray = field(default_factory=_none)
    """Net import from which it is counted, in each market interval of the commitment. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceAward:
    """ISO to DSO: net interchange awarded per interval, and the price at the bus."""

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    award_mw: FloatArray
    """Net import awarded, shape (intervals,). [MW]"""
    lmp_usd_per_mwh: FloatArray
    """LMP of the LDA's bus, shape (intervals,). [$/MWh]"""
    reserve_mw: FloatArray = field(default_factory=_none)
    """Reserve awarded, shape (intervals * products,), interval-major, products as in
    `reserve_offer.DSO_PRODUCTS`; empty: the market has no reserves. [MW]"""
    reserve_usd_per_mw_h: FloatArray = field(default_factory=_none)
    """Price of each, same shape. [$/MW/h]"""
    store_mw: FloatArray = field(default_factory=_none)
    """Part of the award that the store offered beside the curve draws, negative = discharge, shape
    (intervals,); empty: none was offered. [MW]"""
    capacity_mw: FloatArray = field(default_factory=_none)
    """Capacity awarded for the commitment of the day, shape (1,); empty: none is bought. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceAdvice:
    """ISO to whoever bids there, and DSO to its aggregators: prices to expect in the next day-ahead round."""

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    price_usd_per_mwh: FloatArray
    """At the LDA's bus: mean of the rounds so far, shape (intervals,). [$/MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOffer:
    """Aggregator to DSO, DSO to ISO: batteries as one store of the day-ahead market."""

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    charge_mw: FloatArray
    """Greatest charge, shape (intervals,). [MW]"""
    discharge_mw: FloatArray
    """Greatest discharge, shape (intervals,). [MW]"""
    most_mwh: FloatArray
    """Greatest energy at the end of each interval, shape (intervals,). [MWh]"""
    begin_mwh: float
    """Energy before the first interval. [MWh]"""
    kept_share: float
    """Share of the energy that is left after an interval."""
    charge_efficiency: float
    """Energy stored per energy drawn."""
    discharge_efficiency: float
    """Energy delivered per energy taken from the store."""
    wear_usd_per_mwh: float
    """Cost of a MWh charged and discharged again. [$/MWh]"""
    end_usd_per_mwh: float
    """Worth of a MWh left at the end. [$/MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportLimits:
    """DSO to ISO: net import that its feeders carry, whatever curve and store together are asked for."""

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    least_mw: FloatArray
    """Least net import, shape (intervals,). [MW]"""
    greatest_mw: FloatArray
    """Greatest net import, shape (intervals,). [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerStores:
    """Aggregator to DSO: each DER that stores, as the DSO's program of a day takes it; of one simulated set.

    Its fields are those of `federates.der.store_day.StoreDay`, which says what they mean; those by hour are
    interval-major.
    """

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    intervals: int
    """Number of intervals."""
    der: IntArray
    """Place in the aggregator's portfolio, shape (stores,)."""
    charge_mw: FloatArray
    """Shape (intervals * stores,). [MW]"""
    discharge_mw: FloatArray
    """Shape (intervals * stores,). [MW]"""
    kept_share: FloatArray
    """Shape (intervals * stores,)."""
    gain_mwh: FloatArray
    """Shape (intervals * stores,). [MWh]"""
    due_mwh: FloatArray
    """Shape (intervals * stores,). [MWh]"""
    most_mwh: FloatArray
    """Shape (stores,). [MWh]"""
    begin_mwh: FloatArray
    """Shape (stores,). [MWh]"""
    charge_efficiency: FloatArray
    """Shape (stores,)."""
    discharge_efficiency: FloatArray
    """Shape (stores,)."""
    wear_usd_per_mwh: FloatArray
    """Shape (stores,). [$/MWh]"""
    due_usd_per_mwh: FloatArray
    """Shape (stores,). [$/MWh]"""
    end_usd_per_mwh: FloatArray
    """Shape (stores,). [$/MWh]"""
    end_below_mwh: FloatArray
    """Shape (stores,). [MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePlan:
    """DSO to aggregator: where its stores stand in the plan behind a day's award; of one simulated set."""

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    intervals: int
    """Number of intervals."""
    der: IntArray
    """Place of each store in the aggregator's portfolio, shape (stores,)."""
    level_mwh: FloatArray
    """Level at every boundary, shape ((intervals + 1) * stores,), boundary-major. [MWh]"""
    worth_usd_per_mwh: FloatArray
    """Worth of energy at each interval's end, shape (intervals * stores,), interval-major. [$/MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueCut:
    """DSO to ISO: what serving the area through a day costs at the net import asked for, and at least at any.

    The bound is `least_usd` with the least import in every interval, less the worth of what is imported
    beyond it by the intervals' curves, which are written as in `InterfaceBid`.
    """

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    round_count: int
    """Question that it answers, by its number; 0: none, the DSO's own optimum at the first forecast."""
    asked_usd: float
    """Cost at the net import asked for. [$]"""
    least_usd: float
    """Bound of the cost with the least net import in every interval. [$]"""
    counts: IntArray
    """Entries of each curve, shape (intervals,)."""
    import_mw: FloatArray
    """Breakpoints of net import, all curves one after the other. [MW]"""
    price_usd_per_mwh: FloatArray
    """Worth of the block that ends at the breakpoint, same shape. [$/MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportQuery:
    """ISO to DSO: what would this net import through a day cost?"""

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    round_count: int
    """Number of the question, from 1."""
    import_mw: FloatArray
    """Net import, shape (intervals,). [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveSignal:
    """ISO to DSO (M5): what is asked of the reserve awarded, from this physical step on."""

    step_s: int
    """Beginning of the physical step. [s]"""
    regulation: float
    """Part of the regulation awarded, in [-1, 1]; positive = up, which is less import."""
    call: float
    """Part of the spinning reserve awarded, in [0, 1]."""
    capacity: float
    """Part of the capacity awarded, in [0, 1], that is called in the interval whose gate comes next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerOffers:
    """Aggregator to DSO (M5) or ISO (M1): what each of its DERs would do at which price.

    Block ``b`` belongs to DER ``der[b]`` in interval ``interval[b]``: it moves the DER's injection up by
    ``width_mw[b]`` from the interval's ``floor_mw`` at ``price_usd_per_mwh[b]``; a DER's blocks are sorted
    by price.
    """

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    intervals: int
    """Number of intervals."""
    floor_mw: FloatArray
    """Least injection, shape (intervals * ders,), interval-major. [MW]"""
    interval: IntArray
    """Interval of each block, shape (blocks,)."""
    der: IntArray
    """DER of each block, by its place in the aggregator's portfolio, shape (blocks,)."""
    width_mw: FloatArray
    """Width of each block, shape (blocks,). [MW]"""
    price_usd_per_mwh: FloatArray
    """Price of each block, shape (blocks,). [$/MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederModel:
    """DSO to ISO (M4): limits of an LDA's feeders on the injections of its DERs, without a name in it.

    A DER is the place of its offer: the offers of the LDA's aggregators one after the other, as they are
    wired. Row ``r`` owns the next ``entries[r]`` of ``der`` and ``coefficient`` and says
    ``sum coefficient * injection <= upper_mw[r]``, the injection as it is offered, multiplicity included; a
    row's greatest coefficient is 1. Only rows that some injection within the DERs' reach breaks are there.
    """

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    ders: int
    """Number of DERs."""
    rows: IntArray
    """Rows of each interval, shape (intervals,)."""
    entries: IntArray
    """Entries of each row, shape (rows,)."""
    der: IntArray
    """DER of each entry, shape (entries,)."""
    coefficient: FloatArray
    """Of each entry, shape (entries,)."""
    upper_mw: FloatArray
    """Right-hand sides, shape (rows,). [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerAwards:
    """ISO (M1) or DSO (M5) to aggregator: injection awarded to each of its DERs per interval."""

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    intervals: int
    """Number of intervals."""
    p_mw: FloatArray
    """Injection, shape (intervals * ders,), interval-major, of one simulated feeder set. [MW]"""
    q_mvar: FloatArray
    """Reactive injection, same shape. [Mvar]"""
    price_usd_per_mwh: FloatArray
    """Price paid at the LDA's bus, shape (intervals,). [$/MWh]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPoints:
    """Aggregator to feeder, and to a DSO that checks it: injection asked of each of its DERs from now on."""

    p_mw: FloatArray
    """Injection, shape (ders,), in the portfolio's order. [MW]"""
    q_mvar: FloatArray
    """Reactive injection, shape (ders,). [Mvar]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerLimits:
    """DSO to feeder (M2): what some DERs may inject from now on, whatever their aggregators ask of them.

    DERs that are not named are free; each message replaces the one before.
    """

    interval_s: int
    """Beginning of the interval. [s]"""
    der: IntArray
    """Limited DERs, by their places in the fleet of the LDA, ascending, shape (limited,)."""
    least_mw: FloatArray
    """Least injection of each, of one simulated set, shape (limited,). [MW]"""
    most_mw: FloatArray
    """Greatest injection, same shape. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerEnvelopes:
    """DSO to aggregator (M3): how far each of its DERs may go, whatever the others do within theirs."""

    interval_s: int
    """Beginning of the first interval. [s]"""
    length_s: int
    """Length of each interval. [s]"""
    intervals: int
    """Number of intervals."""
    least_mw: FloatArray
    """Least injection, shape (intervals * ders,), interval-major, of one simulated set. [MW]"""
    most_mw: FloatArray
    """Greatest injection, same shape. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerState:
    """Feeder to aggregator: what its DERs did and can do."""

    p_mw: FloatArray
    """Actual injection, shape (ders,). [MW]"""
    soc_mwh: FloatArray
    """Energy stored; zero where there is no store, shape (ders,). [MWh]"""
    site_mw: FloatArray
    """Demand less photovoltaics at the DER's own site, shape (ders,). [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Feeder to DSO: what the substation's, the DERs' and some loads' meters show (one simulated set,
    unmultiplied).
    """

    head_p_mw: float
    """Drawn at the interface; positive = import. [MW]"""
    head_q_mvar: float
    """Drawn at the interface; positive = import. [Mvar]"""
    head_v_pu: float
    """Voltage at the interface. [pu]"""
    feeder_p_mw: FloatArray
    """Drawn by each simulated feeder at its head, with its meter's error, shape (feeders,). [MW]"""
    feeder_q_mvar: FloatArray
    """Drawn by each simulated feeder at its head, with its meter's error, shape (feeders,). [Mvar]"""
    taps: FloatArray
    """Tap position of every regulated winding, in circuit order."""
    der_p_mw: FloatArray
    """Actual injection of every DER of the LDA, in fleet order. [MW]"""
    der_q_mvar: FloatArray
    """Actual reactive injection, in fleet order. [Mvar]"""
    soc_mwh: FloatArray
    """Energy stored, in fleet order. [MWh]"""
    load_p_mw: FloatArray
    """Metered loads at rated voltage, late and with their meters' errors, shape (meters,). [MW]"""
    load_q_mvar: FloatArray
    """Metered loads at rated voltage, late and with their meters' errors, shape (meters,). [Mvar]"""

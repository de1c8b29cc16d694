"""Every table of results: its columns with unit and meaning, and the recorder's one interface.

Each row has ``t`` (study time in s; the beginning of what the row is about) and ``id``. A recorder takes
one batch of rows of one instant at a time, ids in a fixed order. Tables marked ``wall_clock`` hold times of
the machine and are left out of table hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from federates.core.arrays import FloatArray
from federates.core.time import SimTime


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table: a row per instant and id."""

    name: str
    id_is: str
    """What the id names."""
    meaning: str
    columns: tuple[Column, ...]
    text: str | None = None
    """Name of a text column, if the table has one."""
    text_is: str = ""
    """What it says."""
    wall_clock: bool = False
    """Whether the values are times of the machine."""


class Recorder(Protocol):
    """Where a federate puts its results."""

    def add(
        self,
        table: Table,
        t: SimTime,
        ids: Sequence[str],
        *columns: FloatArray | Sequence[float],
        text: Sequence[str] | None = None,
    ) -> None:
        """Take rows of one instant: ``columns`` in the table's order, each of shape (ids,)."""

    def close(self) -> None:
        """Write what is buffered; nothing may be added afterwards."""


def _table(
    name: str,
    id_is: str,
    meaning: str,
    *columns: str,
    text: str | None = None,
    text_is: str = "",
    wall: bool = False,
) -> Table:
    """Table from lines of ``name | unit | meaning``."""
    parsed = (tuple(part.strip() for part in column.split("|")) for column in columns)
    return Table(name, id_is, meaning, tuple(Column(*c) for c in parsed), text, text_is, wall)


_RESERVES = (
    "reg_up_mw | MW | regulation up awarded",
    "reg_down_mw | MW | regulation down awarded",
    "spin_mw | MW | spinning reserve awarded",
    "supplemental_mw | MW | supplemental reserve awarded, from standstill",
)


BUS = _table(
    "bus", "transmission bus", "AC state of the bulk grid at the end of a physical step",
    "v_pu | pu | voltage magnitude",
    "angle_deg | deg | voltage angle",
    "load_mw | MW | withdrawal, LDA interchange included",
    "load_mvar | Mvar | reactive withdrawal, LDA interchange included",
)  # fmt: skip
BRANCH = _table(
    "branch", "transmission branch", "AC flow at the end of a physical step",
    "from_mw | MW | flow into the branch at its from side",
    "to_mw | MW | flow into the branch at its to side",
    "loading_pct | % | apparent power over rating, worse side",
)  # fmt: skip
UNIT = _table(
    "unit", "generating unit", "output at the end of a physical step",
    "set_point_mw | MW | output before participation: the award, or what sun, wind and water give",
    "output_mw | MW | output, participation included",
    "output_mvar | Mvar | reactive output",
)  # fmt: skip
SYSTEM = _table(
    "system", "always 'system'", "bulk totals at the end of a physical step",
    "load_mw | MW | total withdrawal",
    "losses_mw | MW | AC losses",
    "participation_mw | MW | imbalance shared by committed headroom",
    "passes | - | passes of the T-D fixed point",
    "residual_v_pu | pu | greatest change of an LDA bus voltage in the last pass",
    "residual_s_pu | pu of 100 MVA | greatest difference between head power and carried power",
    "accepted | - | 1 where the fixed point met its tolerance",
)  # fmt: skip
INTERFACE = _table(
    "interface", "LDA", "what the transmission model carries at a T-D interface",
    "p_mw | MW | net import, multiplicity included",
    "q_mvar | Mvar | net reactive import, multiplicity included",
    "v_pu | pu | bus voltage",
    "angle_deg | deg | bus angle",
)  # fmt: skip
HEAD = _table(
    "head", "LDA", "what OpenDSS has at the interface",
    "p_mw | MW | net import, multiplicity included",
    "q_mvar | Mvar | net reactive import, multiplicity included",
    "v_pu | pu | source voltage solved with",
    "i2_pct | % | negative-sequence over positive-sequence current",
    "i0_pct | % | zero-sequence over positive-sequence current",
    "losses_kw | kW | losses of one simulated set",
    "substation_loading_pct | % | apparent power over rating of the substation transformer",
)  # fmt: skip
FEEDER = _table(
    "feeder", "LDA/feeder", "state of one simulated feeder (unmultiplied) at the end of a physical step",
    "p_kw | kW | drawn at its head",
    "q_kvar | kvar | drawn at its head",
    "v_min_pu | pu | least voltage of a load node",
    "v_p05_pu | pu | 5 % of load nodes are below",
    "v_median_pu | pu | median voltage of load nodes",
    "v_p95_pu | pu | 95 % of load nodes are below",
    "v_max_pu | pu | greatest voltage of a load node",
    "nodes_outside_a_count | - | load nodes outside 0.95-1.05 pu",
    "nodes_outside_b_count | - | load nodes outside 0.917-1.058 pu",
    "line_loading_max_pct | % | greatest loading of a line (current), regulator or transformer (power)",
    "lines_over_count | - | lines, regulators and transformers above 100 %",
    "head_over_kva | kVA | head apparent power above its import or export limit",
    "tap_moves_count | - | tap steps in this physical step",
)  # fmt: skip
DER_TYPE = _table(
    "der_type", "LDA/feeder/kind",
    "DERs of one kind on one simulated feeder (unmultiplied); kind ev: vehicles, part of the demand",
    "p_kw | kW | injection; negative where they draw",
    "q_kvar | kvar | reactive injection",
    "available_kw | kW | greatest injection possible",
    "soc_kwh | kWh | energy stored",
    "curtailed_kw | kW | available but not injected (PV), or demand not served (flexible load)",
    "volt_watt_kw | kW | asked for and feasible, but held back by the volt-watt curve",
)  # fmt: skip
DER_START = _table(
    "der_start", "LDA/feeder/kind",
    "DERs of one kind on one simulated feeder as the study begins, before its first step (unmultiplied)",
    "soc_kwh | kWh | energy stored",
)  # fmt: skip
DER_SERVICE = _table(
    "der_service", "LDA/feeder/kind",
    "what a market interval cost and left undone, by kind, on one simulated feeder (unmultiplied)",
    "unserved_kwh | kWh | energy due and missing: at a vehicle's departure, at the close of a window",
    "outside_min | min | time that rooms and tanks were outside their comfort bands, every unit counted",
    "starts_count | - | starts of generators",
    "cost_usd | $ | true cost: fuel, starts, wear, use forgone, sun not taken",
    "co2_kg | kg | emissions of generators",
)  # fmt: skip
DER = _table(
    "der", "LDA/feeder/DER", "one DER at the end of a market interval (unmultiplied)",
    "p_kw | kW | injection",
    "set_point_kw | kW | injection asked for; a DSO's limit is not in it",
    "available_kw | kW | greatest injection possible",
    "soc_kwh | kWh | energy stored",
    "volt_watt_kw | kW | asked for and feasible, but held back by the volt-watt curve",
)  # fmt: skip
DER_UNIT = _table(
    "der_unit", "LDA/DER/aggregator", "every DER as the study states it, at its beginning (unmultiplied)",
    "power_kw | kW | greatest power",
    "s_kva | kVA | rating of the inverter",
    "energy_kwh | kWh | greatest energy of a store, a comfort band or a window's work",
    "participates | - | 1 where it takes part in markets",
    text="owner", text_is="whose it is, as a table of DERs says; empty for the others",
)  # fmt: skip
NODE = _table(
    "node", "LDA/node", "voltage of every distribution node; only where the study records it",
    "v_pu | pu | voltage magnitude",
)  # fmt: skip
BID = _table(
    "bid", "LDA/interval start/entry", "bid of an LDA as the ISO took it",
    "import_mw | MW | end of the block, net import",
    "price_usd_per_mwh | $/MWh | value of the block",
)  # fmt: skip
AWARD = _table(
    "award", "LDA", "real-time award of an interval",
    "award_mw | MW | net import awarded, DERs with awards of their own included",
    "lmp_usd_per_mwh | $/MWh | price at the LDA's bus",
)  # fmt: skip
DISPATCH = _table(
    "dispatch", "LDA", "how a DSO met its award",
    "award_mw | MW | net import awarded, one simulated set",
    "planned_mw | MW | net import of the set-points on the twin, one simulated set",
    "shortfall_mw | MW | award less planned: what no set-points found can meet, either way",
    "relinearisations | - | passes after the stored curve points",
    "limits_bound_count | - | voltage, thermal and head limits that bind in the program",
    "map_error_pu | pu | greatest voltage error of the linear map at the set-points on the twin",
    "unmet_mw | MW | what the fast loop had no room for at the end of the interval before, one simulated set",
    "called_mw | MW | reserve asked for as the interval begins: less import, one simulated set",
    "mended_count | - | physical steps of the interval before in which set-points were moved, as the twin "
    "showed that they broke a limit",
)  # fmt: skip
BINDING = _table(
    "binding", "LDA/feeder", "limits that bind in the DSO's program at the award",
    "voltage_count | - | voltage limits",
    "thermal_count | - | line limits",
    "head_count | - | import or export limits",
)  # fmt: skip
EXPECTATION = _table(
    "expectation", "LDA/feeder",
    "what a total DSO expects of one simulated feeder (unmultiplied) at the dispatch of an award, by its "
    "twin with taps as they were before",
    "p_kw | kW | drawn at its head",
    "q_kvar | kvar | drawn at its head",
    "v_min_pu | pu | least voltage at a load",
    "v_max_pu | pu | greatest voltage at a load",
    "loading_max_pct | % | greatest loading of a phase of a line, regulator or transformer",
    "broken_count | - | limits that the dispatch breaks, as the program relaxed them",
    "room_less_kw | kW | by how much its DERs could yet make it draw less, by their offers",
    "room_more_kw | kW | by how much its DERs could yet make it draw more, by their offers",
)  # fmt: skip
_DLMP_PARTS = (
    "loss_usd_per_mwh | $/MWh | marginal losses on the way from the interface",
    "voltage_usd_per_mwh | $/MWh | what one more MW there does to binding voltage limits",
    "thermal_usd_per_mwh | $/MWh | the same for ratings, head limits and what else holds the import",
)
DLMP = _table(
    "dlmp", "LDA/feeder", "DSO's prices at a feeder's loads at the award, weighted by what they draw",
    "dlmp_usd_per_mwh | $/MWh | price of one more MW drawn, the sum of its four parts",
    "energy_usd_per_mwh | $/MWh | price at the interface",
    *_DLMP_PARTS,
    "least_usd_per_mwh | $/MWh | least price at a load or DER",
    "greatest_usd_per_mwh | $/MWh | greatest price at a load or DER",
)  # fmt: skip
DER_DLMP = _table(
    "der_dlmp", "LDA/feeder/DER", "DSO's price at a DER at the award",
    "dlmp_usd_per_mwh | $/MWh | price of one more MW drawn, or of one MW less injected",
    *_DLMP_PARTS,
)  # fmt: skip
OVERRIDE = _table(
    "override", "LDA/feeder/DER",
    "a DER that the DSO holds back in an interval; the text says which kind of limit asks for it, and where",
    "asked_kw | kW | injection that its aggregator asks of it",
    "allowed_kw | kW | injection nearest to it that the DSO allows",
    "energy_mwh | MWh | their difference over the interval, multiplicity included",
    text="reason",
)  # fmt: skip
OVERRIDE_CHECK = _table(
    "override_check", "LDA/feeder",
    "limits of a feeder that the ISO's dispatch breaks on the DSO's twin, and what is left of that",
    "voltage_count | - | voltage limits broken by the dispatch",
    "thermal_count | - | line and transformer limits broken by it",
    "head_count | - | import or export limits broken by it",
    "left_count | - | limits broken after the overrides: unresolved",
    "voltage_mwh | MWh | energy that overrides for voltage move in the interval, multiplicity included",
    "thermal_mwh | MWh | the same for lines and transformers",
    "head_mwh | MWh | the same for import and export limits",
    "relinearisations | - | programs solved, one after the other",
)  # fmt: skip
ENVELOPE = _table(
    "envelope", "LDA/feeder/DER",
    "how far a DER may go in an interval, and could (unmultiplied); under M3, where the study records DERs",
    "least_kw | kW | least injection allowed",
    "most_kw | kW | greatest injection allowed",
    "able_least_kw | kW | least injection expected to be possible",
    "able_most_kw | kW | greatest injection expected to be possible",
)  # fmt: skip
CONFLICT = _table(
    "conflict", "LDA/feeder/DER",
    "a DER of which its aggregator asks what its DSO does not allow in an interval: the plant keeps within",
    "asked_kw | kW | injection asked for",
    "held_kw | kW | injection nearest to it within the DSO's limits",
)  # fmt: skip
SHORTFALL = _table(
    "shortfall", "aggregator",
    "what the ISO adds to an LDA's import as its DERs missed their last award; where a DSO may limit them",
    "shortfall_mw | MW | award of the interval before less its meters, multiplicity included",
)  # fmt: skip
DISTRIBUTION_ACCOUNT = _table(
    "distribution_account", "LDA",
    "a total DSO's money of an interval at its DLMPs, quantities of its dispatch, multiplicity included; "
    "positive comes in",
    "purchase_usd | $ | for the import at the LMP",
    "der_usd | $ | to DERs for what they inject, from DERs that draw",
    "load_usd | $ | from loads, with what is lost behind the places that the DSO's map knows",
    "loss_surplus_usd | $ | marginal losses charged less losses bought",
    "voltage_rent_usd | $ | prices of voltage limits times what withdrawals do to them",
    "thermal_rent_usd | $ | prices of ratings and heads times flows, and of what holds the import times it",
    "unexplained_usd | $ | what payments and rents do not agree upon",
)  # fmt: skip
METER_POINT = _table(
    "meter_point", "LDA/der/NAME/kind or LDA/load/NAME/load",
    "every meter of a DER or load, at the study's beginning (unmultiplied); where the study records DERs",
    "rated_kw | kW | greatest power of a DER, peak of a load",
    "has_load | - | 1 where a load stands at the bus: a DER there is a customer's, others the utility's side",
    text="place", text_is="bus and phases; equal for who stands at the same place",
)  # fmt: skip
STATEMENT = _table(
    "statement", "LDA/der/NAME/item or LDA/load/NAME/item",
    "a statement line of a DER or customer for an hour, at its beginning, on its meter (unmultiplied); item "
    "energy; network: what a load gets or bears of the DSO's balance; or reserve: what a DER is paid for the "
    "reserve that it holds, at the ISO's real-time price; where the study records DERs",
    "quantity_mwh | MWh | injected; negative = drawn; reserve: MW held times hours",
    "price_usd_per_mwh | $/MWh | mean price of the time; an amount is settled interval by interval",
    "amount_usd | $ | paid to the DER or customer, in whole cents; negative = charged",
    "exact_usd | $ | the same before rounding",
    text="settled_with", text_is="dso, or aggregator where it has awards of its own",
)  # fmt: skip
LDA_ACCOUNT = _table(
    "lda_account", "LDA",
    "a DSO's books of an hour, at its beginning, on its customers' meters, multiplicity included; positive "
    "comes in or stays with it",
    "purchase_usd | $ | for the import at the real-time LMP, energy of DERs with own awards included",
    "der_usd | $ | to DERs that it settles with for energy, from those that draw",
    "load_usd | $ | from loads for energy",
    "reserve_usd | $ | from the ISO for reserve held, at the real-time price",
    "der_reserve_usd | $ | to the DERs that hold it",
    "loss_surplus_usd | $ | of its dispatch: marginal losses charged less losses bought",
    "voltage_rent_usd | $ | of its dispatch: prices of voltage limits times what withdrawals do to them",
    "thermal_rent_usd | $ | of its dispatch: prices of ratings and heads times flows, and of what else holds "
    "the import",
    "load_deviation_usd | $ | loads beyond the dispatch, at their price less the LMP",
    "der_deviation_usd | $ | DERs beyond the dispatch, at their price less the LMP",
    "loss_deviation_usd | $ | losses beyond those of the dispatch, at the LMP; all of them where it has none",
    "reserve_left_usd | $ | for reserve that no DER holds",
    "rounding_usd | $ | left by rounding statement lines to cents, and what no load was there to bear",
    "unexplained_usd | $ | what statements, duals and meters do not agree upon",
)  # fmt: skip
ESTIMATE = _table(
    "estimate", "LDA/feeder",
    "a DSO's estimate of a feeder's loads at a gate or check, what its twin shows there, DERs as metered; "
    "the plant stands in the row of table `feeder` of the same time and id",
    "load_kw | kW | all loads at rated voltage, estimated",
    "forecast_load_kw | kW | the same as forecast the day before",
    "head_p_kw | kW | power into the head on the twin, positive = import",
    "head_q_kvar | kvar | reactive power into the head on the twin",
    "head_p_error_kw | kW | on the twin less what the head's meter shows",
    "head_q_error_kvar | kvar | on the twin less what the head's meter shows",
    "v_min_pu | pu | lowest voltage at a load on the twin",
    "v_max_pu | pu | highest voltage at a load on the twin",
)  # fmt: skip
LMP = _table(
    "lmp", "transmission bus", "real-time price of an interval",
    "lmp_usd_per_mwh | $/MWh | locational marginal price, capped, as it is paid",
    "raw_usd_per_mwh | $/MWh | price before caps, the sum of its three parts",
    "energy_usd_per_mwh | $/MWh | energy part: mean price by the load of the base case",
    "congestion_usd_per_mwh | $/MWh | congestion part",
    "loss_usd_per_mwh | $/MWh | loss part",
)  # fmt: skip
DA_LMP = _table(
    "da_lmp", "transmission bus", "day-ahead price of an hour",
    *(f"{c.name} | {c.unit} | {c.meaning}" for c in LMP.columns),
    "relaxed_usd_per_mwh | $/MWh | price, capped, with the commitment relaxed between 0 and 1; not paid",
)  # fmt: skip
CLEARING = _table(
    "clearing", "always 'system'", "real-time clearing of an interval",
    "cost_usd_per_h | $/h | objective: offers less bids, penalties included",
    "true_cost_usd_per_h | $/h | running cost of the units; starts of committed units and DERs are not in it",
    "co2_t_per_h | t/h | emissions of the units",
    "demand_mw | MW | demand cleared, losses included",
    "loss_mw | MW | losses of the market's own flows",
    "loss_held | - | 1 where prices made wasting energy worth while, so that losses were held",
    "shed_mw | MW | demand not served",
    "surplus_mw | MW | energy with no taker",
    "reserve_short_mw | MW | reserve missing, over all requirements",
    "lines_bound_count | - | lines at their rating",
    "lines_over_mw | MW | flow above ratings, penalised",
    "penalty_set | - | 1 where load, energy, ratings or reserves gave way, so that a penalty may set prices",
    "der_blocks_count | - | blocks that DERs offer to the ISO itself",
    "feeder_limits_count | - | limits of feeders that DSOs have stated",
    "feeder_limits_bound_count | - | those that bind",
    "feeder_over_mw | MW | injection beyond them, penalised",
    "variable_available_mw | MW | what wind and sun of the bulk grid could give, as forecast",
    "variable_mw | MW | what is taken of it",
)  # fmt: skip
DA_CLEARING = _table(
    "da_clearing", "always 'system'", "day-ahead clearing of an hour",
    *(f"{c.name} | {c.unit} | {c.meaning}" for c in CLEARING.columns if c.name in {
        "true_cost_usd_per_h", "co2_t_per_h", "demand_mw", "loss_mw", "loss_held", "shed_mw",
        "surplus_mw", "reserve_short_mw", "lines_bound_count", "penalty_set"}),
)  # fmt: skip
LINE_PRICE = _table(
    "line_price", "transmission branch", "a line that binds in an interval",
    "flow_mw | MW | market flow",
    "rating_mw | MW | rating",
    "shadow_price_usd_per_mwh | $/MWh | worth of one more MW of rating, not negative",
)  # fmt: skip
UNIT_AWARD = _table(
    "unit_award", "generating unit", "real-time set-point of an interval, and reserves awarded",
    "set_point_mw | MW | output awarded",
    "committed | - | 1 where the unit is synchronised",
    *_RESERVES,
)  # fmt: skip
DA_UNIT = _table(
    "da_unit", "generating unit", "day-ahead schedule of an hour, and reserves awarded",
    "schedule_mw | MW | output scheduled",
    "committed | - | 1 where the unit is on",
    *_RESERVES,
)  # fmt: skip
LDA_RESERVE = _table(
    "lda_reserve", "LDA", "reserves awarded to DSOs in a real-time interval; none where no DSO has an award",
    *_RESERVES,
)  # fmt: skip
DA_LDA_RESERVE = _table(
    "da_lda_reserve", "LDA", "reserves awarded to DSOs in a day-ahead hour; none where no DSO has an award",
    *_RESERVES,
)  # fmt: skip
SIGNAL = _table(
    "signal", "always 'system'", "the ISO's signal to DSOs that sold reserve, in a physical step",
    "regulation | - | part of the regulation awarded, -1 to 1; positive = less import",
    "call | - | part of the spinning reserve awarded",
    "need_mw | MW | regulation needed, by the minute before; positive where the system is short",
)  # fmt: skip
DEPLOYMENT = _table(
    "deployment", "LDA", "reserve that the ISO's signal asks of DSOs in a physical step",
    "spin_mw | MW | spinning reserve called: less import",
    "regulation_mw | MW | regulation asked for; positive = less import",
    "delivered_mw | MW | award less the net import carried at the step's end",
)  # fmt: skip
CAPACITY = _table(
    "capacity", "LDA", "capacity of a total DSO for a market day, at its midnight",
    "offered_mw | MW | offered day-ahead",
    "award_mw | MW | bought",
    "called_mwh | MWh | called",
    "delivered_mwh | MWh | delivered of it",
    "paid_usd | $ | for holding it",
    "charged_usd | $ | for what was called and not delivered",
)  # fmt: skip
CAPACITY_INTERVAL = _table(
    "capacity_interval", "LDA", "a market interval in which capacity is committed",
    "baseline_mw | MW | net import from which it is counted, as bid",
    "award_mw | MW | capacity bought",
    "called_mw | MW | called of it",
    "import_mw | MW | net import by the meters",
    "delivered_mw | MW | baseline less import, none or up to what is called",
)  # fmt: skip
RESERVE = _table(
    "reserve", "requirement: reg_up, reg_down, spin_REGION or total",
    "a reserve requirement in a real-time interval",
    "required_mw | MW | requirement",
    "held_mw | MW | awards that count for it, those of faster products included",
    "short_mw | MW | what is missing to it",
    "price_usd_per_mw_h | $/MW/h | worth of one MW less of it for an hour, penalties included",
)  # fmt: skip
DA_RESERVE = _table(
    "da_reserve", RESERVE.id_is, "a reserve requirement in a day-ahead hour",
    *(f"{c.name} | {c.unit} | {c.meaning}" for c in RESERVE.columns),
)  # fmt: skip
RESERVE_PRICE = _table(
    "reserve_price", "product/region", "a reserve product in a region in a real-time interval",
    "award_mw | MW | awards of units and DSOs",
    "price_usd_per_mw_h | $/MW/h | what it earns: the prices of all requirements that it serves",
)  # fmt: skip
DA_RESERVE_PRICE = _table(
    "da_reserve_price", RESERVE_PRICE.id_is, "a reserve product in a region in a day-ahead hour",
    *(f"{c.name} | {c.unit} | {c.meaning}" for c in RESERVE_PRICE.columns),
)  # fmt: skip
STORE = _table(
    "store", "storage or solar-thermal unit", "energy in store in a real-time interval",
    "energy_mwh | MWh | at its beginning, by the meters",
    "end_mwh | MWh | at its end, by the dispatch",
)  # fmt: skip
DA_STORE = _table(
    "da_store", "storage or solar-thermal unit", "energy in store in a day-ahead hour",
    "energy_mwh | MWh | at its beginning, by the schedule",
    "end_mwh | MWh | at its end, by the schedule",
)  # fmt: skip
DA_INTERFACE = _table(
    "da_interface", "LDA", "day-ahead award of an hour",
    "award_mw | MW | net import awarded",
    "lmp_usd_per_mwh | $/MWh | price at the LDA's bus",
)  # fmt: skip
DA_ROUND = _table(
    "da_round", "number of the question, from 01",
    "what was certain of the cost of a market day after a question, at its midnight (exact_cuts)",
    "lower_usd | $ | the whole system costs at least this, whatever is scheduled",
    "upper_usd | $ | the best schedule found costs at most this",
    "gap | - | (upper - lower) / upper",
)  # fmt: skip
DA_DER = _table(
    "da_der", "LDA/feeder/kind/aggregator",
    "what DERs of one kind and aggregator on one simulated feeder are scheduled to do in a day-ahead hour "
    "(unmultiplied): the award as dispatched on paper, or what is expected of them where they have none",
    "p_kw | kW | injection",
    "curtailed_kw | kW | available but not injected (PV), or demand not served (flexible load)",
    "cost_usd | $ | true cost: fuel, wear, use forgone, sun not taken; starts are not in it",
    "stored_kwh | kWh | put into stores less taken out, inside them; own gains and losses left out",
)  # fmt: skip
DAY_AHEAD = _table(
    "day_ahead", "always 'system'", "one day-ahead clearing",
    "cost_usd | $ | objective of the day",
    "commitment_gap_pct | % | certified gap of the forward plan's commitment, of its own cost; 0 where given",
    "loss_mwh | MWh | losses of the market's own flows",
    "shed_mwh | MWh | demand not served",
    "reserve_short_mwh | MWh | reserve missing, over all requirements",
    "lines_bound_count | - | line-hours at rating",
    "penalty_set_count | - | hours in which a penalty may set prices",
)  # fmt: skip
SETTLEMENT = _table(
    "settlement", "participant/market/item",
    "a statement line of an hour, at its beginning; of make-whole payments, of a day, at its midnight",
    "quantity_mwh | MWh | injected or provided; negative = drawn, and so in a share of an account",
    "price_usd_per_mwh | $/MWh | mean price of the time; an amount is settled interval by interval",
    "amount_usd | $ | paid to the participant, in whole cents; negative = charged",
)  # fmt: skip
ACCOUNT = _table(
    "account", "market: day_ahead or real_time", "the ISO's books of one market day",
    "load_payment_usd | $ | paid by loads outside LDAs for energy",
    "lda_payment_usd | $ | paid by LDAs for energy, DERs with awards of their own left out",
    "unit_revenue_usd | $ | paid to units for energy",
    "der_revenue_usd | $ | paid to DERs with awards of their own for energy",
    "reserve_cost_usd | $ | paid for reserves, borne by what was drawn",
    "congestion_rent_usd | $ | shadow prices of lines times dispatched flows, handed to what was drawn",
    "loss_surplus_usd | $ | collected by loss parts less the cost of losses, handed to what was drawn",
    "loss_difference_usd | $ | paid for AC losses beyond the market's, borne by what was drawn",
    "imbalance_usd | $ | paid by deviations less the cost of making them good, handed to what was drawn",
    "cap_cost_usd | $ | paid at published prices less at raw ones, borne by what was drawn",
    "make_whole_usd | $ | paid to units whose revenue is short of their offer cost, borne by what was drawn",
    "capacity_cost_usd | $ | paid for capacity less charged for shortfalls, borne by what was drawn",
    "rounding_usd | $ | left by rounding statement lines to cents",
    "unexplained_usd | $ | what lines, duals and meters do not agree upon",
    "meter_gap_mwh | MWh | energy metered in, less metered out and lost",
)  # fmt: skip
EVENT = _table(
    "event", "what it concerns", "events of the study and policies that took effect",
    "value | - | amount, as the text says",
    text="what", text_is="what it was",
)  # fmt: skip
MESSAGE = _table(
    "message", "sender>receiver/port", "every message of the federation",
    "size_bytes | B | size on the wire",
)  # fmt: skip
TIMING = _table(
    "timing", "federate", "where the time of a market interval went",
    "busy_s | s | computing",
    "wait_s | s | waiting for a grant",
    wall=True,
)  # fmt: skip

TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        BUS, BRANCH, UNIT, SYSTEM, INTERFACE, HEAD, FEEDER, DER_TYPE, DER_START, DER_SERVICE, DER, DER_UNIT,
        NODE, BID, AWARD, DISPATCH, BINDING, EXPECTATION, DLMP, DER_DLMP, DISTRIBUTION_ACCOUNT, METER_POINT,
        STATEMENT, LDA_ACCOUNT, ESTIMATE, LMP,
        DA_LMP, CLEARING, DA_CLEARING, LINE_PRICE, UNIT_AWARD, DA_UNIT, LDA_RESERVE, DA_LDA_RESERVE, SIGNAL,
        DEPLOYMENT, RESERVE, DA_RESERVE, RESERVE_PRICE, DA_RESERVE_PRICE, STORE, DA_STORE, DA_INTERFACE,
        DA_ROUND, DA_DER, DAY_AHEAD, SETTLEMENT, ACCOUNT, EVENT, MESSAGE, TIMING, OVERRIDE, OVERRIDE_CHECK,
        ENVELOPE, CONFLICT, SHORTFALL, CAPACITY, CAPACITY_INTERVAL,
    )
}  # fmt: skip
"""Every table by name."""

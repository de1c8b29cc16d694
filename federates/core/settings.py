"""The study: everything that a run needs, validated once.

Python names carry their unit (``step_s``), YAML keys do not (``step``): a key takes a number in that unit or
text with a unit. Every field's docstring becomes the editor's help and the manual.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from federates.core.der_settings import DER_KINDS, DerMix
from federates.core.form import MisfitError, Name, Settings
from federates.core.time import DAY_AHEAD_CLOSES_S, DAY_S, LEAD_IN_PHYSICS_S, LEAD_IN_S, Clock
from federates.core.units import (
    Factor,
    KilovoltAmperes,
    Kilowatts,
    PositiveShare,
    Seconds,
    SecondsFromZero,
    Share,
    UsdPerMw,
    UsdPerMwh,
)

GATE_LEAD_MAX_S = 540


def _instant(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(f"{value!r} is no instant; write 2020-03-27 or 2020-03-27T18:00") from None


def _multiple(value: int, of: int) -> int:
    return max(1, round(value / of)) * of


class Horizon(Settings):
    """Which time is studied, and in which steps."""

    start: Annotated[datetime, BeforeValidator(_instant)]
    """First instant, local standard time of the case: a date, or a date and hour."""
    duration_s: Seconds
    """Length of the study; a multiple of the market interval."""
    step_s: Seconds = 60
    """Physical step: power flows, meters, regulators."""
    market_interval_s: Seconds = 300
    """Real-time market interval; a multiple of the physical step."""
    gate_lead_s: Seconds = 120
    """How long before its interval a bid must be in; with one step more it must fit in a market interval."""

    def misfits(self) -> Iterator[MisfitError]:
        """Steps that do not divide each other, and a start or a gate that the clock cannot hold."""
        step, market, duration = self.step_s, self.market_interval_s, self.duration_s
        if self.start.tzinfo is not None:
            yield MisfitError("start has a time zone; give local standard time without one", "start")
        if self.start.second or self.start.minute or self.start.microsecond:
            yield MisfitError("start must be on the hour", "start")
        if step % 60:
            yield MisfitError(
                f"step {step} s: use a multiple of 60 s (a step holds 60 one-second phases)", "step"
            )
        if market % step:
            what = f"market_interval {market} s is not a multiple of step {step} s"
            yield MisfitError(f"{what}; use {_multiple(market, step)} s", "market_interval")
        if 3_600 % market:
            yield MisfitError(f"market_interval {market} s does not divide an hour", "market_interval")
        if duration % market:
            what = f"duration {duration} s is not a multiple of market_interval {market} s"
            yield MisfitError(f"{what}; use {_multiple(duration, market)} s", "duration")
        start_s = 3_600 * self.start.hour
        if start_s + duration > DAY_S and start_s >= DAY_AHEAD_CLOSES_S:
            what = "the day-ahead market of the second day would close before the study begins"
            yield MisfitError(f"{what}; start before 13:00 or end by midnight", "start")
        if self.gate_lead_s > GATE_LEAD_MAX_S:
            what = f"gate_lead {self.gate_lead_s} s is too long"
            yield MisfitError(f"{what}: at most {GATE_LEAD_MAX_S} s fit the lead-in", "gate_lead")
        elif -(-self.gate_lead_s // step) * step + step > market:
            what = f"gate_lead {self.gate_lead_s} s and a step of {step} s do not fit in {market} s"
            yield MisfitError(f"{what}: a bid would be overtaken by the next", "gate_lead")


class RtsGmlc(Settings):
    """RTS-GMLC, the 73-bus reliability test system with its day-ahead and 5-minute series."""

    kind: Literal["rts_gmlc"]
    """Which case."""
    rating_factors: dict[str, Factor] = {}
    """Branches whose rating is multiplied, such as `{A11: 0.7}`, to stress the network."""
    voltage_support: bool = True
    """Whether regulating devices stand at the buses that the data leave without reactive support."""


class Pjm5(Settings):
    """The PJM 5-bus system; loads follow RTS-GMLC area 1, normalised."""

    kind: Literal["pjm5"]
    """Which case."""
    rating_factors: dict[str, Factor] = {}
    """Branches whose rating is multiplied."""


class MatpowerCase(Settings):
    """A MATPOWER case file (.m); loads follow RTS-GMLC area 1, normalised."""

    kind: Literal["matpower"]
    """Which reader."""
    path: Path
    """The file, relative to the study."""
    rating_factors: dict[str, Factor] = {}
    """Branches whose rating is multiplied."""


class PandapowerCase(Settings):
    """A pandapower network as JSON; loads follow RTS-GMLC area 1, normalised."""

    kind: Literal["pandapower"]
    """Which reader."""
    path: Path
    """The file, relative to the study."""
    rating_factors: dict[str, Factor] = {}
    """Branches whose rating is multiplied."""


TransmissionSettings = Annotated[RtsGmlc | Pjm5 | MatpowerCase | PandapowerCase, Field(discriminator="kind")]


class TableFeeder(Settings):
    """A feeder in Tandem's tabular form: a folder of CSV files."""

    kind: Literal["table"]
    """Which form."""
    path: Path
    """The folder, relative to the study; `ieee13` and `ieee123` are shipped in `configs/feeders`."""


class SyntheticFeeder(Settings):
    """A generated feeder: radial, unbalanced, with service transformers."""

    kind: Literal["synthetic"]
    """Which form."""
    nodes: Annotated[int, Field(ge=100, le=10_000)]
    """Number of nodes, about."""


class MasterFeeder(Settings):
    """An OpenDSS master file; its substation and regulators stay, its source becomes the T-D interface."""

    kind: Literal["opendss"]
    """Which form."""
    path: Path
    """The file, relative to the study; what it includes lies in its folder or below."""
    head_bus: str | None = None
    """Bus that becomes the T-D interface, what lies before it left out; default: the file's source's."""


FeederModel = Annotated[TableFeeder | SyntheticFeeder | MasterFeeder, Field(discriminator="kind")]


class RegulatorSettings(Settings):
    """What overrides a feeder's published regulator settings."""

    v_set: dict[str, Annotated[float, Field(ge=100, le=140)]] = {}
    """Set-point by regulator, on the 120 V base."""
    line_drop_compensation: bool = True
    """Whether the published line-drop compensation is on."""


class FeederGroup(Settings):
    """Simulated feeders of one model and mix; each has its own seed and jittered sizes."""

    name: Name
    """Name; the simulated feeders are `<name>1`, `<name>2`, ..."""
    model: FeederModel
    """The circuit."""
    count: Annotated[int, Field(ge=1, le=100)] = 1
    """Number of simulated feeders."""
    seed_id: Annotated[int, Field(ge=0)]
    """Seed of the first; the next ones follow. Results hang on it, never on names."""
    jitter: Share = 0.0
    """How much sizes of DERs differ between the simulated feeders, either way."""
    load_scale: Factor = 1.0
    """Factor on the published loads."""
    line_length_scale: Factor = 1.0
    """Factor on line lengths."""
    evening_bump: Share = 0.0
    """Extra demand around 19:30, as a share of the peak."""
    import_limit_kva: KilovoltAmperes = 5_000.0
    """Greatest apparent power into each simulated feeder."""
    export_limit_kva: KilovoltAmperes = 5_000.0
    """Greatest apparent power out of each simulated feeder."""
    regulators: RegulatorSettings = RegulatorSettings()
    """Overrides of the published regulator settings."""
    ders: DerMix = DerMix()
    """Distributed resources of each simulated feeder."""
    der_table: Path | None = None
    """CSV file of DERs that stand there one by one, beside those of `ders`; columns `name, kind, bus, phases,
    kw, kwh, kva, owner, aggregator, profile` and, where wanted, `settings`."""
    der_profiles: Path | None = None
    """CSV or Parquet file of what the DERs of `der_table` could give, or draw, over time: `time` (local
    standard time) and columns of shares of rated power."""

    def misfits(self) -> Iterator[MisfitError]:
        """Profiles that nothing follows, and keys that change a master file, which is taken as it is."""
        if self.der_profiles is not None and self.der_table is None:
            yield MisfitError(
                "der_profiles are followed by the DERs of a der_table; name one", "der_profiles"
            )
        if not isinstance(self.model, MasterFeeder):
            return
        if self.count != 1:
            what = f"an OpenDSS master file stands once in an LDA, not {self.count} times"
            yield MisfitError(f"{what}; give the LDA a multiplicity", "count")
        for key in ("line_length_scale", "regulators"):
            if getattr(self, key) != type(self).model_fields[key].default:
                yield MisfitError(f"{key} does not apply to an OpenDSS master file; change the file", key)


class AggregatorSettings(Settings):
    """A third-party aggregator of an LDA; the default supplier is always there."""

    name: Name
    """Name."""
    serves: tuple[str, ...] = ()
    """DERs that it serves, as `<feeder group>/<kind>`, such as `f/pv`."""


class Lda(Settings):
    """A Local Distribution Area: everything below one T-D substation, one LMP node."""

    name: Name
    """Name."""
    bus: str
    """Bus of the transmission case."""
    multiplicity: Annotated[int, Field(ge=1, le=1_000)] = 1
    """How many times the simulated set stands at the bus; applied once, at the interface."""
    load_area: int | None = None
    """Area of the case whose load shape its customers follow; default: the bus's own."""
    feeders: Annotated[tuple[FeederGroup, ...], Field(min_length=1)]
    """Simulated feeders."""
    aggregators: tuple[AggregatorSettings, ...] = ()
    """Third-party aggregators."""

    def misfits(self) -> Iterator[MisfitError]:
        """Names given twice, and DERs in no or more than one aggregator."""
        for key, items in (("feeders", self.feeders), ("aggregators", self.aggregators)):
            names = [item.name for item in items]
            for i, name in enumerate(names):
                if name in names[:i]:
                    what = f"{name!r} is named twice in {key} of {self.name}; give each its own name"
                    yield MisfitError(what, key, i, "name")
                if name == DEFAULT_SUPPLIER and key == "aggregators":
                    yield MisfitError(
                        f"{name!r} is the default supplier's name; choose another", key, i, "name"
                    )
        for i, group in enumerate(self.feeders):
            if isinstance(group.model, MasterFeeder) and len(self.feeders) > 1:
                what = f"an OpenDSS master file must be the only feeder of {self.name}"
                yield MisfitError(f"{what}; make an LDA of each", "feeders", i, "model")
        yield from self._ownership()[1]

    def aggregator_of(self) -> dict[tuple[str, str], str]:
        """Aggregator by (feeder group, DER kind)."""
        return self._ownership()[0]

    def _ownership(self) -> tuple[dict[tuple[str, str], str], list[MisfitError]]:
        groups = [g.name for g in self.feeders]
        owner: dict[tuple[str, str], str] = {}
        found: list[MisfitError] = []
        for i, aggregator in enumerate(self.aggregators):
            for j, entry in enumerate(aggregator.serves):
                at = ("aggregators", i, "serves", j)
                group, _, kind = entry.partition("/")
                if kind not in DER_KINDS or group not in groups:
                    what = f"{entry!r} is not '<feeder group>/<kind>'"
                    known = f"groups of {self.name}: {', '.join(groups)}; kinds: {', '.join(DER_KINDS)}"
                    found.append(MisfitError(f"{what}; {known}", *at))
                elif (group, kind) in owner:
                    found.append(self._shared(group, kind, owner[group, kind], aggregator.name, at))
                else:
                    owner[group, kind] = aggregator.name
        for i, settings in enumerate(self.feeders):
            found += self._named_by(settings, i, owner)
        return owner, found

    def _named_by(
        self, group: FeederGroup, place: int, owner: dict[tuple[str, str], str]
    ) -> Iterator[MisfitError]:
        known = [DEFAULT_SUPPLIER, *(a.name for a in self.aggregators)]
        for kind in DER_KINDS:
            ders = getattr(group.ders, kind)
            if ders is None or ders.aggregator is None:
                continue
            at = ("feeders", place, "ders", kind, "aggregator")
            if ders.aggregator not in known:
                what = (
                    f"unknown aggregator {ders.aggregator!r}; aggregators of {self.name}: {', '.join(known)}"
                )
                yield MisfitError(what, *at)
                continue
            before = owner.setdefault((group.name, kind), ders.aggregator)
            if before != ders.aggregator:
                yield self._shared(group.name, kind, before, ders.aggregator, at)

    def _shared(self, group: str, kind: str, one: str, other: str, at: tuple[str | int, ...]) -> MisfitError:
        what = f"DERs '{group}/{kind}' of {self.name} are in two aggregators, {one!r} and {other!r}"
        return MisfitError(f"{what}; take them out of one", *at)


DEFAULT_SUPPLIER = "supplier"


class SolveCommitment(Settings):
    """The day-ahead market commits units itself."""

    kind: Literal["solve"]
    """How units are committed."""
    gap: Share = 0.005
    """Gap at which the search stops."""
    nodes: Annotated[int, Field(ge=1)] = 2_000
    """Nodes after which the search stops."""


class GivenCommitment(Settings):
    """Units are committed as a file says; the day-ahead market is then a linear program."""

    kind: Literal["file"]
    """How units are committed."""
    path: Path
    """A CSV file `day,hour,unit,...` as `tables/commitment.csv` of an earlier run, relative to the study."""


class AllOnCommitment(Settings):
    """Every thermal unit is on."""

    kind: Literal["all_on"]
    """How units are committed."""


CommitmentSettings = Annotated[
    SolveCommitment | GivenCommitment | AllOnCommitment, Field(discriminator="kind")
]


class CaseReserves(Settings):
    """The case's own reserve requirements; RTS-GMLC has them, other cases take the default shares of load."""

    kind: Literal["case"]
    """Which requirements."""


class ShareReserves(Settings):
    """Reserve requirements as shares of the load."""

    kind: Literal["shares"]
    """Which requirements."""
    regulation: Share = 0.01
    """Regulation up, and down, system-wide."""
    spin: Share = 0.03
    """Spinning reserve of each area, as a share of the area's load."""
    total: Share = 0.05
    """Regulation up, spinning and supplemental reserve together, system-wide."""


class NoReserves(Settings):
    """A market for energy only."""

    kind: Literal["none"]
    """Which requirements."""


ReserveSettings = Annotated[CaseReserves | ShareReserves | NoReserves, Field(discriminator="kind")]


class IntervalCurveBid(Settings):
    """A curve of net import and price for every interval, stored energy in it at its opportunity cost."""

    kind: Literal["interval_curve"]
    """What a total DSO bids."""
    blocks: Annotated[int, Field(ge=1, le=40)] = 20
    """Most blocks of a curve."""


class FixedQuantityBid(Settings):
    """A quantity for every interval: the DSO's own optimum at the price that it expects; for comparison."""

    kind: Literal["fixed_quantity"]
    """What a total DSO bids."""


class VirtualStorageBid(Settings):
    """Day-ahead, a curve for every interval without batteries, and these as one store of the market, within
    the import that the feeders carry; in real time, interval curves.
    """

    kind: Literal["virtual_storage"]
    """What a total DSO bids."""
    blocks: Annotated[int, Field(ge=1, le=40)] = 20
    """Most blocks of a curve."""


class ExactCutsBid(Settings):
    """Day-ahead, the cost of the whole day as a function of its net import, in as many rounds as it takes to
    know it where the market needs it; in real time, interval curves.
    """

    kind: Literal["exact_cuts"]
    """What a total DSO bids."""
    rounds_limit: Annotated[int, Field(ge=2, le=60)] = 60
    """Most messages from each DSO, three in each physical step from 10:00 on; where the market is open for
    fewer steps, as many as these have room for."""
    gap: Annotated[float, Field(ge=1e-9, le=1e-2)] = 1e-5
    """Certified gap at which the rounds end: upper less lower bound of the whole system's cost, relative."""
    blocks: Annotated[int, Field(ge=1, le=40)] = 20
    """Most blocks of a real-time curve."""


BidSettings = Annotated[
    IntervalCurveBid | FixedQuantityBid | VirtualStorageBid | ExactCutsBid, Field(discriminator="kind")
]


class CapacitySettings(Settings):
    """Capacity that is bought of total DSOs for a part of every market day.

    A DSO that sold it keeps its import, whenever and as long as it is called, that far below what it would be
    without its batteries, flexible loads and photovoltaics, as it was forecast with the day-ahead bid.
    """

    price_usd_per_mw: UsdPerMw
    """Paid for a MW for a market day; for less where not all of its commitment lies in the study."""
    target_kw: Kilowatts
    """Bought of all total DSOs together, in proportion to what they offer where that is more."""
    shortfall_price_usd_per_mwh: UsdPerMwh
    """Charged for a MWh that is called and not delivered."""
    confidence: Annotated[float, Field(ge=0.5, le=0.999)] = 0.95
    """With which a DSO can deliver what it offers all through its commitment, by the forecasts' errors."""
    begin_s: SecondsFromZero = 61_200
    """Time of day at which capacity is committed; a multiple of the market interval."""
    duration_s: Seconds = 14_400
    """How long it is committed, and can be called without a break; a multiple of the market interval."""


class MarketSettings(Settings):
    """The ISO market."""

    commitment: CommitmentSettings = SolveCommitment(kind="solve")
    """How units are committed."""
    reserves: ReserveSettings = CaseReserves(kind="case")
    """What reserves are bought, day-ahead and in real time."""
    day_ahead_rounds: Annotated[int, Field(ge=1, le=30)] = 1
    """Rounds of the day-ahead market, one in each physical step from 10:00 on. Each but the last gives the
    mean of its and all earlier prices as advice, at which stored energy is valued and bid anew; the award is
    that of the round whose prices came nearest to those expected of it."""
    bid: BidSettings = IntervalCurveBid(kind="interval_curve")
    """What a total DSO bids at its interface; other models do not look at it."""
    dso_reserves: bool = False
    """Whether total DSOs offer regulation and spinning reserve with their curves, as much as their feeders
    can deliver when called, and follow the ISO's signal."""
    capacity: CapacitySettings | None = None
    """Capacity that is bought of total DSOs; default: none."""
    hour_ahead: bool = False
    """Whether fast units are committed anew before every hour; else real time starts them as it needs
    them."""
    look_ahead: Annotated[int, Field(ge=1, le=48)] = 12
    """Intervals that a real-time dispatch looks at, the binding one included."""

    def misfits(self) -> Iterator[MisfitError]:
        """Reserve offered where none is bought, and energy that would be sold twice."""
        if self.dso_reserves and isinstance(self.reserves, NoReserves):
            what = "dso_reserves offers reserve to a market that buys none"
            yield MisfitError(f"{what}; choose other reserves, or false", "dso_reserves")
        if self.dso_reserves and self.bid.kind in {"virtual_storage", "exact_cuts"}:
            what = "a store beside the curves and reserve from the curves would sell the same energy twice"
            yield MisfitError(f"{what}; set it to false, or bid interval_curve", "dso_reserves")
        if self.day_ahead_rounds > 1 and self.bid.kind == "exact_cuts":
            what = "exact_cuts has rounds of its own, in which no prices are advised"
            yield MisfitError(f"{what}; set it to 1, or bid another way", "day_ahead_rounds")
        if self.capacity is not None and self.bid.kind in {"virtual_storage", "exact_cuts"}:
            what = "a store beside the curves and capacity would sell the same energy twice"
            yield MisfitError(f"{what}; leave capacity out, or bid interval_curve", "capacity")


class ForecastSettings(Settings):
    """What the participants know before the fact."""

    kind: Literal["martingale", "perfect"] = "martingale"
    """`martingale`: errors that shrink as the time comes near; `perfect`: no
    forecast error, a benchmark only (a load's own noise and a vehicle's arrival stay unknown)."""
    sigma_5min: Share = 0.005
    """Standard deviation of the relative error five minutes ahead."""
    sigma_day: Share = 0.03
    """Standard deviation of the relative error a day ahead."""


class EstimationSettings(Settings):
    """What the DSOs measure of their loads, and how they estimate the others.

    Active and reactive power of a metered load, and of each feeder's head, are read with errors drawn on the
    feeders' `seed_id`; DERs, taps and the interface's voltage are read as they are. What is not read is
    inferred from the forecast of the day before.
    """

    meters: Share = 0.2
    """Share of the loads that have a meter that the DSO reads."""
    noise: Share = 0.01
    """Standard deviation of a reading's error, relative to the load."""
    delay: Annotated[int, Field(ge=0, le=1_440)] = 15
    """Physical steps after which a load's reading arrives; the head's arrives at once."""
    head_noise: PositiveShare = 0.005
    """Standard deviation of the error of a head's reading, relative to the feeder's peak load."""
    load_sigma: PositiveShare = 0.1
    """How far one load is believed to be from its forecast, beyond what all have in common: standard
    deviation, relative. The common part is the forecast's own (`forecast.sigma_day`)."""
    persistence_s: Seconds = 7_200
    """Time after which 1/e of a load's error against its forecast is left."""


class UnitTrip(Settings):
    """A generating unit trips."""

    kind: Literal["unit_trip"]
    """Which event."""
    at_s: SecondsFromZero
    """When, from the study's start."""
    duration_s: Seconds
    """For how long."""
    unit: str
    """Unit of the transmission case."""


class LinkLoss(Settings):
    """Messages of a coordination link are lost; the receiver goes on with the last that it had."""

    kind: Literal["link_loss"]
    """Which event."""
    at_s: SecondsFromZero
    """When, from the study's start."""
    duration_s: Seconds
    """For how long."""
    sender: str
    """Federate, such as `dso_lda1`."""
    receiver: str
    """Federate, such as `iso`."""


class DerOptOut(Settings):
    """Customers take their DERs out of the market; meanwhile these serve their own sites."""

    kind: Literal["der_opt_out"]
    """Which event."""
    at_s: SecondsFromZero
    """When, from the study's start."""
    duration_s: Seconds
    """For how long."""
    lda: str
    """LDA."""
    ders: str
    """DERs, as `<feeder group>/<kind>`."""
    share: Share = 1.0
    """Share of these DERs, drawn on the feeders' `seed_id`."""


class ReserveCall(Settings):
    """The ISO calls reserve of total DSOs: a share of each interval's award, while it lasts."""

    kind: Literal["reserve_call"]
    """Which event."""
    at_s: SecondsFromZero
    """When, from the study's start."""
    duration_s: Seconds
    """For how long."""
    product: Literal["spin", "capacity"] = "spin"
    """Spinning reserve, at once; or capacity, announced before the gate of each interval."""
    share: PositiveShare = 1.0
    """Share of the award that is called."""


EventSettings = Annotated[UnitTrip | LinkLoss | DerOptOut | ReserveCall, Field(discriminator="kind")]


class CouplingSettings(Settings):
    """The fixed point between transmission and feeders."""

    tolerance_pu: Annotated[float, Field(ge=1e-10, le=1e-3)] = 1e-6
    """Greatest residual of an accepted step: voltage change, and power difference over 100 MVA."""
    on_miss: Literal["stop", "record"] = "stop"
    """What happens when a step misses the tolerance: the run stops, or an event is recorded."""


class FederationSettings(Settings):
    """How the federation is spread over processes, and its limits."""

    hosts: Annotated[int, Field(ge=1, le=256)] | Literal["auto"] = "auto"
    """Processes that the LDAs share; `auto`: one per core."""
    chain: Literal["auto", "day", "whole"] = "auto"
    """`day`: one federation per market day, from saved state; `whole`: one for all (beyond a day only on
    loopback); `auto`: by day on HELICS, whole on loopback."""
    startup_limit_s: Seconds = 120
    """How long federates may take to join."""
    step_limit_s: Seconds = 120
    """How long a federate other than the ISO may compute at one instant."""
    solver_limit_s: Seconds = 300
    """How long the search for a commitment may take, and, 30 s more, the ISO at one instant."""


class RecordSettings(Settings):
    """What is recorded beyond the standard tables."""

    nodes: bool = False
    """Voltage of every distribution node at every physical step."""
    ders: bool = True
    """Every DER at every market interval."""
    bulk_every_s: Seconds = 300
    """Spacing of the tables `bus`, `branch` and `unit`."""


class Study(Settings):
    """A study: one scenario under one coordination model."""

    schema_version: Literal[1]
    """Version of this form."""
    name: Name
    """Name; results go to `results/<name>/`."""
    description: str = ""
    """What the study is for."""
    coordination: Literal[
        "uncoordinated",
        "price_reactive",
        "grand_central_blind",
        "grand_central_override",
        "grand_central_envelope",
        "grand_central_full",
        "layered_total_dso",
    ]
    """Coordination model: M0, M0b, M1, M2, M3, M4 or M5."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    """Root of the forecasts' errors; fleets and demand hang on the feeders' `seed_id`."""
    der_q: Literal["none", "local_volt_var", "dso"] = "none"
    """What inverters do with reactive power: nothing, the default volt-var curve of IEEE 1547-2018 on their
    own voltage (both under every coordination model alike), or what a total DSO asks of those it directs."""
    der_p: Literal["none", "local_volt_watt"] = "none"
    """What inverters do with active power by themselves, the same under every coordination model: nothing, or
    they inject no more than the default volt-watt curve of IEEE 1547-2018 allows at their own voltage."""
    inverter_category: Literal["A", "B"] = "B"
    """Category of the inverters in IEEE 1547-2018, which decides on their volt-var curve."""
    envelope_rule: Literal["equal", "proportional", "maximum_service"] = "proportional"
    """How envelopes share a feeder's room where DSOs publish them (M3): the same kW for each DER, the same
    share of what each could use, or as many kW as there can be, whoever gets them."""
    horizon: Horizon
    """Which time is studied."""
    transmission: TransmissionSettings
    """The bulk grid."""
    ldas: Annotated[tuple[Lda, ...], Field(min_length=1)]
    """Local Distribution Areas."""
    market: MarketSettings = MarketSettings()
    """The ISO market."""
    forecast: ForecastSettings = ForecastSettings()
    """What the participants know before the fact."""
    estimation: EstimationSettings = EstimationSettings()
    """What the DSOs measure of their loads, and how they estimate the others."""
    coupling: CouplingSettings = CouplingSettings()
    """The fixed point between transmission and feeders."""
    events: tuple[EventSettings, ...] = ()
    """Events, part of the scenario."""
    federation: FederationSettings = FederationSettings()
    """Processes and limits."""
    record: RecordSettings = RecordSettings()
    """What is recorded beyond the standard tables."""
    compare: tuple[str, ...] = ()
    """Models that `tandem compare` runs where it is told no others, as its `--models`, such as
    `[M0, M4, M5/interval_curve:8]`; none: all."""

    def misfits(self) -> Iterator[MisfitError]:
        """LDAs that share a name or a bus, and events that name no federate of the study."""
        for i, lda in enumerate(self.ldas):
            for before in self.ldas[:i]:
                if before.name == lda.name:
                    yield MisfitError(
                        f"two LDAs are named {lda.name!r}; give each its own name", "ldas", i, "name"
                    )
                if before.bus == lda.bus:
                    what = f"two LDAs are on bus {lda.bus!r} ({before.name}, {lda.name})"
                    yield MisfitError(
                        f"{what}; an LDA is one LMP node: put its feeders into one", "ldas", i, "bus"
                    )
        yield from self._rounds_misfits()
        yield from self._reactive_misfits()
        yield from self._capacity_misfits()
        known = federate_names(self)
        for i, event in enumerate(self.events):
            if event.at_s >= self.horizon.duration_s:
                what = f"the event comes after the study's end ({self.horizon.duration_s} s)"
                yield MisfitError(what, "events", i, "at")
            if isinstance(event, LinkLoss):
                for key in ("sender", "receiver"):
                    if getattr(event, key) not in known:
                        what = f"unknown federate {getattr(event, key)!r}; federates: {', '.join(known)}"
                        yield MisfitError(what, "events", i, key)
            if isinstance(event, DerOptOut):
                yield from self._opt_out_misfits(event, i)

    def _rounds_misfits(self) -> Iterator[MisfitError]:
        """More day-ahead rounds than the lead-in has room for."""
        fit = (LEAD_IN_S - LEAD_IN_PHYSICS_S) // self.horizon.step_s
        if self.market.day_ahead_rounds > fit:
            what = f"{self.market.day_ahead_rounds} day-ahead rounds, one a step of {self.horizon.step_s} s"
            yield MisfitError(f"{what}: at most {fit} fit the lead-in", "market", "day_ahead_rounds")

    def _reactive_misfits(self) -> Iterator[MisfitError]:
        if self.der_q == "dso" and self.coordination != "layered_total_dso":
            what = "der_q dso: only a total DSO asks DERs for reactive power"
            yield MisfitError(f"{what}; use coordination layered_total_dso, or another der_q", "der_q")
        if self.der_q == "dso" and self.market.bid.kind == "exact_cuts":
            what = "the cost of a day is stated with reactive power held, which der_q dso would move"
            yield MisfitError(f"{what}; bid another way, or use another der_q", "market", "bid")
        if self.der_q == "dso" and self.market.dso_reserves:
            what = "called states are found without the reactive power that der_q dso asks for"
            yield MisfitError(f"{what}; set it to false, or use another der_q", "market", "dso_reserves")
        if self.der_q == "dso" and self.market.capacity is not None:
            what = "capacity is found without the reactive power that der_q dso asks for"
            yield MisfitError(f"{what}; leave it out, or use another der_q", "market", "capacity")

    def _capacity_misfits(self) -> Iterator[MisfitError]:
        """Commitments and calls that are no whole intervals, and calls of what is not committed."""
        market_s, capacity = self.horizon.market_interval_s, self.market.capacity
        calls = [
            (event, place)
            for place, event in enumerate(self.events)
            if isinstance(event, ReserveCall) and event.product == "capacity"
        ]
        spans: list[tuple[int, int, tuple[str | int, ...]]] = [
            (event.at_s, event.duration_s, ("events", place, "at")) for event, place in calls
        ]
        if capacity is not None:
            spans.append((capacity.begin_s, capacity.duration_s, ("market", "capacity", "begin")))
        for begin_s, duration_s, where in spans:
            if begin_s % market_s or duration_s % market_s:
                what = f"capacity goes by market intervals of {market_s} s"
                yield MisfitError(f"{what}; begin and duration must be multiples of it", *where)
        if capacity is not None and capacity.begin_s + capacity.duration_s > DAY_S:
            what = "the commitment goes beyond its day"
            yield MisfitError(f"{what}; let it end by 24 h", "market", "capacity", "duration")
        for call, place in calls:
            if capacity is None:
                what = "the event calls capacity, which the market does not buy"
                yield MisfitError(f"{what}; give market.capacity", "events", place, "product")
                continue
            first = (call.at_s - self.clock.day_start_s) % DAY_S
            if first < capacity.begin_s or first + call.duration_s > capacity.begin_s + capacity.duration_s:
                what = "the call goes beyond the commitment of its day"
                yield MisfitError(f"{what}; see market.capacity", "events", place, "at")
            if call.at_s < market_s:
                what = "a call is announced before the gate of its first interval"
                yield MisfitError(f"{what}: at the earliest at {market_s} s", "events", place, "at")

    def _opt_out_misfits(self, event: DerOptOut, place: int) -> Iterator[MisfitError]:
        lda = next((lda for lda in self.ldas if lda.name == event.lda), None)
        if lda is None:
            known = ", ".join(lda.name for lda in self.ldas)
            yield MisfitError(f"unknown LDA {event.lda!r}; LDAs: {known}", "events", place, "lda")
            return
        ders = [
            f"{g.name}/{kind}"
            for g in lda.feeders
            for kind in DER_KINDS
            if getattr(g.ders, kind) or g.der_table is not None
        ]
        if event.ders not in ders:
            what = f"{lda.name} has no DERs {event.ders!r}; it has {', '.join(ders) or 'none'}"
            yield MisfitError(what, "events", place, "ders")

    @property
    def clock(self) -> Clock:
        """The study's time grid."""
        h = self.horizon
        return Clock(
            start=h.start,
            duration_s=h.duration_s,
            step_s=h.step_s,
            market_s=h.market_interval_s,
            gate_lead_s=h.gate_lead_s,
        )

    def lda(self, name: str) -> Lda:
        """LDA by name."""
        return next(lda for lda in self.ldas if lda.name == name)


def aggregators_of(lda: Lda) -> tuple[str, ...]:
    """Names of an LDA's aggregators, the default supplier first."""
    return (DEFAULT_SUPPLIER, *(a.name for a in lda.aggregators))


def federate_names(study: Study) -> tuple[str, ...]:
    """Names of all federates of a study."""
    names = ["iso", "transmission"]
    for lda in study.ldas:
        names += [f"feeder_{lda.name}", f"dso_{lda.name}"]
        names += [f"agg_{lda.name}_{owner}" for owner in aggregators_of(lda)]
    return tuple(names)

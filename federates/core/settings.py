"""The study: everything that a run needs, validated once.

Python names carry their unit (``step_s``), YAML keys do not (``step``): a key takes a number in that unit or
text with a unit. Every field's docstring becomes the editor's help and the manual.
"""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from federates.core.time import DAY_S, Clock
from federates.core.units import (
    Factor,
    KilovoltAmperes,
    Kilowatts,
    KilowattHours,
    Seconds,
    SecondsFromZero,
    Share,
    UsdPerMwh,
)

_SUFFIXES = ("_usd_per_mwh", "_kwh", "_kva", "_kw", "_s")
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]


def yaml_key(field: str) -> str:
    """Key in a study of a field: its name without the unit."""
    return next((field.removesuffix(s) for s in _SUFFIXES if field.endswith(s)), field)


class Settings(BaseModel):
    """Base of all settings: frozen, nothing unknown allowed."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        alias_generator=yaml_key,
        validate_by_name=False,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


def _instant(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, str) and len(value) == len("2020-03-27"):
        return f"{value}T00:00:00"
    return value


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
    """How long before its interval a bid must be in; at most 540 s."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.start.tzinfo is not None:
            raise ValueError("start has a time zone; give local standard time without one")
        if self.step_s < 60 or self.step_s % 60:
            raise ValueError(
                f"step {self.step_s} s: use a multiple of 60 s (a step holds 60 one-second phases)"
            )
        if self.market_interval_s % self.step_s:
            raise ValueError(
                f"market_interval {self.market_interval_s} s is not a multiple of step {self.step_s} s"
            )
        if self.duration_s % self.market_interval_s:
            raise ValueError(
                f"duration {self.duration_s} s is not a multiple of market_interval {self.market_interval_s} s"
            )
        if self.start.second or self.start.minute:
            raise ValueError("start must be on the hour")
        if self.gate_lead_s > 540:
            raise ValueError(f"gate_lead {self.gate_lead_s} s is too long: at most 540 s fit the lead-in")
        if 3_600 % self.market_interval_s:
            raise ValueError(f"market_interval {self.market_interval_s} s does not divide an hour")
        return self


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


FeederModel = Annotated[TableFeeder | SyntheticFeeder, Field(discriminator="kind")]


class PvSettings(Settings):
    """Photovoltaics of one simulated feeder."""

    power_kw: Kilowatts
    """Installed power of the whole feeder."""
    profile: str | None = None
    """Unit of the transmission case whose availability it follows, such as `118_RTPV_1`; default: a clear-sky
    day."""
    curtailment_cost_usd_per_mwh: UsdPerMwh = 5.0
    """True cost of a curtailed MWh; it is offered at minus this price."""
    aggregator: Name | None = None
    """Aggregator that it belongs to; default: the default supplier."""


class BatterySettings(Settings):
    """Batteries of one simulated feeder."""

    power_kw: Kilowatts
    """Power of the whole feeder."""
    energy_kwh: KilowattHours
    """Energy of the whole feeder."""
    efficiency: Share = 0.92
    """Efficiency each way."""
    wear_usd_per_mwh: UsdPerMwh = 4.0
    """Wear per MWh of full cycle."""
    initial_charge: Share = 0.5
    """State of charge at the start."""
    aggregator: Name | None = None
    """Aggregator that they belong to; default: the default supplier."""


class EvSettings(Settings):
    """Electric vehicles of one simulated feeder; they charge on arrival."""

    count: Annotated[int, Field(ge=0, le=100_000)]
    """Number of vehicles."""
    charger_kw: Kilowatts = 7.2
    """Charging power of each."""
    daily_energy_kwh: KilowattHours = 10.0
    """Mean energy of a day."""
    far_weight: Annotated[float, Field(ge=1.0, le=10.0)] = 1.0
    """How much likelier a vehicle is on the farther half of the feeder."""


class FlexibleSettings(Settings):
    """A flexible load of one simulated feeder: demand with a stated value of use."""

    share: Share
    """Share of the feeder's peak demand."""
    value_of_use_usd_per_mwh: UsdPerMwh = 30.0
    """What a MWh is worth to its user: above this price it stops."""
    aggregator: Name | None = None
    """Aggregator that it belongs to; default: the default supplier."""


class DerMix(Settings):
    """Distributed resources of one simulated feeder."""

    pv: PvSettings | None = None
    """Photovoltaics."""
    battery: BatterySettings | None = None
    """Batteries."""
    ev: EvSettings | None = None
    """Electric vehicles, as fixed charging load."""
    flexible: FlexibleSettings | None = None
    """A flexible load."""


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


class AggregatorSettings(Settings):
    """A third-party aggregator of an LDA; the default supplier is always there."""

    name: Name
    """Name."""
    serves: tuple[str, ...] = ()
    """DERs that it serves, as `<feeder group>/<pv|battery|flexible>`."""


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

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [g.name for g in self.feeders]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"two feeder groups of {self.name} are named {name!r}; give each its own name"
                )
        self.aggregator_of()
        return self

    def aggregator_of(self) -> dict[tuple[str, str], str]:
        """Aggregator by (feeder group, DER kind).

        Raises
        ------
        ValueError
            If a DER is in two aggregators, or one that does not exist.
        """
        known = [a.name for a in self.aggregators]
        owner: dict[tuple[str, str], str] = {}
        for aggregator in self.aggregators:
            for entry in aggregator.serves:
                group, _, kind = entry.partition("/")
                if kind not in DER_KINDS or group not in [g.name for g in self.feeders]:
                    raise ValueError(
                        f"aggregator {aggregator.name!r} serves {entry!r}, which is not '<feeder group>/<kind>' "
                        f"with a group of {self.name} and a kind of {', '.join(DER_KINDS)}"
                    )
                if (group, kind) in owner:
                    raise ValueError(
                        f"DERs {entry!r} of {self.name} are in two aggregators, {owner[group, kind]!r} and "
                        f"{aggregator.name!r}; take them out of one"
                    )
                owner[group, kind] = aggregator.name
        for group_settings in self.feeders:
            for kind in DER_KINDS:
                ders = getattr(group_settings.ders, kind)
                if ders is None or ders.aggregator is None:
                    continue
                if ders.aggregator not in known:
                    raise ValueError(
                        f"unknown aggregator {ders.aggregator!r} of {group_settings.name}/{kind}; "
                        f"aggregators of {self.name}: {', '.join(known) or 'none'}"
                    )
                before = owner.setdefault((group_settings.name, kind), ders.aggregator)
                if before != ders.aggregator:
                    raise ValueError(
                        f"DERs '{group_settings.name}/{kind}' of {self.name} are in two aggregators, "
                        f"{before!r} and {ders.aggregator!r}; take them out of one"
                    )
        return owner


DER_KINDS = ("pv", "battery", "flexible")
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


class MarketSettings(Settings):
    """The ISO market."""

    commitment: CommitmentSettings = SolveCommitment(kind="solve")
    """How units are committed."""
    loss_share: Share = 0.03
    """Losses as a share of demand until the first AC solution, spread by load."""


class ForecastSettings(Settings):
    """What the participants know before the fact."""

    kind: Literal["martingale", "perfect"] = "martingale"
    """`martingale`: errors that shrink as the time comes near; `perfect`: no error, a benchmark only."""
    sigma_5min: Share = 0.005
    """Standard deviation of the relative error five minutes ahead."""
    sigma_day: Share = 0.03
    """Standard deviation of the relative error a day ahead."""


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


EventSettings = Annotated[UnitTrip | LinkLoss, Field(discriminator="kind")]


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
    """How long the ISO's solver may take; the ISO's limit is 30 s more."""


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
    coordination: Literal["uncoordinated", "grand_central_blind", "layered_total_dso"]
    """Coordination model: M0, M1 or M5."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    """Root of all randomness."""
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
    coupling: CouplingSettings = CouplingSettings()
    """The fixed point between transmission and feeders."""
    events: tuple[EventSettings, ...] = ()
    """Events, part of the scenario."""
    federation: FederationSettings = FederationSettings()
    """Processes and limits."""
    record: RecordSettings = RecordSettings()
    """What is recorded beyond the standard tables."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        buses = [lda.bus for lda in self.ldas]
        names = [lda.name for lda in self.ldas]
        for lda in self.ldas:
            if names.count(lda.name) > 1:
                raise ValueError(f"two LDAs are named {lda.name!r}; give each its own name")
            if buses.count(lda.bus) > 1:
                on_bus = ", ".join(other.name for other in self.ldas if other.bus == lda.bus)
                raise ValueError(f"two LDAs are on bus {lda.bus!r} ({on_bus}); an LDA is one LMP node")
        for event in self.events:
            if isinstance(event, LinkLoss):
                known = federate_names(self)
                for end in (event.sender, event.receiver):
                    if end not in known:
                        raise ValueError(
                            f"unknown federate {end!r} in a link_loss; federates: {', '.join(known)}"
                        )
        return self

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

    @property
    def days_count(self) -> int:
        """Market days that the study touches."""
        return -(-(self.horizon.duration_s - self.clock.day_start_s) // DAY_S)


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

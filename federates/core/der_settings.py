"""The distributed resources of a study's feeders, as its writer sizes them: one class per kind.

A kind is a field of :class:`DerMix`; its behaviour is the model of the same name in ``federates.der``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field

from federates.core.form import MisfitError, Name, Settings
from federates.core.units import (
    Celsius,
    Kelvins,
    KelvinsPerKw,
    KilogramsPerMwh,
    KilowattHours,
    Kilowatts,
    KwhPerKelvin,
    SecondsFromZero,
    Share,
    UsdPerMw,
    UsdPerMwh,
)

FLEXIBLE_CEILING = 0.8
"""Greatest part of a load that can be flexible."""
PROCESS_MOST = 1.2
"""Greatest energy of a process' day over its mean."""
EV_MOST = 1.5
"""Greatest energy of a vehicle's day over its mean."""
_DAY_S = 86_400
Count = Annotated[int, Field(ge=0, le=100_000)]


class DerSettings(Settings):
    """Base of every kind's settings."""

    aggregator: Name | None = None
    """Aggregator that they belong to; default: the default supplier."""

    def scaled(self, factor: float) -> Self:
        """The same kind in another size."""
        return self.model_copy(update={key: getattr(self, key) * factor for key in self._sizes})

    @property
    def _sizes(self) -> tuple[str, ...]:
        return ("power_kw",)


class PvSettings(DerSettings):
    """Photovoltaics of one simulated feeder."""

    power_kw: Kilowatts
    """Installed power of the whole feeder."""
    profile: str | None = None
    """Unit of the transmission case whose availability it follows, such as `118_RTPV_1`; default: a clear-sky
    day."""
    curtailment_cost_usd_per_mwh: UsdPerMwh = 5.0
    """True cost of a curtailed MWh; it is offered at minus this price."""


class BatterySettings(DerSettings):
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
    self_discharge_per_day: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the stored energy that is lost in a day."""

    @property
    def _sizes(self) -> tuple[str, ...]:
        return ("power_kw", "energy_kwh")

    def misfits(self) -> Iterator[MisfitError]:
        """A battery without power or without energy, or one that gives nothing back."""
        if (self.power_kw > 0.0) != (self.energy_kwh > 0.0):
            yield MisfitError("batteries need both power and energy, or neither", "energy")
        if self.efficiency == 0.0:
            yield MisfitError("an efficiency of zero stores nothing", "efficiency")


class EvSettings(DerSettings):
    """Electric vehicles of one simulated feeder, each at home from an evening to the next morning.

    Charging on arrival they are fixed demand. Managed, every vehicle is a DER: whoever directs it may move
    its charging between arrival and departure, and its charger sees to it that the energy asked for is there
    in time if power allows.
    """

    count: Count
    """Number of vehicles."""
    charging: Literal["on_arrival", "managed"] = "on_arrival"
    """`on_arrival`: fixed demand; `managed`: DERs."""
    charger_kw: Kilowatts = 7.2
    """Charging power of each."""
    daily_energy_kwh: KilowattHours = 10.0
    """Mean energy of a day."""
    far_weight: Annotated[float, Field(ge=1.0, le=10.0)] = 1.0
    """How much likelier a vehicle is on the farther half of the feeder."""
    battery_kwh: KilowattHours = 60.0
    """Usable energy of a managed vehicle's battery."""
    departure_charge: Share = 0.8
    """State of charge that a managed vehicle asks for at departure."""
    initial_charge: Share = 0.7
    """State of charge of a managed vehicle at the study's start."""
    efficiency: Share = 0.92
    """Efficiency of a managed vehicle's charger, each way."""
    v2g: bool = False
    """Whether a managed vehicle also discharges into the grid, at the charger's power."""
    wear_usd_per_mwh: UsdPerMwh = 40.0
    """Wear of the vehicle's battery per MWh of full cycle, where it discharges."""

    @property
    def _sizes(self) -> tuple[str, ...]:
        return ()

    def scaled(self, factor: float) -> Self:
        """More or fewer vehicles, whole ones."""
        return self.model_copy(update={"count": round(self.count * factor)})

    def misfits(self) -> Iterator[MisfitError]:
        """Vehicles that no aggregator can direct, and trips longer than what they leave with."""
        if self.aggregator is not None and self.charging == "on_arrival":
            what = "vehicles that charge on arrival are fixed demand and have no aggregator"
            yield MisfitError(f"{what}; set charging: managed", "aggregator")
        if self.charging == "managed":
            if EV_MOST * self.daily_energy_kwh > self.departure_charge * self.battery_kwh:
                what = (
                    f"a day's energy may reach {EV_MOST:g} times its mean, more than the vehicle leaves with"
                )
                yield MisfitError(f"{what}; raise battery or departure_charge", "daily_energy")
            if self.charger_kw == 0.0 or self.efficiency == 0.0:
                yield MisfitError("a managed vehicle needs a charger of some power and efficiency", "charger")


class FlexibleSettings(DerSettings):
    """A flexible load of one simulated feeder: demand with a stated value of use, not made up later."""

    share: Annotated[Share, Field(le=FLEXIBLE_CEILING)]
    """Share of the feeder's peak demand."""
    value_of_use_usd_per_mwh: UsdPerMwh = 30.0
    """What a MWh is worth to its user: half of it stops above this price, the rest above twice the price."""

    def scaled(self, factor: float) -> Self:
        """A greater or smaller part of the demand."""
        return self.model_copy(update={"share": min(self.share * factor, FLEXIBLE_CEILING)})


class ThermalSettings(DerSettings):
    """What heating, cooling and hot water have in common."""

    count: Count
    """Number of units."""

    @property
    def _sizes(self) -> tuple[str, ...]:
        return ()

    def scaled(self, factor: float) -> Self:
        """More or fewer units, whole ones."""
        return self.model_copy(update={"count": round(self.count * factor)})


class HvacSettings(ThermalSettings):
    """Heat pumps or air conditioners of one simulated feeder, variable in speed.

    Each room is one thermal capacitance behind one resistance, as in H. Hao, B. Sanandaji, K. Poolla and
    T. Vincent, IEEE Transactions on Power Systems 30(1), 2015, whose typical unit the defaults are.
    """

    mode: Literal["heat", "cool"]
    """Whether the units heat or cool."""
    unit_kw: Kilowatts = 5.6
    """Electric power of each unit."""
    resistance_c_per_kw: KelvinsPerKw = 2.0
    """Thermal resistance between room and outdoors."""
    capacitance_kwh_per_c: KwhPerKelvin = 2.0
    """Thermal capacitance of a room."""
    performance: Annotated[float, Field(gt=0.0, le=10.0)] = 2.5
    """Heat moved per electric energy."""
    comfort_low_c: Celsius = 20.0
    """Lower edge of the comfort band."""
    comfort_high_c: Celsius = 23.0
    """Upper edge of the comfort band."""
    outdoor_mean_c: Celsius = 8.0
    """Mean outdoor temperature of the day."""
    outdoor_swing_c: Kelvins = 5.0
    """How far the day's extremes, at 16 h and 4 h, lie from the mean."""

    def misfits(self) -> Iterator[MisfitError]:
        """A band without room, and a machine too small to hold it on the day's worst hour."""
        if self.comfort_low_c >= self.comfort_high_c:
            yield MisfitError("the comfort band needs comfort_low below comfort_high", "comfort_low")
            return
        if self.mode == "heat":
            load_c = self.comfort_low_c - (self.outdoor_mean_c - self.outdoor_swing_c)
        else:
            load_c = self.outdoor_mean_c + self.outdoor_swing_c - self.comfort_high_c
        needed_kw = load_c / self.resistance_c_per_kw / self.performance
        if needed_kw > self.unit_kw:
            what = f"the worst hour needs {needed_kw:.2f} kW, more than the unit's {self.unit_kw:g} kW"
            yield MisfitError(f"{what}: the band could not be held", "unit")


class WaterHeaterSettings(ThermalSettings):
    """Electric storage water heaters of one simulated feeder: a well-mixed tank each.

    A tank of 190 l holds 0.22 kWh per K; 10 kWh a day are the 243 l, heated by 37 K, of the draw in the test
    procedure of the US Department of Energy (10 CFR 430, subpart B, appendix E).
    """

    unit_kw: Kilowatts = 4.5
    """Electric power of each."""
    capacitance_kwh_per_c: KwhPerKelvin = 0.22
    """Thermal capacitance of a tank."""
    resistance_c_per_kw: KelvinsPerKw = 500.0
    """Thermal resistance between tank and room."""
    comfort_low_c: Celsius = 45.0
    """Temperature below which the water is not hot."""
    comfort_high_c: Celsius = 65.0
    """Greatest temperature of the tank."""
    daily_draw_kwh: KilowattHours = 10.0
    """Mean heat drawn from a tank in a day."""

    def misfits(self) -> Iterator[MisfitError]:
        """A band without room."""
        if self.comfort_low_c >= self.comfort_high_c:
            yield MisfitError("the comfort band needs comfort_low below comfort_high", "comfort_low")


class ProcessSettings(DerSettings):
    """Flexible process loads of one simulated feeder: energy that may be used any time in a daily window."""

    power_kw: Kilowatts
    """Greatest power of the whole feeder."""
    daily_energy_kwh: KilowattHours
    """Energy wanted in every window, by the whole feeder."""
    window_begin_s: SecondsFromZero = 8 * 3_600
    """Time of day at which the window opens."""
    window_end_s: SecondsFromZero = 18 * 3_600
    """Time of day at which it closes."""
    value_of_use_usd_per_mwh: UsdPerMwh = 150.0
    """What a MWh is worth to its user; above this price the process rather does without."""

    @property
    def _sizes(self) -> tuple[str, ...]:
        return ("power_kw", "daily_energy_kwh")

    def misfits(self) -> Iterator[MisfitError]:
        """A window that is none, or too short for its energy."""
        if not self.window_begin_s < self.window_end_s <= _DAY_S:
            yield MisfitError("the window must end after it begins, within one day", "window_end")
        elif PROCESS_MOST * self.daily_energy_kwh > self.power_kw * self._window_h:
            what = f"a day's energy, at most {PROCESS_MOST:g} times its mean, does not fit in the window"
            yield MisfitError(f"{what} at full power; raise power or lengthen the window", "daily_energy")

    @property
    def _window_h(self) -> float:
        return (self.window_end_s - self.window_begin_s) / 3_600


class GeneratorSettings(DerSettings):
    """Small generators of one simulated feeder."""

    count: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Number of generators."""
    power_kw: Kilowatts
    """Rated power of all of them."""
    least_output: Share = 0.3
    """Least output of a running generator, as a share of its rating."""
    ramp_per_minute: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2
    """How far a running generator moves in a minute, as a share of its rating."""
    fuel_cost_usd_per_mwh: UsdPerMwh = 60.0
    """Cost of fuel and upkeep."""
    start_cost_usd_per_mw: UsdPerMw = 20.0
    """Cost of a start, over the rating."""
    co2_kg_per_mwh: KilogramsPerMwh = 550.0
    """Emissions."""


class DerMix(Settings):
    """Distributed resources of one simulated feeder."""

    pv: PvSettings | None = None
    """Photovoltaics."""
    battery: BatterySettings | None = None
    """Batteries."""
    ev: EvSettings | None = None
    """Electric vehicles."""
    flexible: FlexibleSettings | None = None
    """A flexible load."""
    hvac: HvacSettings | None = None
    """Heat pumps or air conditioners."""
    water_heater: WaterHeaterSettings | None = None
    """Electric water heaters."""
    process: ProcessSettings | None = None
    """Flexible process loads."""
    generator: GeneratorSettings | None = None
    """Small generators."""
    participation: Share = 1.0
    """Share of the DERs that take part in markets; the others serve their own sites."""


DER_KINDS: tuple[str, ...] = tuple(name for name in DerMix.model_fields if name != "participation")
"""Every kind, in the order in which they stand at one load."""

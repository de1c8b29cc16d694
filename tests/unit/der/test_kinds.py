"""Each kind by itself: hand cases with their derivation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.core.der_settings import (
    BatterySettings,
    DerSettings,
    EvSettings,
    FlexibleSettings,
    GeneratorSettings,
    HvacSettings,
    ProcessSettings,
    PvSettings,
    WaterHeaterSettings,
)
from federates.der.catalog import DER_MODELS
from federates.der.ev import LATE_S, ManagedVehicles, expected_sessions, sessions
from federates.der.fleet import Fleet
from federates.der.generator import SmallGenerator, pays_to_run
from federates.der.hvac import WEATHER_SPREAD_C, Hvac
from federates.der.model import (
    DerModel,
    FleetState,
    Interval,
    Step,
    Surroundings,
    initial_state,
    plain_interval,
)
from federates.der.offer import PricePath
from federates.der.process import Process
from federates.der.thermal import UNITS
from federates.der.water_heater import WaterHeater
from tests.unit.der.builders import mix_of, row_feeder

HOUR_S, DAY_S = 3_600, 86_400
ROUNDING = 1e-9
"""kW and kWh of a few hundred, after some ten operations."""


def built(kind: str, settings: DerSettings) -> tuple[DerModel[Any], Fleet]:
    model = next(m for m in DER_MODELS if m.kind == kind)
    return model, model.build(settings, mix_of().placement(kind, row_feeder(), 3))


def around(
    devices: Fleet, t_s: int = 12 * HOUR_S, length_s: int = HOUR_S, *, sun: float = 0.5, level: float = 0.5
) -> Surroundings:
    return Surroundings(
        t_s=t_s,
        length_s=length_s,
        sun=np.full(len(devices), sun),
        profile=np.full(len(devices), np.nan),
        level=level,
    )


def with_energy(devices: Fleet, kwh: FloatArray | float) -> FleetState:
    return FleetState(energy_kwh=np.zeros(len(devices)) + kwh, p_kw=np.zeros(len(devices)))


def run(
    model: DerModel[Any],
    devices: Fleet,
    begin_s: int,
    end_s: int,
    length_s: int,
    asked_kw: float | None = None,
) -> tuple[FleetState, list[tuple[Interval, FloatArray, Step]]]:
    """Steps in a row: passive ones, or at the feasible power nearest to ``asked_kw``."""
    state, kept = initial_state(devices), []
    for t_s in range(begin_s, end_s, length_s):
        interval = model.actual(devices, around(devices, t_s, length_s))
        asked = model.passive_kw(devices, state, interval, np.zeros(len(devices)))
        if asked_kw is not None:
            asked = np.full(len(devices), asked_kw)
        p_kw = model.feasible(devices, state, interval).clip(asked)
        step = model.advance(devices, state, p_kw, interval)
        state = FleetState(energy_kwh=step.energy_kwh, p_kw=p_kw)
        kept.append((interval, p_kw, step))
    return state, kept


# -- photovoltaics --------------------------------------------------------------------------------------


def test_pv_yields_its_own_share_of_the_sun_and_a_forecast_does_not_know_it() -> None:
    model, devices = built("pv", PvSettings(power=1_500.0))
    comes, seen = model.actual(devices, around(devices)), model.expected(devices, around(devices), 0)
    assert comes.available_kw.sum() == pytest.approx(750.0)
    np.testing.assert_allclose(comes.available_kw, seen.available_kw * devices.yield_factor)
    assert np.ptp(devices.yield_factor) > 0.05
    full = model.actual(devices, around(devices, sun=1.0)).available_kw
    assert (full <= devices.power_kw).all()
    assert (full == devices.power_kw).any(), "the rating cuts the best units"


def test_pv_gives_no_more_than_its_rating_whatever_sun_it_is_told() -> None:
    model, devices = built("pv", PvSettings(power=1_500.0))
    for told, given in ((1.3, 1.0), (0.4, 0.4)):
        interval = plain_interval(HOUR_S, np.zeros(len(devices)), told * devices.power_kw)
        possible = model.feasible(devices, initial_state(devices), interval)
        np.testing.assert_allclose(possible.p_max_kw, given * devices.power_kw)
        assert not possible.p_min_kw.any()


def test_curtailed_sun_costs_what_is_stated() -> None:
    model, devices = built("pv", PvSettings(power=1_000.0, curtailment_cost=5.0))
    interval = model.expected(devices, around(devices), 0)
    assert model.curtailed_kw(devices, np.zeros(len(devices)), interval).sum() == pytest.approx(500.0)
    # half of 1 MW for an hour at 5 $/MWh
    assert model.cost_usd(devices, np.zeros(len(devices)), interval).sum() == pytest.approx(2.5)


# -- batteries ------------------------------------------------------------------------------------------


def test_a_battery_returns_the_square_of_its_efficiency_and_wears() -> None:
    model, devices = built("battery", BatterySettings(power=400.0, energy=800.0, efficiency=0.9, wear=4.0))
    interval = model.actual(devices, around(devices))
    state = with_energy(devices, 0.2 * devices.energy_kwh)
    charged = model.advance(devices, state, np.full(len(devices), -2.0), interval)
    assert charged.energy_kwh - state.energy_kwh == pytest.approx(1.8)
    assert charged.cost_usd == pytest.approx(0.004)  # half of 4 $/MWh on 2 kWh
    back = model.advance(
        devices, with_energy(devices, charged.energy_kwh), np.full(len(devices), 2.0 * 0.81), interval
    )
    assert back.energy_kwh == pytest.approx(state.energy_kwh)


@pytest.mark.parametrize(
    ("fill", "least", "most"),
    [
        # 40 kWh and 20 kW at 0.92: an hour at full power moves 18.4 kWh in, 21.7 kWh out
        (0.5, -20.0, 0.5 * 40 * 0.92),
        (0.1, -20.0, 0.1 * 40 * 0.92),
        (0.0, -20.0, 0.0),
        (0.95, -0.05 * 40 / 0.92, 20.0),
        (1.0, 0.0, 20.0),
    ],
)
def test_energy_limits_a_nearly_empty_or_full_battery(fill: float, least: float, most: float) -> None:
    model, devices = built("battery", BatterySettings(power=400.0, energy=800.0))
    # sites share by peak: bring every device to the mean of 20 kW and 40 kWh
    scale = devices.power_kw / 20.0
    possible = model.feasible(
        devices, with_energy(devices, fill * devices.energy_kwh), model.actual(devices, around(devices))
    )
    np.testing.assert_allclose(possible.p_min_kw / scale, least, atol=ROUNDING)
    np.testing.assert_allclose(possible.p_max_kw / scale, most, atol=ROUNDING)


def test_self_discharge_takes_its_share_of_a_day_in_any_steps() -> None:
    model, devices = built("battery", BatterySettings(power=400.0, energy=800.0, self_discharge_per_day=0.05))
    idle = 0.95 * devices.initial_kwh
    for length_s in (DAY_S, HOUR_S, 300):
        state, _ = run(model, devices, 0, DAY_S, length_s, asked_kw=0.0)
        np.testing.assert_allclose(state.energy_kwh, idle, rtol=1e-9)


def test_leaking_while_charging_is_the_exact_solution() -> None:
    """dx/dt = -a x + c from x0: c / a + (x0 - c / a) e^(-a h)."""
    model, devices = built("battery", BatterySettings(power=400.0, energy=800.0, self_discharge_per_day=0.5))
    a, c = math.log(2.0) / 24.0, 5.0 * 0.92
    interval = model.actual(devices, around(devices, length_s=2 * HOUR_S))
    step = model.advance(devices, with_energy(devices, 10.0), np.full(len(devices), -5.0), interval)
    np.testing.assert_allclose(step.energy_kwh, c / a + (10.0 - c / a) * math.exp(-2.0 * a), rtol=1e-12)


# -- flexible loads -------------------------------------------------------------------------------------


def test_a_flexible_load_follows_the_area_and_forgoes_its_least_valuable_half_first() -> None:
    model, devices = built("flexible", FlexibleSettings(share=0.15, value_of_use=30.0))
    interval = model.actual(devices, around(devices, level=0.5))
    assert interval.least_kw.sum() == pytest.approx(-0.5 * 0.15 * 2_000.0)
    # three quarters of 150 kW stop for an hour: 75 kWh at 30 $/MWh, 37.5 kWh at 60 $/MWh
    p_kw = 0.25 * interval.least_kw
    assert model.curtailed_kw(devices, p_kw, interval).sum() == pytest.approx(112.5)
    assert model.cost_usd(devices, p_kw, interval).sum() == pytest.approx(0.075 * 30.0 + 0.0375 * 60.0)


# -- vehicles -------------------------------------------------------------------------------------------


def test_a_vehicle_leaves_with_its_energy_however_late_its_aggregator_asks() -> None:
    model, devices = built("ev", EvSettings(count=80, charging="managed"))
    for asked_kw in (0.0, None):
        _, steps = run(model, devices, 0, 4 * DAY_S, 60, asked_kw=asked_kw)
        unserved = np.sum([step.unserved_kwh for *_, step in steps], axis=0)
        assert not unserved.any()
        leaves = [i.is_last & (i.due_kwh > 0.0) for i, *_ in steps]
        assert (np.sum(leaves, axis=0) >= 3).all(), "every vehicle left at least three times"
        held = np.concatenate([s.energy_kwh[last] for (*_, s), last in zip(steps, leaves, strict=True)])
        assert (held >= 48.0 - 1e-6).all()
        if asked_kw == 0.0:
            assert held == pytest.approx(np.full(held.size, 48.0)), "never more than the charger insisted on"


def test_energy_that_a_charger_cannot_give_is_reported() -> None:
    """A charger of 0.5 kW gives at most 0.92 * 0.5 kW through a night of some 13 hours, 6 kWh: less than the
    10 kWh of a day's trips, so that the shortfall grows day by day."""
    model, devices = built("ev", EvSettings(count=40, charging="managed", charger=0.5))
    _, steps = run(model, devices, 0, 4 * DAY_S, 300)
    by_day = np.sum([s.unserved_kwh for *_, s in steps], axis=1).reshape(4, -1).sum(axis=1)
    assert by_day[1] > 0.0
    assert by_day[3] > by_day[2] > by_day[1]
    lacks = np.array([s.unserved_kwh for *_, s in steps])
    level = np.array([s.energy_kwh for *_, s in steps])
    np.testing.assert_allclose(lacks[lacks > 0.0], 48.0 - level[lacks > 0.0])


@pytest.mark.parametrize("v2g", [False, True])
def test_only_vehicles_that_may_discharge_do(v2g: bool) -> None:
    model, devices = built("ev", EvSettings(count=40, charging="managed", v2g=v2g))
    _, steps = run(model, devices, 0, 2 * DAY_S, 300, asked_kw=1e3)
    most = np.max([p for _, p, _ in steps], axis=0)
    assert (most > 0.0).all() if v2g else not most.any()
    assert not np.sum([s.unserved_kwh for *_, s in steps]), "what was sold is bought again in time"


def test_nobody_plugs_in_before_coming_home_or_after_leaving() -> None:
    _, devices = built("ev", EvSettings(count=60, charging="managed"))
    model = ManagedVehicles()
    today, tomorrow = sessions(devices, 0), sessions(devices, 1)
    assert (today.departure_s < today.arrival_s).all()
    assert np.ptp(today.arrival_s) > HOUR_S
    for t_s in range(0, DAY_S, 900):
        plugged = model.actual(devices, around(devices, t_s, 900)).least_kw < 0.0
        home = (t_s + 900 <= today.departure_s) | (t_s >= today.arrival_s)
        assert np.array_equal(plugged, home & (t_s + 900 <= tomorrow.departure_s))


def test_trips_take_their_energy_whatever_the_steps() -> None:
    model, devices = built("ev", EvSettings(count=60, charging="managed"))
    for length_s in (60, 300, HOUR_S):
        flow = [
            model.actual(devices, around(devices, t, length_s)).flow_kw for t in range(0, DAY_S, length_s)
        ]
        used = -np.sum(flow, axis=0) * length_s / HOUR_S
        np.testing.assert_allclose(used, sessions(devices, 0).trip_kwh, rtol=1e-12)
    assert sessions(devices, 0).trip_kwh.mean() == pytest.approx(10.0, rel=0.2)


def test_a_forecast_of_vehicles_knows_who_has_come_and_nothing_of_who_has_not() -> None:
    _, devices = built("ev", EvSettings(count=60, charging="managed"))
    issue_s = 18 * HOUR_S
    actual, seen = sessions(devices, 0), expected_sessions(devices, 0, issue_s)
    here = actual.arrival_s <= issue_s
    assert 10 < here.sum() < 50
    assert np.array_equal(seen.arrival_s[here], actual.arrival_s[here])
    assert (seen.arrival_s[~here] == issue_s + LATE_S).all()
    tomorrow = expected_sessions(devices, 1, issue_s)
    assert np.array_equal(tomorrow.departure_s[here], sessions(devices, 1).departure_s[here])
    assert (tomorrow.departure_s[~here] == DAY_S + 7.5 * HOUR_S).all()


# -- rooms and tanks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "outdoor_c"), [("heat", 5.0), ("cool", 33.0)])
def test_a_room_without_its_machine_goes_the_way_of_the_closed_solution(mode: str, outdoor_c: float) -> None:
    """T(t) = T_out + (T_0 - T_out) e^(-t / (R C)) with R C = 4 h, one hour from the middle of the band."""
    settings = HvacSettings(count=30, mode=mode, outdoor_mean=outdoor_c, outdoor_swing=0.0, comfort_low=10.0,
                            comfort_high=30.0)  # fmt: skip
    model, devices = built("hvac", settings)
    units = devices.own[UNITS]
    assert units.sum() == 30.0
    interval = model.expected(devices, around(devices), 0)
    step = model.advance(devices, initial_state(devices), np.zeros(len(devices)), interval)
    held_c = step.energy_kwh / (2.0 * units)
    room_c = 10.0 + held_c if mode == "heat" else 30.0 - held_c
    time_constant_h = 1.0 / devices.leak_per_h
    np.testing.assert_allclose(room_c, outdoor_c + (20.0 - outdoor_c) * np.exp(-1.0 / time_constant_h))
    assert (np.abs(time_constant_h / 4.0 - 1.0) <= 0.1).all()
    assert np.ptp(time_constant_h) > 0.1, "sites differ in their insulation"


def test_a_machine_holds_its_room_with_the_power_of_the_steady_state() -> None:
    """To hold 21.5 against 8 degrees: 13.5 K / 2 K/kW / 2.5 = 2.7 kW a unit, within the 10 % of R."""
    model, devices = built("hvac", HvacSettings(count=30, mode="heat", outdoor_swing=0.0))
    interval = model.expected(devices, around(devices), 0)
    per_unit = -model.passive_kw(devices, initial_state(devices), interval, np.zeros(len(devices)))
    per_unit = per_unit / devices.own[UNITS]
    assert (per_unit <= 2.7 / 0.9 + ROUNDING).all()
    assert (per_unit >= 2.7 / 1.1 - ROUNDING).all()
    step = model.advance(devices, initial_state(devices), -per_unit * devices.own[UNITS], interval)
    np.testing.assert_allclose(step.energy_kwh, devices.initial_kwh)


def test_an_aggregator_cannot_push_a_room_out_of_its_band() -> None:
    model, devices = built("hvac", HvacSettings(count=30, mode="heat"))
    for asked_kw, edge in ((0.0, 0.0), (-1e6, 1.0)):
        state, steps = run(model, devices, 0, DAY_S, 300, asked_kw=asked_kw)
        assert not np.sum([s.outside_min for *_, s in steps])
        np.testing.assert_allclose(state.energy_kwh, edge * devices.energy_kwh, atol=1e-6)


def test_minutes_outside_the_band_are_counted_for_every_unit() -> None:
    """A machine of 0.1 kW gives 0.25 kW of heat, which holds the room at 8.5 degrees at most: after the room
    has cooled past 20 degrees every unit is outside for the rest of the day."""
    cold = HvacSettings.model_construct(count=30, mode="heat", unit_kw=0.1, outdoor_swing_c=0.0)
    model, devices = built("hvac", cold)
    _, steps = run(model, devices, 0, DAY_S, 300)
    outside = np.array([s.outside_min for *_, s in steps])
    below = np.array([s.energy_kwh for *_, s in steps]) < 0.0
    np.testing.assert_allclose(outside, np.where(below, 5.0 * devices.own[UNITS], 0.0))
    assert below[-1].all()
    assert outside.sum() > 30 * 60 * 20


def test_weather_departs_from_its_forecast_once_a_day_and_within_its_spread() -> None:
    _, devices = built("hvac", HvacSettings(count=30, mode="heat"))
    model = Hvac()
    errors = []
    for day in range(20):
        comes, seen = (
            ask(day)
            for ask in (
                lambda d: model.actual(devices, around(devices, d * DAY_S + HOUR_S)),
                lambda d: model.expected(devices, around(devices, d * DAY_S + HOUR_S), 0),
            )
        )
        warmer_c = (comes.flow_kw - seen.flow_kw) / devices.leak_per_h / (2.0 * devices.own[UNITS])
        np.testing.assert_allclose(warmer_c, warmer_c[0])
        errors.append(float(warmer_c[0]))
    assert max(map(abs, errors)) <= WEATHER_SPREAD_C
    assert np.ptp(errors) > 0.5


def test_hot_water_of_a_day_is_drawn_and_expected() -> None:
    _, devices = built("water_heater", WaterHeaterSettings(count=60, daily_draw=10.0))
    model, units = WaterHeater(), devices.own[UNITS]
    idle = -units / 500.0 * (45.0 - 20.0)
    for length_s in (60, HOUR_S):
        comes, seen = np.zeros(len(devices)), np.zeros(len(devices))
        for t_s in range(0, DAY_S, length_s):
            place = around(devices, t_s, length_s)
            comes -= (model.actual(devices, place).flow_kw - idle) * length_s / HOUR_S
            seen -= (model.expected(devices, place, 0).flow_kw - idle) * length_s / HOUR_S
        np.testing.assert_allclose(seen, 10.0 * units, rtol=1e-9)
        assert comes.sum() == pytest.approx(600.0, rel=0.05)
        assert np.ptp(comes / units) > 0.5


def test_a_tank_keeps_hot_and_counts_minutes_when_it_cannot() -> None:
    model, devices = built("water_heater", WaterHeaterSettings(count=60))
    _, steps = run(model, devices, 0, DAY_S, 300)
    assert not np.sum([s.outside_min for *_, s in steps])
    weak, few = built("water_heater", WaterHeaterSettings(count=60, unit=0.2))
    _, steps = run(weak, few, 0, DAY_S, 300)  # 4.8 kWh a day against 10 kWh drawn
    assert np.sum([s.outside_min for *_, s in steps]) > 0.0


# -- processes ------------------------------------------------------------------------------------------


def test_a_process_uses_the_energy_of_its_day_inside_its_window_and_not_more() -> None:
    model, devices = built("process", ProcessSettings(power=100.0, daily_energy=500.0))
    _, steps = run(model, devices, 0, 2 * DAY_S, 300)
    power = np.array([p for _, p, _ in steps]).reshape(2, 288, -1)
    wanted = np.array([i.due_kwh for i, *_ in steps]).reshape(2, 288, -1).max(axis=1)
    np.testing.assert_allclose(-power.sum(axis=1) / 12.0, wanted, rtol=1e-9)
    assert not power[:, : 8 * 12].any()
    assert not power[:, 18 * 12 :].any()
    assert not np.sum([s.unserved_kwh for *_, s in steps])
    assert (np.abs(wanted / wanted.mean(axis=0) - 1.0) > 0.01).any(), "days differ"


def test_a_process_that_is_held_back_forgoes_its_energy_at_its_value_of_use() -> None:
    settings = ProcessSettings(power=100.0, daily_energy=500.0, value_of_use=150.0)
    model, devices = built("process", settings)
    _, steps = run(model, devices, 0, DAY_S, 300, asked_kw=0.0)
    unserved = np.sum([s.unserved_kwh for *_, s in steps])
    wanted = np.max([i.due_kwh for i, *_ in steps], axis=0).sum()
    assert 400.0 <= unserved <= 600.0
    assert unserved == pytest.approx(wanted)
    assert np.sum([s.cost_usd for *_, s in steps]) == pytest.approx(0.15 * unserved)


def test_the_order_of_a_day_is_known_when_its_window_opens_and_not_before() -> None:
    _, devices = built("process", ProcessSettings(power=100.0, daily_energy=500.0))
    model = Process()
    noon = around(devices, 12 * HOUR_S)
    comes = model.actual(devices, noon).due_kwh
    assert np.array_equal(model.expected(devices, noon, 8 * HOUR_S).due_kwh, comes)
    assert model.expected(devices, noon, 8 * HOUR_S - 60).due_kwh.sum() == pytest.approx(500.0)
    assert abs(comes.sum() - 500.0) > 1.0


# -- generators -----------------------------------------------------------------------------------------


def generator_of(**values: float) -> tuple[SmallGenerator, Fleet]:
    settings = GeneratorSettings(**{"power": 100.0, "least_output": 0.3, "ramp_per_minute": 0.1} | values)
    return SmallGenerator(), built("generator", settings)[1]


@pytest.mark.parametrize(
    ("before_kw", "asked_kw", "held_kw"),
    [
        # 100 kW, at least 30 kW, 10 kW a minute, steps of one minute
        (0.0, 100.0, 30.0),  # starts to its least output
        (0.0, 14.0, 0.0),  # nearer to standing
        (0.0, 16.0, 30.0),  # nearer to running
        (30.0, 100.0, 40.0),
        (95.0, 200.0, 100.0),
        (80.0, 0.0, 70.0),  # comes down by its ramp
        (35.0, 0.0, 0.0),  # stops from its least output's reach
        (35.0, 32.0, 32.0),
    ],
)
def test_a_generator_stands_or_runs_within_its_ramp(
    before_kw: float, asked_kw: float, held_kw: float
) -> None:
    model, devices = generator_of()
    interval = model.actual(devices, around(devices, length_s=60))
    state = FleetState(energy_kwh=np.zeros(1), p_kw=np.array([before_kw]))
    p_kw = model.feasible(devices, state, interval).clip(np.array([asked_kw]))
    assert p_kw[0] == pytest.approx(held_kw)
    step = model.advance(devices, state, p_kw, interval)
    assert step.started[0] == float(before_kw == 0.0 and held_kw > 0.0)


def test_running_costs_fuel_and_a_start_and_emits() -> None:
    model, devices = generator_of(fuel_cost=60.0, start_cost=20.0, co2=550.0, ramp_per_minute=1.0)
    interval = model.actual(devices, around(devices))
    step = model.advance(devices, initial_state(devices), np.array([80.0]), interval)
    # 0.08 MWh at 60 $/MWh, a start of 100 kW at 20 $/MW; 0.08 MWh at 550 kg/MWh
    assert step.cost_usd[0] == pytest.approx(4.8 + 2.0)
    assert step.co2_kg[0] == pytest.approx(44.0)


@pytest.mark.parametrize(
    ("prices", "running", "runs"),
    [
        # 100 kW at 60 $/MWh, start 2 $: an hour at 79 earns 1.9 $, at 81 it earns 2.1 $
        ([79.0], False, False),
        ([81.0], False, True),
        ([79.0], True, True),
        ([79.0, 79.0], False, True),  # two hours pay one start
        ([59.0, 90.0], False, False),  # waits for the dear hour
        # on through a valley: 30 kW at a loss of 10 $/MWh cost 0.3 $, less than another start
        ([50.0, 90.0], True, True),
        ([50.0, 50.0], True, False),
        ([-60.0, 90.0], True, False),  # a deep valley costs 3.6 $, more than a start
    ],
)
def test_a_generator_runs_when_the_prices_ahead_pay_for_it(
    prices: list[float], running: bool, runs: bool
) -> None:
    _, devices = generator_of(fuel_cost=60.0, start_cost=20.0)
    path = PricePath(
        price_usd_per_mwh=np.array(prices), length_h=np.ones(len(prices)), terminal_usd_per_mwh=0.0
    )
    assert pays_to_run(devices, np.array([running]), path).tolist() == [runs]


def test_a_generator_that_does_not_pay_offers_nothing_and_one_that_does_its_range() -> None:
    model, devices = generator_of(fuel_cost=60.0, ramp_per_minute=1.0)
    interval = model.actual(devices, around(devices))
    for price, floor_kw, width_kw in ((50.0, 0.0, 0.0), (100.0, 30.0, 70.0)):
        path = PricePath(price_usd_per_mwh=np.full(3, price), length_h=np.ones(3), terminal_usd_per_mwh=price)
        blocks = model.offer(devices, initial_state(devices), interval, path)
        assert (blocks.floor_kw[0], blocks.width_kw[0, 0]) == pytest.approx((floor_kw, width_kw))

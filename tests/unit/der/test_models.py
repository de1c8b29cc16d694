"""The contract of every DER model in the list, and the laws that hold for all of them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federates.core.arrays import FloatArray
from federates.core.der_settings import DER_KINDS, DerMix, DerSettings
from federates.core.errors import ModelError
from federates.der.catalog import DER_MODELS, Behaviour, build_fleet
from federates.der.fleet import Fleet
from federates.der.model import (
    DerModel,
    FleetState,
    Interval,
    PricedModel,
    Step,
    StoreModel,
    Surroundings,
    initial_state,
)
from federates.der.offer import PricePath
from federates.der.store import idle_kwh
from tests.unit.der.builders import EVERY_KIND, row_feeder

FLEET = build_fleet(row_feeder(), EVERY_KIND, 3)
BEHAVIOUR = Behaviour(FLEET)
N = len(FLEET)
DAY_S = 86_400
NOISE = 1e-9
"""Rounding of sums of energies of up to a few hundred kWh. [kWh]"""
MODELS = pytest.mark.parametrize("model", DER_MODELS, ids=lambda m: m.kind)
STORES = pytest.mark.parametrize(
    "model", [m for m in DER_MODELS if isinstance(m, StoreModel)], ids=lambda m: m.kind
)
PRICED = pytest.mark.parametrize(
    "model", [m for m in DER_MODELS if isinstance(m, PricedModel)], ids=lambda m: m.kind
)


def devices_of(model: DerModel[Any]) -> Fleet:
    return FLEET.select(FLEET.of_kind(model.kind))


def around(t_s: int = 12 * 3_600, length_s: int = 300, n: int = N, sun: float = 0.6) -> Surroundings:
    return Surroundings(
        t_s=t_s, length_s=length_s, sun=np.full(n, sun), profile=np.full(n, np.nan), level=0.7
    )


def interval_of(model: DerModel[Any], t_s: int, length_s: int = 300) -> Interval:
    devices = devices_of(model)
    return model.actual(devices, around(t_s, length_s, len(devices)))


def state_of(model: DerModel[Any], fill: float, running: float = 0.0) -> FleetState:
    devices = devices_of(model)
    return FleetState(energy_kwh=fill * devices.energy_kwh, p_kw=running * devices.power_kw)


def test_the_list_has_the_kinds_of_the_settings_in_their_order() -> None:
    assert tuple(model.kind for model in DER_MODELS) == DER_KINDS
    for kind in DER_KINDS:
        (settings_of_kind,) = [
            a for a in get_args(DerMix.model_fields[kind].annotation) if a is not type(None)
        ]
        assert issubclass(settings_of_kind, DerSettings)
    assert set(FLEET.kind) == set(DER_KINDS), "the fleet of these tests has every kind"


@MODELS
def test_a_model_is_offered_at_a_price_of_its_own_or_at_the_worth_of_its_energy(model: DerModel[Any]) -> None:
    assert isinstance(model, PricedModel) != isinstance(model, StoreModel)
    assert isinstance(model, StoreModel) == (devices_of(model).energy_kwh > 0.0).all()


@MODELS
@given(
    t_s=st.integers(-1_440, 4_320).map(lambda m: 60 * m),
    length_s=st.sampled_from([60, 300, 3_600]),
    fill=st.floats(0.0, 1.0),
    running=st.sampled_from([0.0, 0.3, 0.55, 1.0]),
    share=st.floats(0.0, 1.0),
)
@settings(deadline=None, max_examples=60)
def test_any_power_of_the_range_can_be_held_and_bounds_are_kept(
    model: DerModel[Any], t_s: int, length_s: int, fill: float, running: float, share: float
) -> None:
    devices, interval = devices_of(model), interval_of(model, t_s, length_s)
    state = state_of(model, fill, running)
    possible = model.feasible(devices, state, interval)
    assert (possible.p_min_kw <= possible.p_max_kw).all()
    assert (np.abs(possible.p_min_kw) <= devices.power_kw * (1 + 1e-12)).all()
    assert (np.abs(possible.p_max_kw) <= devices.power_kw * (1 + 1e-12)).all()
    p_kw = possible.clip(possible.p_min_kw + share * (possible.p_max_kw - possible.p_min_kw))
    assert (np.hypot(p_kw, model.has_inverter * possible.q_max_kvar) <= devices.s_kva * (1 + 1e-12)).all()
    step = model.advance(devices, state, p_kw, interval)
    for field in fields(Step):
        values = getattr(step, field.name)
        assert values.shape == (len(devices),)
        assert np.isfinite(values).all()
    for counted in (step.unserved_kwh, step.outside_min, step.started, step.co2_kg):
        assert (counted >= 0.0).all()
    inside = (step.energy_kwh >= -NOISE) & (step.energy_kwh <= devices.energy_kwh + NOISE)
    assert (inside | (step.outside_min > 0.0)).all()


@MODELS
def test_power_outside_the_range_is_an_error_that_names_the_device(model: DerModel[Any]) -> None:
    devices, interval = devices_of(model), interval_of(model, 12 * 3_600)
    state = state_of(model, 0.5)
    p_kw = model.feasible(devices, state, interval).p_max_kw.copy()
    p_kw[1] += 1_000.0
    with pytest.raises(ModelError, match=devices.ids[1]):
        model.advance(devices, state, p_kw, interval)


@MODELS
def test_stepping_twice_from_one_state_is_stepping_once(model: DerModel[Any]) -> None:
    devices, interval = devices_of(model), interval_of(model, 18 * 3_600)
    state = state_of(model, 0.5, 0.5)
    before = (state.energy_kwh.tobytes(), state.p_kw.tobytes())
    p_kw = model.feasible(devices, state, interval).p_min_kw
    once, again = (model.advance(devices, state, p_kw, interval) for _ in range(2))
    assert (state.energy_kwh.tobytes(), state.p_kw.tobytes()) == before
    for field in fields(Step):
        assert getattr(once, field.name).tobytes() == getattr(again, field.name).tobytes()


@MODELS
def test_what_comes_hangs_on_seeds_and_not_on_names_or_company(model: DerModel[Any]) -> None:
    """The same devices under other names, and half of them alone: same bytes. Another seed: others."""
    renamed = build_fleet(row_feeder(prefix="zz"), EVERY_KIND, 3)
    renamed = renamed.select(renamed.of_kind(model.kind))
    devices = devices_of(model)
    assert renamed.ids != devices.ids
    half = np.arange(len(devices)) % 2 == 0
    comes = whole_day(model, devices)
    assert whole_day(model, renamed).tobytes() == comes.tobytes()
    assert (
        whole_day(model, devices.select(half)).tobytes() == np.ascontiguousarray(comes[:, :, half]).tobytes()
    )
    if model.kind in {"ev", "hvac", "water_heater", "process"}:
        other = build_fleet(row_feeder(), EVERY_KIND, 4)
        other = other.select(other.of_kind(model.kind))
        n = min(len(other), len(devices))
        assert not np.array_equal(whole_day(model, other)[:, :, :n], comes[:, :, :n])


def whole_day(model: DerModel[Any], devices: Fleet) -> FloatArray:
    """Bounds, gain and demand of every quarter of an hour, shape (96, 4, ders)."""
    comes = [model.actual(devices, around(900 * k, 900, len(devices))) for k in range(96)]
    return np.stack([np.stack([i.least_kw, i.available_kw, i.flow_kw, i.due_kwh]) for i in comes])


@STORES
def test_energy_of_a_day_is_conserved(model: DerModel[Any]) -> None:
    """What went in at the terminals, times the efficiencies, plus what was gained, less what leaked, is what
    the store holds more than at the start; nothing else may appear, least of all by clipping."""
    devices = devices_of(model)
    state = initial_state(devices)
    rng = np.random.default_rng(5)
    moved = 0.0
    for t_s in range(0, DAY_S, 300):
        interval = model.actual(devices, around(t_s, 300, len(devices)))
        possible = model.feasible(devices, state, interval)
        p = possible.clip(rng.uniform(possible.p_min_kw, possible.p_max_kw))
        moved += np.abs(p).sum()
        after = model.advance(devices, state, p, interval).energy_kwh
        terminals = -p * np.where(p < 0.0, devices.charge_efficiency, 1.0 / devices.discharge_efficiency)
        kept = 1.0 - np.exp(-devices.leak_per_h * interval.hours)
        weight = np.divide(kept, devices.leak_per_h, out=np.full_like(kept, interval.hours), where=kept > 0.0)
        begin = np.where(interval.fresh, 0.0, state.energy_kwh)
        change = terminals * weight + interval.flow_kw * weight - begin * kept
        np.testing.assert_allclose(after, np.clip(begin + change, *bounds(model, devices)), atol=1e-8)
        state = FleetState(energy_kwh=after, p_kw=p)
    assert moved > 0.0


def bounds(model: DerModel[Any], devices: Fleet) -> tuple[FloatArray | float, FloatArray | float]:
    """Levels that a model cannot leave: rooms and tanks can, which is then counted."""
    if model.kind in {"hvac", "water_heater"}:
        return -np.inf, np.inf
    return 0.0, np.full(len(devices), np.inf) if model.kind == "process" else devices.energy_kwh


def test_passive_devices_go_through_two_days_and_everything_is_counted() -> None:
    state, site = initial_state(FLEET), np.full(N, 3.0)
    minutes = np.zeros(N)
    unserved = np.zeros(N)
    for t_s in range(0, 2 * DAY_S, 300):
        interval = BEHAVIOUR.actual(around(t_s, 300, sun=0.4))
        p = BEHAVIOUR.feasible(state, interval).clip(BEHAVIOUR.passive_kw(state, interval, site))
        state, step = BEHAVIOUR.advance(state, p, interval)
        minutes += step.outside_min
        unserved += step.unserved_kwh
    assert not unserved[FLEET.of_kind("ev")].any(), "a night is long enough for every vehicle"
    assert not unserved[FLEET.of_kind("process")].any()
    assert not minutes[FLEET.of_kind("hvac")].any(), "the machines are large enough for this weather"


@PRICED
@given(
    t_s=st.integers(0, 47).map(lambda k: 1_800 * k), fill=st.floats(0.0, 1.0), price=st.floats(-50.0, 300.0)
)
@settings(deadline=None, max_examples=30)
def test_priced_offers_lie_within_what_is_feasible(
    model: PricedModel[Any], t_s: int, fill: float, price: float
) -> None:
    devices = devices_of(model)
    interval = model.expected(devices, around(t_s, 300, len(devices)), t_s - 180)
    state = state_of(model, fill, fill if fill > 0.3 else 0.0)
    path = PricePath(
        price_usd_per_mwh=np.full(6, price), length_h=np.full(6, 1.0), terminal_usd_per_mwh=price
    )
    blocks = model.offer(devices, state, interval, path)
    assert blocks.width_kw.shape == blocks.price_usd_per_mwh.shape == (len(devices), model.blocks_count)
    possible = model.feasible(devices, state, interval)
    assert (blocks.floor_kw >= possible.p_min_kw - NOISE).all()
    assert (blocks.floor_kw + blocks.width_kw.sum(axis=1) <= possible.p_max_kw + NOISE).all()
    assert (blocks.width_kw >= 0.0).all()
    assert (np.diff(blocks.price_usd_per_mwh, axis=1) >= 0.0).all()


def test_a_fleet_answers_kind_by_kind() -> None:
    interval, state = BEHAVIOUR.actual(around()), initial_state(FLEET)
    possible = BEHAVIOUR.feasible(state, interval)
    for model in DER_MODELS:
        own = FLEET.of_kind(model.kind)
        alone = model.feasible(
            devices_of(model), state_of_fleet(state, own), interval.of(np.flatnonzero(own))
        )
        assert possible.p_min_kw[own].tobytes() == alone.p_min_kw.tobytes()
        assert possible.p_max_kw[own].tobytes() == alone.p_max_kw.tobytes()


def state_of_fleet(state: FleetState, own: np.ndarray) -> FleetState:
    return state.of(np.flatnonzero(own))


def test_an_empty_fleet_answers_with_nothing() -> None:
    none = Behaviour(FLEET.select(np.zeros(N, dtype=np.bool_)))
    interval = none.actual(around(n=0))
    possible = none.feasible(initial_state(none.fleet), interval)
    assert interval.length_s == 300
    assert possible.p_min_kw.shape == (0,)


def test_only_inverters_give_reactive_power() -> None:
    q = BEHAVIOUR.reactive_kvar(np.zeros(N), np.full(N, 1e6))
    inverter = np.isin(np.array(FLEET.kind), ["pv", "battery", "ev"])
    assert q[inverter] == pytest.approx(FLEET.s_kva[inverter])
    assert not q[~inverter].any()


def test_a_store_left_alone_keeps_what_it_has_but_for_leak_and_gain() -> None:
    hour = BEHAVIOUR.actual(around(length_s=3_600))
    state = initial_state(FLEET)
    battery = FLEET.of_kind("battery")
    assert idle_kwh(FLEET, state, hour)[battery] == pytest.approx(FLEET.initial_kwh[battery], rel=1e-15)

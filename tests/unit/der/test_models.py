"""The contract of every DER model, and what each adds to it."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.errors import ModelError
from federates.der.battery import self_consume
from federates.der.catalog import DER_MODELS, advance, feasible
from federates.der.fleet import KINDS, Fleet, build_fleet, load_nodes
from federates.der.flexible import demand_kw
from federates.der.model import DerModel, Interval
from federates.der.pv import available_kw, expected_kw
from tests.unit.der.builders import EVERYTHING, row_feeder

FLEET = build_fleet(row_feeder(), EVERYTHING, 3)


def devices_of(model: DerModel) -> Fleet:
    return FLEET.select(FLEET.of_kind(model.kind))


def interval_for(devices: Fleet, length_s: int = 300) -> Interval:
    return Interval(length_s=length_s, limit_kw=0.6 * devices.power_kw)


def test_list_names_every_kind_once() -> None:
    assert sorted(model.kind for model in DER_MODELS) == sorted(KINDS)


@pytest.mark.parametrize("model", DER_MODELS, ids=lambda m: m.kind)
@pytest.mark.parametrize("fill", [0.0, 0.3, 1.0])
def test_both_ends_of_the_range_can_be_held_and_keep_energy_in_bounds(model: DerModel, fill: float) -> None:
    devices = devices_of(model)
    interval = interval_for(devices, 3_600)
    soc = fill * devices.energy_kwh
    possible = model.feasible(devices, soc, interval)
    assert (possible.p_min_kw <= possible.p_max_kw).all()
    assert (np.hypot(devices.power_kw, possible.q_max_kvar) <= devices.s_kva * (1 + 1e-12)).all()
    for p_kw in (possible.p_min_kw, possible.p_max_kw):
        after = model.advance(devices, soc, p_kw, interval)
        assert (after >= 0.0).all()
        assert (after <= devices.energy_kwh).all()


@pytest.mark.parametrize("model", DER_MODELS, ids=lambda m: m.kind)
def test_power_outside_the_range_is_an_error_that_names_the_device(model: DerModel) -> None:
    devices = devices_of(model)
    interval = interval_for(devices)
    soc = devices.initial_kwh
    p_kw = model.feasible(devices, soc, interval).p_max_kw.copy()
    p_kw[1] += 1.0
    with pytest.raises(ModelError, match=devices.ids[1]):
        model.advance(devices, soc, p_kw, interval)


@pytest.mark.parametrize("model", DER_MODELS, ids=lambda m: m.kind)
def test_advancing_is_a_function_of_its_arguments_alone(model: DerModel) -> None:
    devices = devices_of(model)
    interval = interval_for(devices)
    soc = devices.initial_kwh.copy()
    p_kw = model.feasible(devices, soc, interval).p_min_kw
    once = model.advance(devices, soc, p_kw, interval)
    again = model.advance(devices, soc, p_kw, interval)
    assert (soc == devices.initial_kwh).all()
    assert once.tobytes() == again.tobytes()


def test_battery_returns_the_square_of_its_efficiency() -> None:
    battery = next(m for m in DER_MODELS if m.kind == "battery")
    devices = devices_of(battery)
    hour = Interval(length_s=3_600, limit_kw=np.zeros(len(devices)))
    soc = 0.2 * devices.energy_kwh
    charged = battery.advance(devices, soc, np.full(len(devices), -2.0), hour)
    back = battery.advance(devices, charged, np.full(len(devices), 2.0 * 0.92**2), hour)
    assert (charged - soc) == pytest.approx(2.0 * 0.92)
    assert back == pytest.approx(soc)


def test_nearly_empty_battery_is_limited_by_energy_not_rating() -> None:
    battery = next(m for m in DER_MODELS if m.kind == "battery")
    devices = devices_of(battery)
    hour = Interval(length_s=3_600, limit_kw=np.zeros(len(devices)))
    possible = battery.feasible(devices, 0.1 * devices.energy_kwh, hour)
    assert (possible.p_max_kw < devices.power_kw).all()
    assert possible.p_max_kw == pytest.approx(0.092 * devices.energy_kwh)
    assert possible.p_min_kw == pytest.approx(-devices.power_kw)


def test_fleet_wide_answers_are_those_of_the_models() -> None:
    interval = Interval(length_s=300, limit_kw=0.5 * FLEET.power_kw)
    possible = feasible(FLEET, FLEET.initial_kwh, interval)
    pv, flexible, battery = (FLEET.of_kind(kind) for kind in ("pv", "flexible", "battery"))
    assert possible.p_max_kw[pv] == pytest.approx(0.5 * FLEET.power_kw[pv])
    assert possible.p_min_kw[flexible] == pytest.approx(-0.5 * FLEET.power_kw[flexible])
    after = advance(FLEET, FLEET.initial_kwh, possible.p_min_kw, interval)
    assert (after[battery] > FLEET.initial_kwh[battery]).all()
    assert not after[~battery].any()


def test_pv_follows_its_profile_up_to_the_rating() -> None:
    devices = FLEET.select(FLEET.of_kind("pv"))
    profile = np.array([0.0, 0.5, 1.0])
    actual = available_kw(devices, profile)
    assert not actual[0].any()
    assert actual[1].sum() == pytest.approx(expected_kw(devices, profile)[1].sum())
    assert (actual[2] <= devices.power_kw).all()
    assert (actual[2] == devices.power_kw).any(), "the rating cuts the best units"


def test_pv_gives_no_more_than_its_rating_whatever_the_sun() -> None:
    devices = FLEET.select(FLEET.of_kind("pv"))
    pv = next(m for m in DER_MODELS if m.kind == "pv")
    for sun, share in ((1.3, 1.0), (0.4, 0.4)):
        interval = Interval(length_s=300, limit_kw=sun * devices.power_kw)
        possible = pv.feasible(devices, devices.initial_kwh, interval)
        assert possible.p_max_kw == pytest.approx(share * devices.power_kw)
        assert not possible.p_min_kw.any()


def consume(sun: float, load_kw: float, fill: float) -> tuple[np.ndarray, np.ndarray]:
    """Set-points at a share of PV and an equal demand at every load; net draw of each node."""
    feeder = row_feeder()
    limit = np.where(FLEET.of_kind("pv"), sun * FLEET.power_kw, 0.3 * FLEET.power_kw)
    possible = feasible(FLEET, fill * FLEET.energy_kwh, Interval(length_s=300, limit_kw=limit))
    nodes = load_nodes(feeder)
    p_kw = self_consume(FLEET, limit, np.full(nodes.size, load_kw), nodes, possible)
    net = np.full(nodes.size, load_kw)
    np.subtract.at(net, FLEET.node, p_kw)
    return p_kw, net


def test_self_consumption_never_charges_from_the_grid_nor_exports_stored_energy() -> None:
    battery = FLEET.of_kind("battery")
    noon, net_noon = consume(1.0, 5.0, 0.5)
    assert (noon[battery] < 0.0).all()
    assert (net_noon[FLEET.node[battery]] <= 1e-9).all()
    night, net_night = consume(0.0, 5.0, 0.5)
    assert (night[battery] > 0.0).all()
    assert (net_night[FLEET.node[battery]] >= -1e-9).all()
    assert net_night[FLEET.node[battery]] == pytest.approx(0.0, abs=1e-9)


def test_full_battery_lets_the_surplus_go() -> None:
    p_kw, net = consume(1.0, 5.0, 1.0)
    battery = FLEET.of_kind("battery")
    assert not p_kw[battery].any()
    assert (net[FLEET.node[battery]] < 0.0).all()


def test_flexible_demand_follows_the_area() -> None:
    devices = FLEET.select(FLEET.of_kind("flexible"))
    assert demand_kw(devices, np.array([0.5]))[0] == pytest.approx(0.5 * devices.power_kw)

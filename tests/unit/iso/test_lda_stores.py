"""Stores that areas offer beside their curves: hand cases, and the ISO's own stores as the reference."""

from __future__ import annotations

import numpy as np
import pytest

from federates.cases.rows import UnitRow
from federates.core.arrays import FloatArray
from federates.core.curve import fixed_quantity
from federates.core.errors import CodecError
from federates.core.messages import ImportLimits, StorageOffer
from federates.iso.day_ahead import DayAhead
from federates.iso.lda_stores import LdaStores, stores_of
from federates.iso.network import market_network
from federates.iso.scuc import Scuc
from tests.unit.iso.test_scuc import bids, one_bus, state, thermal

EXACT = 1e-5


def store(hours: int, **change: object) -> LdaStores:
    """One store of 30 MW and 40 MWh, empty and without losses, in the only area."""
    flat = np.full((hours, 1), 30.0)
    given: dict[str, object] = {
        "curve": np.zeros(1, dtype=np.int64),
        "charge_mw": flat,
        "discharge_mw": flat,
        "least_mwh": np.zeros((hours, 1)),
        "most_mwh": np.full((hours, 1), 40.0),
        "begin_mwh": np.zeros(1),
        "kept_share": np.ones(1),
        "charge_efficiency": np.ones(1),
        "discharge_efficiency": np.ones(1),
        "wear_usd_per_mwh": np.full(1, 4.0),
        "end_usd_per_mwh": np.zeros(1),
        "import_least_mw": np.full((hours, 1), -np.inf),
        "import_greatest_mw": np.full((hours, 1), np.inf),
        **change,
    }
    return LdaStores(**given)  # type: ignore[arg-type]


def cleared(import_mw: list[float], stores: LdaStores, **more: object) -> DayAhead:
    """A base unit of 100 MW at 10 $/MWh and a peaker at 50, all the load in one area."""
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 0.0, 100.0, 50.0))
    hours = len(import_mw)
    market = Scuc(
        market_network(case), case.units, hours=hours, curve_bus=np.array([0]), curve_slots=np.array([2])
    )
    curves = (tuple(fixed_quantity(p) for p in import_mw),)
    day = bids(case, [0.0] * hours, curves=curves, lda_stores=stores, **more)
    on = np.ones((hours, 2), dtype=np.bool_)
    return market.clear(day, state(case, [True, True], [100.0, 0.0]), on)


def test_energy_goes_from_the_cheap_hour_to_the_dear_one() -> None:
    """20 MW of the base unit are spare in hour 0 and save 20 MW of the peaker in hour 1:
    1000 + 1000 + 10 x 50 $ of energy, and 20 MWh of wear at 4 $."""
    day = cleared([80.0, 130.0], store(2))
    np.testing.assert_allclose(day.lda_store_mw[:, 0], [20.0, -20.0], atol=EXACT)
    np.testing.assert_allclose(day.curve_mw[:, 0], [100.0, 110.0], atol=EXACT)
    assert day.objective_usd == pytest.approx(2_500.0 + 80.0, abs=EXACT)


def test_an_area_imports_no_more_than_its_feeders_carry_with_its_stores() -> None:
    """At most 90 MW in hour 0: 10 MWh are moved, 900 + 1000 + 20 x 50 $ of energy, 10 MWh of wear."""
    limit = np.array([[90.0], [np.inf]])
    day = cleared([80.0, 130.0], store(2, import_greatest_mw=limit))
    np.testing.assert_allclose(day.curve_mw[:, 0], [90.0, 120.0], atol=EXACT)
    assert day.objective_usd == pytest.approx(2_900.0 + 40.0, abs=EXACT)


def test_losses_of_storing_are_paid() -> None:
    """Of 20 MWh drawn, 0.8 are stored, half of that is left after an hour, 0.5 of that is delivered: 4 MWh.
    They save 4 x 40 $ against 20 MWh drawn at 10 $: nothing is moved. What is there before, 40 MWh, is halved
    twice in the hours, and 0.5 of it is delivered."""
    lossy = {
        "kept_share": np.full(1, 0.5),
        "charge_efficiency": np.full(1, 0.8),
        "discharge_efficiency": np.full(1, 0.5),
        "wear_usd_per_mwh": np.zeros(1),
    }
    assert np.abs(cleared([80.0, 130.0], store(2, **lossy)).lda_store_mw).max() <= EXACT
    full = cleared([80.0, 130.0], store(2, begin_mwh=np.full(1, 40.0), **lossy))
    np.testing.assert_allclose(full.lda_store_mw[:, 0], [0.0, -5.0], atol=EXACT)


@pytest.mark.parametrize(("worth", "left"), [(7.0, 0.0), (9.0, 20.0), (30.0, 30.0), (60.0, 40.0)])
def test_what_is_left_has_the_worth_that_is_stated(worth: float, left: float) -> None:
    """5 MW are cheap in each of two hours, 20 MWh are there. A MWh used saves 10 - 2 $, wear included; one
    stored costs 10 + 2 $ while cheap energy lasts, 50 + 2 $ beyond it."""
    day = cleared([95.0, 95.0], store(2, begin_mwh=np.full(1, 20.0), end_usd_per_mwh=np.full(1, worth)))
    assert 20.0 + day.lda_store_mw.sum() == pytest.approx(left, abs=EXACT)


def test_a_store_does_not_waste_energy_by_charging_and_discharging_at_once() -> None:
    """100 MW must be taken where 80 are drawn; a full store could burn the rest if it did both."""
    full = store(
        1,
        begin_mwh=np.full(1, 40.0),
        charge_efficiency=np.full(1, 0.8),
        discharge_efficiency=np.full(1, 0.8),
        least_mwh=np.full((1, 1), 40.0),
    )
    must_take = np.array([True, False])
    available = np.array([[100.0, 0.0]])
    day = cleared([80.0], full, must_take=must_take, available_mw=available)
    assert day.prices.lmp_usd_per_mwh[0, 0] < 0.0
    assert day.surplus_mw.sum() == pytest.approx(20.0, abs=EXACT)
    assert np.abs(day.lda_store_mw).max() <= EXACT


@pytest.mark.parametrize("load", [[80.0, 130.0, 60.0, 150.0], [140.0, 90.0, 130.0, 60.0]])
def test_a_store_of_an_area_earns_what_a_store_of_the_iso_does(load: list[float]) -> None:
    """The ISO's own storage begins half full, ends no emptier, has one efficiency both ways and no wear."""
    eta = 0.9
    unit = UnitRow(
        id="S",
        bus=0,
        kind="storage",
        p_max_mw=30.0,
        ramp_mw_per_min=1e3,
        charge_mw=30.0,
        energy_mwh=40.0,
        round_trip=eta**2,
    )
    case = one_bus(thermal("B", 0.0, 100.0, 10.0), thermal("P", 0.0, 100.0, 50.0), unit)
    market = Scuc(market_network(case), case.units, hours=len(load))
    on = np.ones((len(load), 3), dtype=np.bool_)
    own = market.clear(bids(case, load), state(case, [True, True, True], [100.0, 0.0, 0.0]), on)
    least: FloatArray = np.zeros((len(load), 1))
    least[-1] = 20.0
    day = cleared(
        load,
        store(
            len(load),
            begin_mwh=np.full(1, 20.0),
            least_mwh=least,
            charge_efficiency=np.full(1, eta),
            discharge_efficiency=np.full(1, eta),
            wear_usd_per_mwh=np.zeros(1),
        ),
    )
    assert np.abs(day.lda_store_mw).max() > 1.0
    assert day.objective_usd == pytest.approx(own.objective_usd, abs=1e-3)


def offered(hours: int = 24) -> tuple[StorageOffer, ImportLimits]:
    """A store and limits of one area."""
    flat = np.ones(hours)
    one = StorageOffer(
        interval_s=0,
        length_s=3_600,
        charge_mw=3.0 * flat,
        discharge_mw=2.0 * flat,
        most_mwh=8.0 * flat,
        begin_mwh=1.5,
        kept_share=0.99,
        charge_efficiency=0.95,
        discharge_efficiency=0.9,
        wear_usd_per_mwh=4.0,
        end_usd_per_mwh=30.0,
    )
    limits = ImportLimits(interval_s=0, length_s=3_600, least_mw=-5.0 * flat, greatest_mw=7.0 * flat)
    return one, limits


def test_a_store_belongs_to_the_curve_of_its_area_and_areas_without_one_are_not_limited() -> None:
    one, limits = offered()
    stores = stores_of({1: one}, {1: limits}, 3)
    assert stores.curve.tolist() == [1]
    assert (stores.begin_mwh[0], stores.kept_share[0], stores.end_usd_per_mwh[0]) == (1.5, 0.99, 30.0)
    assert (stores.charge_mw[5, 0], stores.discharge_mw[5, 0], stores.most_mwh[5, 0]) == (3.0, 2.0, 8.0)
    assert stores.import_least_mw[0].tolist() == [-np.inf, -5.0, -np.inf]
    assert stores.import_greatest_mw[0].tolist() == [np.inf, 7.0, np.inf]


def test_a_store_that_does_not_cover_the_day_is_refused() -> None:
    one, limits = offered(23)
    with pytest.raises(CodecError, match="store of area 0 does not cover the 24 hours"):
        stores_of({0: one}, {0: limits}, 1)


def test_limits_that_cross_are_refused() -> None:
    with pytest.raises(CodecError, match="lies above the greatest"):
        store(2, least_mwh=np.full((2, 1), 50.0))

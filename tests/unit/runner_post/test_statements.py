"""What a comparison says of money below the interface, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federates.core import tables as t
from runner.post.metrics.catalog import METRICS
from runner.post.metrics.metric import Measured, measured
from runner.post.metrics.statements import Earning, customer_prices, earnings, gini, jain
from runner.post.run_tables import RunTables
from tests.unit.runner_post.run_folders import record, run_folder

POINTS = {
    "a/der/f_pv_1/pv": ("f_1.1", 1.0, 50.0),
    "a/der/f_pv_2/pv": ("f_2.1", 1.0, 100.0),
    "a/der/f_store/battery": ("f_9.1.2.3", 0.0, 200.0),
    "a/load/f_1/load": ("f_1.1", 1.0, 10.0),
    "a/load/f_2/load": ("f_2.1", 1.0, 10.0),
}
"""Place, whether a load stands at the bus, and size of each meter."""
LINES = {
    "a/der/f_pv_1/energy": (0.01, 30.0, 0.30, 0.3),
    "a/der/f_pv_2/energy": (0.02, 40.0, 0.80, 0.8),
    "a/der/f_store/energy": (-0.05, 30.0, -1.50, -1.5),
    "a/load/f_1/energy": (-0.1, 30.0, -3.00, -3.0),
    "a/load/f_2/energy": (-0.3, 40.0, -12.00, -12.0),
    "a/load/f_1/network": (-0.1, -5.0, 0.50, 0.496),
    "a/load/f_2/network": (-0.3, -5.0, 1.50, 1.504),
}
"""MWh, price, cents and exact amount of each line."""


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """An hour of LDA ``a``, ten times at its interface; its books hold 300 $ of import and 20 of rents."""
    return with_statements(run_folder(tmp_path / "run"))


def with_statements(folder: Path, settled_with: str = "dso") -> Path:
    """Record meters, lines, books and the ISO's statements."""
    place, has_load, rated = zip(*POINTS.values(), strict=True)
    columns = {"has_load": list(has_load), "rated_kw": list(rated)}
    record(folder, t.METER_POINT, [(0, name) for name in POINTS], columns, text=place)
    names = ("quantity_mwh", "price_usd_per_mwh", "amount_usd", "exact_usd")
    values = dict(zip(names, map(list, zip(*LINES.values(), strict=True)), strict=True))
    who = [settled_with if "/der/" in name else "dso" for name in LINES]
    record(folder, t.STATEMENT, [(0, name) for name in LINES], values, text=who)
    units = [(0, f"a/{name}/{who}") for name, who in (("f_pv_1", "x"), ("f_pv_2", "x"), ("f_store", "y"))]
    record(folder, t.DER_UNIT, units, {}, text=("", "ann", ""))
    books = {"purchase_usd": [-300.0], "thermal_rent_usd": [15.0], "loss_surplus_usd": [5.0]}
    record(folder, t.LDA_ACCOUNT, [(0, "a")], {**books, "unexplained_usd": [-0.002]})
    record(folder, t.ACCOUNT, [(0, "real_time")], {"unexplained_usd": [0.001]})
    paid = {"lda/a/day_ahead/energy": -310.0, "lda/a/real_time/loss_share": 4.0, "lda/a/real_time/spin": 7.0}
    paid |= {"der/agg_a_x/real_time/energy": 15.0} if settled_with == "aggregator" else {}
    record(folder, t.SETTLEMENT, [(0, name) for name in paid], {"amount_usd": list(paid.values())})
    return folder


def found(run_dir: Path, key: str) -> Measured:
    return measured(RunTables(run_dir), [METRICS[key]])[key]


def value(run_dir: Path, key: str) -> float:
    one = found(run_dir, key)
    assert one.value is not None, one.why_not
    return one.value


def test_what_customers_bear_is_what_their_dso_and_the_iso_are_paid(run_dir: Path) -> None:
    """Energy 150, network -20; the ISO asks 299 where energy at the real-time LMP was 300; 149 - 20 - 1."""
    assert value(run_dir, "customer_energy_usd") == pytest.approx(150.0)
    assert value(run_dir, "customer_network_usd") == pytest.approx(-20.0)
    assert value(run_dir, "customer_forward_usd") == pytest.approx(-1.0)
    assert value(run_dir, "customer_bill_usd") == pytest.approx(129.0)
    assert value(run_dir, "distribution_rent_usd") == pytest.approx(20.0)
    assert value(run_dir, "settlement_unexplained_usd") == pytest.approx(0.003)


def test_ders_earn_by_kind_side_aggregator_owner_and_product(run_dir: Path) -> None:
    rows = {(e.kind, e.aggregator, e.owner, e.product): e for e in earnings(RunTables(run_dir))}
    assert rows["pv", "x", "ann", "energy"] == Earning(
        lda="a", kind="pv", side="customer", aggregator="x", owner="ann", product="energy", mwh=0.2, usd=8.0
    )
    assert rows["battery", "y", "", "energy"].side == "utility"
    assert rows["-", "dso", "", "reserves"].usd == pytest.approx(7.0)
    energy = [e for e in rows.values() if e.product == "energy"]
    assert sum(e.usd for e in energy) == pytest.approx(value(run_dir, "der_energy_usd")) == -4.0
    sides = [value(run_dir, f"der_{side}_side_usd") for side in ("customer", "utility")]
    assert sides == pytest.approx([11.0, -15.0])


def test_reserve_is_earned_by_the_ders_that_hold_it_and_the_dso_keeps_the_rest(run_dir: Path) -> None:
    """Of 7 $ that the ISO pays for spin 6 go to a battery, ten sets together; customers are 6 $ worse off."""
    before = value(run_dir, "customer_forward_usd")
    line = {"quantity_mwh": [0.1], "price_usd_per_mwh": [6.0], "amount_usd": [0.6], "exact_usd": [0.6]}
    record(run_dir, t.STATEMENT, [(0, "a/der/f_store/reserve")], line, "late", text=("dso",))
    books = {"reserve_usd": [6.0], "der_reserve_usd": [-6.0]}
    record(run_dir, t.LDA_ACCOUNT, [(0, "a")], books, "late")
    rows = {(e.kind, e.aggregator, e.product): e for e in earnings(RunTables(run_dir))}
    assert rows["battery", "y", "reserves"].usd == pytest.approx(6.0)
    assert rows["battery", "y", "reserves"].mwh == 0.0
    assert rows["-", "dso", "reserves"].usd == pytest.approx(1.0)
    assert value(run_dir, "der_reserve_usd") == pytest.approx(6.0)
    assert value(run_dir, "customer_forward_usd") == pytest.approx(before + 6.0)


def test_what_an_aggregator_keeps_is_the_isos_statement_less_its_ders_meters(tmp_path: Path) -> None:
    """The ISO pays x 15; its two units read 11 on their meters, ten sets together."""
    folder = with_statements(run_folder(tmp_path / "run", coordination="grand_central_blind"), "aggregator")
    (kept,) = (e for e in earnings(RunTables(folder)) if e.product == "forward")
    assert (kept.aggregator, kept.usd) == ("x", pytest.approx(4.0))


def test_prices_of_customers_are_of_exact_amounts(run_dir: Path) -> None:
    """25.04 and 34.9867 $/MWh, a quarter and three quarters of the energy: mean 32.5."""
    prices, mwh = customer_prices(RunTables(run_dir))
    assert prices == pytest.approx([25.04, 10.496 / 0.3])
    assert value(run_dir, "customer_price_mean_usd_per_mwh") == pytest.approx(32.5)
    spread = prices[1] - prices[0]
    assert value(run_dir, "customer_price_spread_usd_per_mwh") == pytest.approx(0.9 * spread)
    assert value(run_dir, "customer_price_gini") == pytest.approx(0.25 * 0.75 * spread / 32.5)
    assert mwh.tolist() == pytest.approx([0.1, 0.3])


def test_equal_places_pay_alike_until_one_does_not(run_dir: Path, tmp_path: Path) -> None:
    """Bus and phases are shared by a DER and a load; 2 $/MWh more for one DER in another hour are seen."""
    assert value(run_dir, "equal_place_difference_usd_per_mwh") == 0.0
    rows = [(3_600, "a/der/f_pv_1/energy"), (3_600, "a/load/f_1/energy")]
    record(run_dir, t.STATEMENT, rows, {"price_usd_per_mwh": [52.0, 50.0]}, "late", text=("dso", "dso"))
    assert value(run_dir, "equal_place_difference_usd_per_mwh") == pytest.approx(2.0)


def test_sun_not_taken_is_compared_by_rating(run_dir: Path) -> None:
    """Two units of 50 and 100 kW: 10 and 20 kW not taken are alike; the battery does not count."""
    rows = [(240, f"a/{name}") for name in ("f_pv_1", "f_pv_2", "f_store")]
    record(run_dir, t.DER, rows, {"available_kw": [40.0, 90.0, 200.0], "p_kw": [30.0, 70.0, 0.0]})
    assert value(run_dir, "unused_sun_jain") == pytest.approx(1.0)
    assert value(run_dir, "unused_sun_gini") == pytest.approx(0.0, abs=1e-12)


def test_nothing_unused_is_no_figure(run_dir: Path) -> None:
    rows = [(240, f"a/{name}") for name in ("f_pv_1", "f_pv_2", "f_store")]
    record(run_dir, t.DER, rows, {"available_kw": [30.0, 70.0, 0.0], "p_kw": [30.0, 70.0, 0.0]})
    assert found(run_dir, "unused_sun_gini").value is found(run_dir, "unused_sun_jain").value is None


def test_gini_and_jain_of_one_who_has_everything() -> None:
    """Of n, one has all: Gini (n - 1)/n, Jain 1/n; weights count like copies."""
    everything = np.array([0.0, 0.0, 0.0, 8.0])
    assert gini(everything, np.ones(4)) == pytest.approx(0.75)
    assert gini(np.array([0.0, 8.0]), np.array([3.0, 1.0])) == pytest.approx(0.75)
    assert jain(everything) == pytest.approx(0.25)
    assert gini(np.full(5, 7.0), np.arange(1.0, 6.0)) == pytest.approx(0.0, abs=1e-12)

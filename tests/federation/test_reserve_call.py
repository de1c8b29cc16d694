"""Reserve that DSOs sell on the smallest study: awarded, called, delivered, settled; regulation followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.core.exit_codes import ExitCode
from runner.post.load import load
from runner.post.summary import summary
from runner.progress import display
from runner.run import start_run
from runner.study import load_study
from tests import asserts
from tests.build import TINY

pytestmark = pytest.mark.federation

STUDY = """\
include: [{tiny}]
name: tiny_reserves
horizon: {{duration: {duration}}}
market:
  dso_reserves: true
  reserves: {{kind: shares, regulation: {regulation}, spin: {spin}, total: 50 %}}
events:
  - {event}
"""
CALL_S, END_S = 720, 1_620
TRIP_S, MEASURED_S = 60, 240
"""The last step is measured in the next, which these runs do not have. [s]"""
LEAST_SOLD_MW = 1.0
LDAS = ("lda1", "lda2")
INTERVAL_H, CENT_USD = 1.0 / 12.0, 0.01
ROUNDED_USD = 5.0
"""Half a cent for each line of an hour, five sets alike: less than 200 DERs."""
DELIVERED_SHARE = 0.98


def run(folder: Path, **parts: str) -> Path:
    study = folder / "reserve.yaml"
    study.write_text(STUDY.format(tiny=TINY, **parts))
    end = start_run(study, [], transport="loopback", results=folder / "results", shown=display(silent=True))
    assert end.code is ExitCode.DONE, end.exit_reason
    return end.run_dir


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Regulation is plenty, the total is scarce, and all spinning reserve of DSOs is called."""
    return run(
        tmp_path_factory.mktemp("called"),
        duration="30 min",
        regulation="20 %",
        spin="30 %",
        event="{kind: reserve_call, at: 12 min, duration: 15 min}",
    )


@pytest.fixture(scope="module")
def regulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Units alone cannot give all regulation, one of them trips, and spinning reserve is called as well."""
    return run(
        tmp_path_factory.mktemp("regulated"),
        duration="5 min",
        regulation="27.5 %",
        spin="30 %",
        event="{kind: unit_trip, at: 1 min, duration: 4 min, unit: Brighton}\n"
        "  - {kind: reserve_call, at: 2 min, duration: 3 min}",
    )


@pytest.fixture(scope="module")
def stretched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More regulation is required than there is: areas sell all that they can deliver."""
    return run(
        tmp_path_factory.mktemp("stretched"),
        duration="5 min",
        regulation="40 %",
        spin="45 %",
        event="{kind: unit_trip, at: 1 min, duration: 4 min, unit: Brighton}",
    )


def by_lda(run_dir: Path, table: str, *columns: str) -> Iterator[tuple[FloatArray, ...]]:
    """Times and columns of each LDA."""
    rows = load(run_dir, table).to_pylist()
    for name in LDAS:
        mine = [r for r in rows if r["id"] == name]
        yield tuple(np.array([r[c] for r in mine], dtype=np.float64) for c in ("t_s", *columns))


def test_spin_is_bought_of_dsos_ahead_and_in_real_time(called: Path) -> None:
    """Of every area, in each of its intervals: both have batteries and sun that limits leave room for."""
    for _, spin, other in by_lda(called, "lda_reserve", "spin_mw", "supplemental_mw"):
        assert spin.min() > LEAST_SOLD_MW
        assert other.max() == 0.0
    for _, spin, other in by_lda(called, "da_lda_reserve", "spin_mw", "supplemental_mw"):
        assert spin.max() > LEAST_SOLD_MW
        assert other.max() == 0.0


def test_all_of_a_call_is_delivered_from_the_first_minute_and_for_as_long_as_it_lasts(called: Path) -> None:
    for t, spin, delivered in by_lda(called, "deployment", "spin_mw", "delivered_mw"):
        during = (t >= CALL_S) & (t < END_S)
        assert t[during].tolist() == list(range(CALL_S, END_S, 60))
        assert (spin[~during] == 0.0).all()
        assert (spin[during] > LEAST_SOLD_MW).all()
        assert delivered[during].sum() >= DELIVERED_SHARE * spin[during].sum()
        assert delivered[during][0] >= DELIVERED_SHARE * spin[during][0]


def test_a_call_breaks_no_limit(called: Path) -> None:
    rows = load(called, "feeder").to_pylist()
    during = [r for r in rows if CALL_S <= r["t_s"] < END_S]
    for column in ("nodes_outside_a_count", "lines_over_count"):
        assert max(r[column] for r in during) <= max(r[column] for r in rows if r["t_s"] < CALL_S)


def test_reserve_is_paid_in_two_settlements_and_nothing_stays_unexplained(called: Path) -> None:
    asserts.assert_settled(called, load_study(called / "study.yaml").study)
    paid = {r["id"]: r["amount_usd"] for r in load(called, "settlement").to_pylist()}
    assert all(paid[f"lda/{name}/day_ahead/spin"] > 0.0 for name in LDAS)
    assert all(f"lda/{name}/real_time/spin" in paid for name in LDAS)


def test_what_real_time_pays_for_reserve_goes_to_the_ders_that_hold_it(called: Path) -> None:
    """By the market's tables: what each area holds, at the price where its bus is, in every interval."""
    price = {(r["t_s"], r["id"]): r["price_usd_per_mw_h"] for r in load(called, "reserve_price").to_pylist()}
    books = {r["id"]: r for r in load(called, "lda_account").to_pylist()}
    for (t, spin, up, down), name in zip(
        by_lda(called, "lda_reserve", "spin_mw", "reg_up_mw", "reg_down_mw"), LDAS, strict=True
    ):
        income = 0.0
        for k, at in enumerate(t.tolist()):
            for product, mw in (("spin", spin[k]), ("reg_up", up[k]), ("reg_down", down[k])):
                (paid,) = (p for (s, key), p in price.items() if s == at and key.startswith(f"{product}/"))
                income += INTERVAL_H * mw * paid
        assert books[name]["reserve_usd"] == pytest.approx(income, abs=CENT_USD)
        assert books[name]["reserve_left_usd"] == 0.0
        assert books[name]["der_reserve_usd"] == pytest.approx(-income, abs=ROUNDED_USD)
        assert abs(books[name]["unexplained_usd"]) <= CENT_USD
    assert sum(row["reserve_usd"] for row in books.values()) > 1.0
    lines = [r["id"].split("/") for r in load(called, "statement").to_pylist()]
    paid_to = {der for _, _, der, item in lines if item == "reserve"}
    assert any("battery" in der for der in paid_to)


def test_the_summary_states_what_was_delivered_of_what_was_called(called: Path) -> None:
    for figures in summary(called).by_lda.values():
        assert figures["reserve_called_mwh"] > 0.0
        assert figures["reserve_delivered_pct"] >= 100.0 * DELIVERED_SHARE
        assert figures["reserve_sold_mwh"] > figures["reserve_called_mwh"]


@pytest.mark.parametrize("which", ["regulated", "stretched"])
def test_regulation_answers_a_trip_until_the_market_does(which: str, request: pytest.FixtureRequest) -> None:
    run_dir: Path = request.getfixturevalue(which)
    signal = {r["t_s"]: r for r in load(run_dir, "signal").to_pylist()}
    assert sorted(signal) == list(range(0, 300, 60))
    short = range(TRIP_S + 60, MEASURED_S, 60)
    assert all(signal[t]["regulation"] == 1.0 for t in short)
    assert abs(signal[TRIP_S]["regulation"]) < 0.5
    rows = load(run_dir, "lda_reserve").to_pylist()
    sold = {r["id"]: r for r in rows if r["t_s"] == 0 and r["reg_up_mw"] + r["spin_mw"] > LEAST_SOLD_MW}
    assert sold
    asked = {(r["t_s"], r["id"]): r for r in load(run_dir, "deployment").to_pylist()}
    for name, one in sold.items():
        for t in short:
            answer = asked[t, name]
            assert answer["regulation_mw"] == pytest.approx(one["reg_up_mw"])
            assert answer["spin_mw"] == pytest.approx(one["spin_mw"] * signal[t]["call"])
            wanted = answer["regulation_mw"] + answer["spin_mw"]
            assert answer["delivered_mw"] >= DELIVERED_SHARE * wanted
    feeders = load(run_dir, "feeder").to_pylist()
    for column in ("nodes_outside_a_count", "lines_over_count"):
        before = max(r[column] for r in feeders if r["t_s"] <= TRIP_S)
        assert max(r[column] for r in feeders if r["t_s"] in short) <= before


def test_spin_is_called_beside_regulation_and_scarce_regulation_is_more_than_is_sold(
    regulated: Path, stretched: Path
) -> None:
    """What the areas sell is bounded by what they can deliver, not by what is required."""
    assert any(r["call"] == 1.0 for r in load(regulated, "signal").to_pylist())
    short = [r for r in load(stretched, "reserve").to_pylist() if r["t_s"] == 0 and r["id"] == "reg_up"]
    assert short[0]["short_mw"] > 1.0
    assert sum(r["reg_up_mw"] for r in load(stretched, "lda_reserve").to_pylist() if r["t_s"] == 0) > 1.0

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
  reserves: {{kind: shares, regulation: {regulation}, spin: 30 %, total: 50 %}}
events:
  - {event}
"""
CALL_S, END_S = 720, 1_620
TRIP_S, CLEARED_S = 60, 300
LDAS = ("lda1", "lda2")
DELIVERED_SHARE = 0.98
FOLLOWED_SHARE = 0.95
"""Of regulation in one minute: demand moves meanwhile."""


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
        event="{kind: reserve_call, at: 12 min, duration: 15 min}",
    )


@pytest.fixture(scope="module")
def regulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Units alone cannot give all regulation, and one of them trips.

    Where an area sells more (a requirement of 28 % and above), its twin as metered shows a limit broken at
    the called state, and a part is taken back.
    """
    return run(
        tmp_path_factory.mktemp("regulated"),
        duration="10 min",
        regulation="27.5 %",
        event="{kind: unit_trip, at: 1 min, duration: 9 min, unit: Brighton}",
    )


def by_lda(run_dir: Path, table: str, *columns: str) -> Iterator[tuple[FloatArray, ...]]:
    """Times and columns of each LDA."""
    rows = load(run_dir, table).to_pylist()
    for name in LDAS:
        mine = [r for r in rows if r["id"] == name]
        yield tuple(np.array([r[c] for r in mine], dtype=np.float64) for c in ("t_s", *columns))


def test_spin_is_bought_of_dsos_ahead_and_in_real_time(called: Path) -> None:
    for table in ("lda_reserve", "da_lda_reserve"):
        for _, spin, other in by_lda(called, table, "spin_mw", "supplemental_mw"):
            assert spin.max() > 1.0
            assert other.max() == 0.0


def test_all_of_a_call_is_delivered_from_the_first_minute_and_for_as_long_as_it_lasts(called: Path) -> None:
    for t, spin, delivered in by_lda(called, "deployment", "spin_mw", "delivered_mw"):
        during = (t >= CALL_S) & (t < END_S)
        assert t[during].tolist() == list(range(CALL_S, END_S, 60))
        assert (spin[during] > 1.0).all()
        assert (spin[~during] == 0.0).all()
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
    for name in LDAS:
        assert paid[f"lda/{name}/day_ahead/spin"] > 0.0
        assert f"lda/{name}/real_time/spin" in paid


def test_the_summary_states_what_was_delivered_of_what_was_called(called: Path) -> None:
    figures = summary(called).by_lda
    for name in LDAS:
        assert figures[name]["reserve_delivered_pct"] >= 100.0 * DELIVERED_SHARE
        assert figures[name]["reserve_sold_mwh"] > figures[name]["reserve_called_mwh"] > 0.1


def test_regulation_answers_a_trip_until_the_market_does(regulated: Path) -> None:
    signal = {r["t_s"]: r for r in load(regulated, "signal").to_pylist()}
    assert sorted(signal) == list(range(0, 600, 60))
    short = range(TRIP_S + 60, CLEARED_S, 60)
    assert all(signal[t]["regulation"] == 1.0 for t in short)
    assert abs(signal[TRIP_S]["regulation"]) < 0.5
    sold = [r for r in load(regulated, "lda_reserve").to_pylist() if r["t_s"] == 0 and r["reg_up_mw"] > 1.0]
    assert sold
    asked = {(r["t_s"], r["id"]): r for r in load(regulated, "deployment").to_pylist()}
    for one in sold:
        for t in short:
            answer = asked[t, one["id"]]
            assert answer["regulation_mw"] == pytest.approx(one["reg_up_mw"])
            assert answer["delivered_mw"] >= FOLLOWED_SHARE * answer["regulation_mw"]

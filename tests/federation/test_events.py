"""Events of a study: a unit that trips, and links that lose messages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from federates.core.exit_codes import ExitCode
from runner.post.load import load
from runner.progress import display
from runner.run import start_run
from runner.study import load_study
from tests import asserts

TINY = Path(__file__).parents[2] / "configs" / "studies" / "tiny.yaml"
EVENTS = """\
include: [{tiny}]
name: tiny_events
events:
  - {{kind: unit_trip, at: 20 min, duration: 15 min, unit: Brighton}}
  - {{kind: link_loss, at: 30 min, duration: 10 min, sender: dso_lda1, receiver: iso}}
  - {{kind: link_loss, at: 40 min, duration: 10 min, sender: iso, receiver: dso_lda2}}
"""
TRIP, BACK = 1_200, 2_100
ONE_MW = 1.0


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("events")
    study = folder / "events.yaml"
    study.write_text(EVENTS.format(tiny=TINY))
    end = start_run(study, [], transport="loopback", results=folder / "results", shown=display(silent=True))
    assert end.code is ExitCode.DONE, end.exit_reason
    return end.run_dir


def series(table: pa.Table, of: str, column: str) -> dict[int, float]:
    rows = zip(table["t_s"].to_pylist(), table["id"].to_pylist(), table[column].to_pylist(), strict=True)
    return {t: value for t, name, value in rows if name == of}


@pytest.mark.federation
def test_a_tripped_unit_gives_nothing_until_it_is_back(run_dir: Path) -> None:
    output = series(load(run_dir, "unit"), "Brighton", "output_mw")
    before = [p for t, p in output.items() if t < TRIP]
    off = [p for t, p in output.items() if TRIP <= t < BACK]
    assert min(before) > 100 * ONE_MW
    assert max(np.abs(off)) == 0.0
    assert output[max(output)] > ONE_MW


@pytest.mark.federation
def test_a_trip_moves_the_price_and_is_carried_by_the_others(run_dir: Path) -> None:
    prices = series(load(run_dir, "lmp"), "C", "lmp_usd_per_mwh")
    assert max(prices[t] for t in prices if TRIP <= t < BACK) > prices[TRIP - 300] + 1.0
    carried = series(load(run_dir, "system"), "system", "participation_mw")
    assert max(carried[t] for t in carried if TRIP <= t < BACK) > 100 * ONE_MW
    assert max(abs(carried[t]) for t in carried if t < TRIP) < 20 * ONE_MW


@pytest.mark.federation
def test_a_trip_is_settled_at_the_units_own_risk_and_nothing_stays_unexplained(run_dir: Path) -> None:
    asserts.assert_settled(run_dir, load_study(run_dir / "study.yaml").study)
    paid = series(load(run_dir, "settlement"), "unit/Brighton/real_time/energy", "amount_usd")
    assert sum(paid.values()) < -1_000.0
    made_whole = series(load(run_dir, "settlement"), "unit/Brighton/real_time/make_whole", "amount_usd")
    assert not made_whole


@pytest.mark.federation
def test_lost_messages_are_events_and_the_last_one_is_held(run_dir: Path) -> None:
    events = load(run_dir, "event").to_pylist()
    lost = {(e["t_s"], e["id"]) for e in events if e["what"] == "message lost"}
    assert len(lost) >= 4
    held = {(e["t_s"], e["id"]) for e in events if e["what"].startswith("held")}
    assert {(2_100, "iso"), (2_400, "dso_lda2")} <= held
    bids = series(load(run_dir, "award"), "lda2", "award_mw")
    assert len(bids) == 12

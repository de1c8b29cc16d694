"""A study over a midnight: one federation or a chain of two, whole or broken off, the tables are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from federates.core.errors import ConfigError
from federates.core.time import DAY_S
from runner.manifest import read_status
from runner.plan import MAX_INSTANTS, make_plan
from tests import asserts
from tests.build import TINY, sets, study
from tests.federation.study_runs import kill_in_day_two, resumed, run, started

pytestmark = pytest.mark.federation

NOON_TO_ONE = sets(
    horizon__start="2020-03-27T12:00:00",
    horizon__duration="13 h",
    horizon__step="180 s",
    horizon__market_interval="900 s",
)
"""The shortest span that holds a midnight and the day-ahead market before it, in steps short enough for
taps to move in time."""
MIDNIGHT_S = 12 * 3_600
PAST_MIDNIGHT_S = 180
"""How far into its second day a run is killed. [s]"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of the study as one federation."""
    return run(TINY, tmp_path_factory.mktemp("whole"), *NOON_TO_ONE).run_dir


def test_both_days_obey_the_laws(whole: Path) -> None:
    assert not (whole / "state").exists() or not any((whole / "state").glob("0001/*"))
    asserts.assert_laws(whole)
    asserts.assert_market_balances(whole)
    cleared_s = [t for t, _ in asserts.column_by(whole, "day_ahead", "cost_usd")]
    assert cleared_s == [MIDNIGHT_S - DAY_S, MIDNIGHT_S]


@pytest.mark.parametrize("model", ["uncoordinated", "grand_central_full"])
def test_a_chain_on_loopback_gives_what_one_federation_gives(tmp_path: Path, model: str) -> None:
    one = run(TINY, tmp_path / "one", *NOON_TO_ONE, f"coordination={model}").run_dir
    chain = run(TINY, tmp_path / "two", *NOON_TO_ONE, f"coordination={model}", "federation.chain=day").run_dir
    assert_went_over_midnight_from_saved_state(chain)
    asserts.assert_equal_tables(one, chain)


def test_a_chain_of_total_dsos_on_loopback_gives_what_one_federation_gives(
    whole: Path, tmp_path: Path
) -> None:
    chain = run(TINY, tmp_path, *NOON_TO_ONE, "federation.chain=day").run_dir
    assert_went_over_midnight_from_saved_state(chain)
    asserts.assert_equal_tables(whole, chain)


def test_a_chain_of_inverters_with_their_own_control_gives_what_one_federation_gives(
    whole: Path, tmp_path: Path
) -> None:
    local = ("der_q=local_volt_var", "der_p=local_volt_watt")
    one = run(TINY, tmp_path / "one", *NOON_TO_ONE, *local).run_dir
    chain = run(TINY, tmp_path / "two", *NOON_TO_ONE, *local, "federation.chain=day").run_dir
    assert_went_over_midnight_from_saved_state(chain)
    asserts.assert_laws(one)
    asserts.assert_equal_tables(one, chain)
    # And it is another run: the inverters did act.
    with pytest.raises(AssertionError):
        asserts.assert_equal_tables(one, whole)


def test_a_chain_on_helics_gives_what_one_federation_on_loopback_gives(whole: Path, tmp_path: Path) -> None:
    chain = run(TINY, tmp_path, *NOON_TO_ONE, transport="helics").run_dir
    assert_went_over_midnight_from_saved_state(chain)
    asserts.assert_equal_tables(whole, chain)


@pytest.mark.parametrize("transport", ["helics", "loopback"])
def test_a_run_killed_in_its_second_day_and_resumed_gives_the_same_tables(
    whole: Path, tmp_path: Path, transport: str
) -> None:
    with started(TINY, tmp_path, *NOON_TO_ONE, "federation.chain=day", transport=transport) as runner:  # type: ignore[arg-type]
        broken = kill_in_day_two(runner, tmp_path, PAST_MIDNIGHT_S)
    assert not (broken / "done.json").exists()
    assert read_status(broken).state == "running"
    kept = {p: p.stat().st_mtime_ns for p in (broken / "state" / "0000").glob("*.npz")}
    assert kept
    end = resumed(broken, "helics" if transport == "loopback" else "loopback")
    assert end.run_dir == broken
    # the first day was not run again
    assert {p: p.stat().st_mtime_ns for p in (broken / "state" / "0000").glob("*.npz")} == kept
    asserts.assert_equal_tables(whole, broken)


def test_a_span_that_helics_cannot_grant_is_a_chain_by_itself() -> None:
    days = sets(horizon__start="2020-03-27", horizon__duration="3 d")
    plan = make_plan(study(TINY, *days), "helics")
    assert [(s.begin_s, s.end_s) for s in plan.spans[1:]] == [(DAY_S, 2 * DAY_S), (2 * DAY_S, 3 * DAY_S)]
    assert max(plan.instants_count) <= MAX_INSTANTS < sum(plan.instants_count)
    whole_one = study(TINY, *days, "federation.chain=whole")
    assert make_plan(whole_one, "loopback").instants_count[0] > MAX_INSTANTS
    with pytest.raises(ConfigError, match=rf"HELICS reliably grants {MAX_INSTANTS}; set federation.chain to"):
        make_plan(whole_one, "helics")


def test_one_day_above_the_limit_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    # no step that the settings allow brings a day above the limit: 1440 steps have at most 25 instants each
    day = study(TINY, *sets(horizon__start="2020-03-27", horizon__duration="24 h"))
    needed = make_plan(day, "helics").instants_count[0]
    assert 20_000 < needed <= MAX_INSTANTS
    monkeypatch.setattr("runner.plan.MAX_INSTANTS", needed - 1)
    with pytest.raises(ConfigError, match="use a step longer than 60 s or transport loopback"):
        make_plan(day, "helics")
    assert make_plan(day, "loopback").instants_count == (needed,)


def assert_went_over_midnight_from_saved_state(run_dir: Path) -> None:
    """Every federate's state at midnight was written down, and rows of two spans."""
    states = {p.stem for p in (run_dir / "state" / "0000").glob("*.npz")}
    assert states == {p.stem for p in (run_dir / "done" / "0001").glob("*.json")}
    assert "iso" in states
    spans = {p.name.split(".")[1] for p in (run_dir / "tables" / "head").glob("*.parquet")}
    assert len(spans) == 2

"""The default study: two hours of its evening on both transports, and its whole day under a total DSO."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.post.vacuity import vacuity
from tests import asserts
from tests.build import RTS_DAY, sets
from tests.federation.study_runs import run, study_of

pytestmark = [pytest.mark.federation, pytest.mark.slow]

EVENING = sets(horizon__start="2020-03-27T17:00:00", horizon__duration="2 h")
DAY_INTERVALS = 288


def test_an_evening_from_a_given_commitment_is_the_same_on_both_transports(tmp_path: Path) -> None:
    solved = run(RTS_DAY, tmp_path / "solved", *EVENING).run_dir
    given = "market.commitment={kind: file, path: %s}" % (solved / "commitment.csv")
    on_loopback = run(RTS_DAY, tmp_path / "loopback", *EVENING, given).run_dir
    on_helics = run(RTS_DAY, tmp_path / "helics", *EVENING, given, transport="helics").run_dir
    asserts.assert_laws(on_loopback)
    asserts.assert_equal_tables(on_loopback, on_helics)
    for run_dir in (on_loopback, on_helics):
        assert (run_dir / "commitment.csv").read_bytes() == (solved / "commitment.csv").read_bytes()


@pytest.mark.day
@pytest.mark.timeout(900)
def test_the_default_day_under_a_total_dso(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    given = request.config.getoption("--run-dir")
    run_dir = Path(given) if given else run(RTS_DAY, tmp_path, transport="helics").run_dir
    study = study_of(run_dir)
    assert (study.name, study.coordination) == ("rts_day", "layered_total_dso")
    assert study.horizon.duration_s // study.horizon.market_interval_s == DAY_INTERVALS
    asserts.assert_laws(run_dir)
    asserts.assert_market_balances(run_dir)
    assert asserts.bypass_count(run_dir) == 0
    failing = {name: condition for name, condition in vacuity(run_dir).items() if not condition.holds}
    assert not failing

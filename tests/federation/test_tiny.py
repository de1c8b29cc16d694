"""The smallest whole study: its laws under every model, and the same tables however it is run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from federates.core.hostspec import TransportName
from federates.core.settings import Study
from federates.scenario.lda import LdaScenario
from runner.post.run_tables import RunTables
from tests import asserts
from tests.build import TINY
from tests.federation.study_runs import delayed, run, shuffled, study_of

pytestmark = pytest.mark.federation

EFFICIENCY = 0.92
"""Of the study's batteries, each way."""
CURTAILED_KW = 1.0
"""Less than one device's rounding against what a feeder's sun gives."""
METERED = 0.05
"""How far metered energy may be from its award, relative: forecasts and sites differ by less."""
SHORT_MW = 0.01
"""Nothing keeps these DSOs from their awards, but for what its program leaves of the twin's own error."""
MODELS = (
    "uncoordinated",
    "price_reactive",
    "grand_central_blind",
    "grand_central_full",
    "layered_total_dso",
)
ALIKE = ("price_reactive", "grand_central_blind")
"""This hour DERs do by themselves, at its even prices, what they are awarded where no feeder is looked at."""
INTERVALS = 12

Runs = Callable[[str], Path]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Run folder of tiny on loopback under a coordination model; each is run once."""
    done: dict[str, Path] = {}

    def of(model: str) -> Path:
        if model not in done:
            out = tmp_path_factory.mktemp(model)
            done[model] = run(TINY, out, f"coordination={model}").run_dir
        return done[model]

    return of


def batteries_kwh(study: Study) -> dict[str, float]:
    """Energy that the batteries of each simulated feeder hold, by the id of table ``der_type``."""
    held: dict[str, float] = {}
    for lda in study.ldas:
        scenario = LdaScenario(study, lda.name)
        fleet = scenario.fleet
        for name, kind, kwh in zip(fleet.ids, fleet.kind, fleet.energy_kwh, strict=True):
            key = f"{lda.name}/{name.split('_')[0]}/{kind}"
            held[key] = held.get(key, 0.0) + float(kwh)
    return {key: kwh for key, kwh in held.items() if kwh > 0.0}


@pytest.mark.parametrize("model", MODELS)
def test_every_law_holds(runs: Runs, model: str) -> None:
    run_dir = runs(model)
    study = study_of(run_dir)
    assert study.coordination == model
    assert len(set(RunTables(run_dir).t_s("clearing").tolist())) == INTERVALS
    asserts.assert_laws(run_dir)
    moved = asserts.assert_stores_conserve(run_dir, batteries_kwh(study), EFFICIENCY, study.clock.step_s)
    # even prices do not pay for a full cycle, which is all that batteries look at there
    assert (moved > 0) == (model not in ALIKE)


def test_nobody_passes_a_dso_by_where_it_is_total(runs: Runs) -> None:
    assert asserts.bypass_count(runs("layered_total_dso")) == 0
    assert asserts.bypass_count(runs("uncoordinated")) == 0
    assert asserts.bypass_count(runs("price_reactive")) == 0
    # offers up and awards down: of 2 aggregators, day-ahead and for each interval
    assert asserts.bypass_count(runs("grand_central_blind")) == 2 * 2 * (1 + INTERVALS)


@pytest.mark.parametrize("model", ["uncoordinated", "price_reactive", "layered_total_dso"])
def test_units_serve_what_was_cleared(runs: Runs, model: str) -> None:
    asserts.assert_market_balances(runs(model))


def test_ders_with_awards_of_their_own_are_settled_on_their_meters(runs: Runs) -> None:
    run_dir = runs("grand_central_blind")
    tables = RunTables(run_dir)
    kinds, place = tables.owners("der_type", 2)
    injected_kw = tables.column("der_type", "p_kw") * tables.multiplicities("der_type")
    # vehicles are part of the demand, no DER in the market
    mine = place != kinds.index("ev")
    metered_mwh = injected_kw[mine].sum() * tables.step_h / asserts.KWH_PER_MWH
    settled_mwh = asserts.energy_settled_mwh(run_dir)["der"]
    assert abs(metered_mwh) > 0.1
    assert abs(settled_mwh - metered_mwh) <= asserts.SETTLED_MWH


def test_models_differ_by_what_they_do_to_ders(runs: Runs) -> None:
    sun = {m: asserts.values_of(runs(m), "der_type", "curtailed_kw") for m in MODELS}
    # M0 curtails nothing and lets flexible loads run
    assert np.abs(sun["uncoordinated"]).max() <= CURTAILED_KW
    power = {m: asserts.values_of(runs(m), "der_type", "p_kw") for m in MODELS}
    for one, other in combinations(MODELS, 2):
        if {one, other} <= set(ALIKE):
            continue
        assert np.abs(power[one] - power[other]).max() > 10.0, (one, other)


def test_a_total_dso_plans_what_it_was_awarded_and_the_meter_follows(runs: Runs) -> None:
    run_dir = runs("layered_total_dso")
    study = study_of(run_dir)
    award = asserts.column_by(run_dir, "award", "award_mw")
    mine = asserts.column_by(run_dir, "dispatch", "award_mw")
    planned = asserts.column_by(run_dir, "dispatch", "planned_mw")
    shortfall = asserts.column_by(run_dir, "dispatch", "shortfall_mw")
    head = asserts.column_by(run_dir, "head", "p_mw")
    clock, off = study.clock, []
    for (t, lda), mw in award.items():
        multiplicity = study.lda(lda).multiplicity
        assert abs(mine[t, lda] * multiplicity - mw) <= 1e-9
        assert abs(mine[t, lda] - planned[t, lda] - shortfall[t, lda]) <= 1e-9
        assert abs(shortfall[t, lda]) <= SHORT_MW
        metered = np.mean([head[s, lda] for s in range(t, t + clock.market_s, clock.step_s)])
        assert abs(metered - mw) <= 2.0 * METERED * abs(mw), (t, lda, metered, mw)
        off.append(abs(metered - mw) > METERED * abs(mw))
    # limits come before the import: in one interval set-points are mended for a voltage that a tap has raised
    assert sum(off) <= 1


@pytest.mark.parametrize("model", ["price_reactive", "grand_central_blind", "layered_total_dso"])
def test_helics_gives_what_loopback_gives(runs: Runs, tmp_path: Path, model: str) -> None:
    on_helics = run(TINY, tmp_path, f"coordination={model}", transport="helics")
    asserts.assert_equal_tables(runs(model), on_helics.run_dir)


def test_a_second_run_gives_the_same_tables(runs: Runs, tmp_path: Path) -> None:
    again = run(TINY, tmp_path, "coordination=layered_total_dso")
    asserts.assert_equal_tables(runs("layered_total_dso"), again.run_dir)


def test_the_study_that_a_run_wrote_down_gives_its_tables_again(runs: Runs, tmp_path: Path) -> None:
    first = runs("layered_total_dso")
    again = run(first / "study.yaml", tmp_path)
    assert again.run_dir != first
    asserts.assert_equal_tables(first, again.run_dir)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_federates_does_not_matter(runs: Runs, tmp_path: Path, seed: int) -> None:
    base = runs("layered_total_dso")
    asserts.assert_equal_tables(base, shuffled(base, tmp_path / "shuffled", seed))


@pytest.mark.parametrize(("transport", "seed"), [("helics", 1), ("helics", 2), ("helics", 3)])
def test_late_starts_and_slow_acts_change_nothing(
    runs: Runs, tmp_path: Path, transport: TransportName, seed: int
) -> None:
    base = runs("layered_total_dso")
    outcome = delayed(base, tmp_path / "late", transport, seed)
    assert outcome.status == "done", outcome.exit_reason
    asserts.assert_equal_tables(base, tmp_path / "late")


def test_another_seed_gives_other_tables(runs: Runs, tmp_path: Path) -> None:
    other = run(TINY, tmp_path, "coordination=layered_total_dso", "seed=2")
    with pytest.raises(AssertionError, match="tables differ"):
        asserts.assert_equal_tables(runs("layered_total_dso"), other.run_dir)

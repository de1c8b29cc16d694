"""Noon on a feeder that may export less than its DERs offer: the blind ISO breaks its limit, M4 keeps it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from runner.post.run_tables import RunTables
from tests import asserts
from tests.build import TINY
from tests.federation.study_runs import run

pytestmark = pytest.mark.federation

EXPORT_KVA = 1_200.0
SUNNY = (
    "horizon.start=2020-03-27T12:00:00",
    "horizon.duration=15min",
    "ldas.0.feeders.0.ders.pv.power=5 MW",
    f"ldas.0.feeders.0.export_limit={EXPORT_KVA:.0f} kVA",
)
BROKEN, KEPT = 0.2, 0.01
"""Shares of the limit by which M1 exceeds it at least, and M4 at most: map and forecasts err by less."""
BLIND, FULL = "grand_central_blind", "grand_central_full"


Values = Callable[[str, str, str], FloatArray]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folder on loopback by model."""
    return {
        model: run(TINY, tmp_path_factory.mktemp(model), f"coordination={model}", *SUNNY).run_dir
        for model in (BLIND, FULL)
    }


@pytest.fixture(scope="module")
def values(runs: dict[str, Path]) -> Values:
    """A column of a table of the run under a model."""
    return lambda model, table, column: RunTables(runs[model]).column(table, column)


def test_full_sight_passes_the_dso_by_as_often_as_a_blind_dispatch(runs: dict[str, Path]) -> None:
    assert asserts.bypass_count(runs[FULL]) == asserts.bypass_count(runs[BLIND]) > 0


def test_helics_gives_what_loopback_gives(runs: dict[str, Path], tmp_path: Path) -> None:
    on_helics = run(TINY, tmp_path, f"coordination={FULL}", *SUNNY, transport="helics")
    asserts.assert_equal_tables(runs[FULL], on_helics.run_dir)


def test_the_plant_of_full_sight_keeps_the_limit_that_a_blind_dispatch_breaks(values: Values) -> None:
    assert values(BLIND, "feeder", "head_over_kva").max() > BROKEN * EXPORT_KVA
    assert values(FULL, "feeder", "head_over_kva").max() <= KEPT * EXPORT_KVA


def test_the_limit_binds_in_the_market_and_is_never_paid_off(values: Values) -> None:
    assert (values(FULL, "clearing", "feeder_limits_bound_count") >= 1.0).all()
    assert (values(FULL, "clearing", "feeder_over_mw") == 0.0).all()
    assert (values(BLIND, "clearing", "feeder_limits_count") == 0.0).all()


def test_both_see_the_same_offers_and_full_sight_costs_more_forward(values: Values) -> None:
    """In the first interval, which both begin in one state."""
    blocks = [values(model, "clearing", "der_blocks_count") for model in (BLIND, FULL)]
    np.testing.assert_array_equal(*blocks)
    assert blocks[0].min() > 0.0
    blind, full = (values(model, "clearing", "cost_usd_per_h")[0] for model in (BLIND, FULL))
    assert full > blind * (1.0 + 1e-4)

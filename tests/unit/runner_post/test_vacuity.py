"""A run passes for what happened in it, and fails when it did not happen."""

from __future__ import annotations

from pathlib import Path

import pytest

from federates.core.errors import MissingInputError
from federates.core.tables import (
    AWARD,
    BINDING,
    CLEARING,
    DISPATCH,
    FEEDER,
    HEAD,
    INTERFACE,
    LINE_PRICE,
    SYSTEM,
)  # fmt: skip
from runner.post.vacuity import Condition, vacuity
from tests.unit.runner_post.run_folders import record, run_folder

INTERVALS = range(0, 3_600, 300)
STEPS = range(0, 3_600, 60)


def conditions(
    folder: Path, *, coordination: str = "layered_total_dso", forecast_mw: float = 101.0,
    planned_mw: float = 1.1, line_intervals: int = 12, bound_intervals: int = 6, exceeded_steps: int = 30,
) -> dict[str, Condition]:  # fmt: skip
    """Conditions of a run whose outside demand is 100 MW and whose LDA draws 10 MW, ten times 1 MW."""
    run = run_folder(folder, coordination=coordination)
    market = [(t, "system") for t in INTERVALS]
    n = len(market)
    record(run, CLEARING, market, {"demand_mw": [forecast_mw + 13.0] * n, "loss_mw": [3.0] * n})
    record(run, SYSTEM, [(t, "system") for t in STEPS], {"load_mw": [105.0, 110.0, 115.0, 110.0, 110.0] * n})
    record(run, INTERFACE, [(t, "a") for t in STEPS], {"p_mw": [10.0] * len(STEPS)})
    record(run, HEAD, [(t, "a") for t in STEPS], {"p_mw": [9.0, 10.0, 11.0, 10.0, 10.0] * n})
    record(run, AWARD, [(t, "a") for t in INTERVALS], {"award_mw": [10.0] * n})
    record(run, DISPATCH, [(t, "a") for t in INTERVALS], {"planned_mw": [planned_mw] * n})
    lines = [(t, "L1") for t in INTERVALS[:line_intervals]] + [(t, "L2") for t in INTERVALS[:3]]
    record(run, LINE_PRICE, lines, {"shadow_price_usd_per_mwh": [4.0] * len(lines)})
    binding = [(t, "a/f1") for t in INTERVALS]
    record(run, BINDING, binding, {"thermal_count": [1.0] * bound_intervals + [0.0] * (n - bound_intervals)})
    record(
        run, FEEDER, [(t, "a/f2") for t in STEPS],
        {"head_over_kva": [2.0] * exceeded_steps + [0.0] * (len(STEPS) - exceeded_steps)},
    )  # fmt: skip
    return vacuity(run)


def test_a_stressed_run_of_a_total_dso_holds(tmp_path: Path) -> None:
    found = conditions(tmp_path, exceeded_steps=0)
    assert all(condition.holds for condition in found.values())
    assert found["forecast"].value == pytest.approx(1.0)
    assert found["twin"].value == pytest.approx(10.0)
    assert (found["line"].value, found["line"].where) == (12, "L1")
    assert (found["feeder"].value, found["feeder"].where) == (30, "a/f1")


def test_without_a_dispatching_dso_the_plant_counts(tmp_path: Path) -> None:
    found = conditions(tmp_path, coordination="uncoordinated", bound_intervals=0)
    assert (found["feeder"].value, found["feeder"].where) == (30, "a/f2")
    assert found["feeder"].holds
    assert not found["twin"].holds, "award and meter agree"


@pytest.mark.parametrize(
    ("broken", "name"),
    [
        ({"forecast_mw": 100.0}, "forecast"),
        ({"planned_mw": 1.0}, "twin"),
        ({"line_intervals": 11}, "line"),
        ({"bound_intervals": 5}, "feeder"),
    ],
)
def test_each_condition_fails_alone(tmp_path: Path, broken: dict[str, float], name: str) -> None:
    found = conditions(tmp_path, **broken)  # type: ignore[arg-type]
    assert {key for key, condition in found.items() if not condition.holds} == {name}


def test_what_was_not_recorded_cannot_be_judged(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="has no table"):
        vacuity(run_folder(tmp_path))

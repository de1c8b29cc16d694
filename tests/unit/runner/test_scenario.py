"""What one scenario is, and what its forward plan hangs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.scenario import OF_MODELS, UNREAD_BY_PLAN, plan_hash, scenario_hash
from runner.study import load_study
from tests.build import TINY
from tests.unit.runner.texts import VALID, written

CHANGES = {
    "coordination": "uncoordinated",
    "name": "other",
    "description": "other",
    "record.nodes": "true",
    "compare": "[M0, M5]",
    "federation.hosts": "1",
    "estimation.meters": "0.5",
    "coupling.tolerance_pu": "1e-5",
    "events": "[{kind: unit_trip, at: 0, duration: 5 min, unit: Alta}]",
    "der_q": "local_volt_var",
    "inverter_category": "A",
    "envelope_rule": "equal",
    "horizon.duration": "30 min",
    "horizon.gate_lead": "60",
    "market.bid": "{kind: fixed_quantity}",
    "market.day_ahead_rounds": "2",
    "market.hour_ahead": "true",
    "market.look_ahead": "3",
    "federation.chain": "whole",
    "federation.startup_limit": "60",
    "federation.step_limit": "60",
}
"""A change of every setting that the forward plan does not read."""


def test_every_setting_that_a_plan_does_not_read_is_changed_here() -> None:
    assert {key for key in UNREAD_BY_PLAN if not any(c.startswith(key) for c in CHANGES)} == set()


@pytest.mark.parametrize("key", CHANGES)
def test_a_plan_serves_studies_that_differ_in_what_it_does_not_read(key: str) -> None:
    base, other = load_study(TINY), load_study(TINY, [f"{key}={CHANGES[key]}"])
    assert other.config_hash != base.config_hash
    assert plan_hash(other) == plan_hash(base)
    is_model_s = any(key == own or key.startswith(f"{own}.") for own in OF_MODELS)
    assert (scenario_hash(other) == scenario_hash(base)) == is_model_s


@pytest.mark.parametrize(
    "change",
    [
        "seed=2",
        "horizon.start=2020-03-28T17:00:00",
        "ldas.0.multiplicity=6",
        "ldas.0.feeders.0.ders.pv.power=1 MW",
        "market.reserves={kind: none}",
        "market.commitment={kind: solve}",
        "forecast={kind: perfect}",
        "transmission.rating_factors={D-E: 0.9}",
    ],
)
def test_a_plan_serves_no_study_that_differs_in_what_it_reads(change: str) -> None:
    base, other = load_study(TINY), load_study(TINY, [change])
    assert plan_hash(other) != plan_hash(base)
    assert scenario_hash(other) != scenario_hash(base)


def test_another_day_of_the_study_makes_another_plan() -> None:
    sets = ["horizon.start=2020-03-27T00:00:00"]
    one, two = (load_study(TINY, [*sets, f"horizon.duration={days} d"]) for days in (1, 2))
    assert plan_hash(one) != plan_hash(two)


def test_a_scenario_hangs_on_what_its_files_hold_and_not_on_where_they_are(tmp_path: Path) -> None:
    found = []
    for name, kwh in (("a", 100), ("b", 100), ("c", 200)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "ders.csv").write_text(
            f"name,kind,bus,phases,kw,kwh,kva,owner,aggregator,profile\nb1,battery,671,123,50,{kwh},50,x,,\n"
        )
        text = VALID.replace("        ders:\n", "        der_table: ders.csv\n        ders:\n")
        study, _ = written(folder, text)
        found.append(load_study(study))
    assert scenario_hash(found[0]) == scenario_hash(found[1]) != scenario_hash(found[2])
    assert plan_hash(found[0]) == plan_hash(found[1]) != plan_hash(found[2])

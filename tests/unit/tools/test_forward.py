"""The forward plan: one commitment and price forecast for every model, from a search or from a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from federates.core.errors import ConfigError
from federates.core.forward import FILE, ForwardPlan
from federates.scenario.lda import LdaScenario
from federates.tools.forward import forward_plan, run, uncoordinated_net_mw
from tests.build import TINY, study
from tests.unit.runner.test_scenario import CHANGES

UNITS = ("Alta", "Park City", "Solitude", "Sundance", "Brighton")


def given_file(folder: Path, text: str) -> str:
    path = folder / "commitment.csv"
    path.write_text(text)
    return f"market.commitment={{kind: file, path: {path}}}"


def rows(on: int = 1, hours: int = 24, units: tuple[str, ...] = UNITS) -> str:
    lines = [",".join(["day", "hour", *units])]
    lines += [",".join(map(str, [0, hour, *[on] * len(units)])) for hour in range(hours)]
    return "\n".join(lines) + "\n"


def test_the_plan_is_the_same_for_every_model() -> None:
    plans = [
        forward_plan(study(TINY, f"coordination={model}"))
        for model in ("uncoordinated", "grand_central_blind", "layered_total_dso")
    ]
    for plan in plans[1:]:
        for name in ForwardPlan.__slots__:
            assert np.array_equal(getattr(plan, name), getattr(plans[0], name))


def test_the_plan_reads_nothing_that_it_is_said_not_to_read() -> None:
    base = "market.commitment={kind: solve}"
    plan, other = (
        forward_plan(study(TINY, base)),
        forward_plan(study(TINY, base, *(f"{key}={value}" for key, value in CHANGES.items()))),
    )
    for name in ForwardPlan.__slots__:
        assert np.array_equal(getattr(other, name), getattr(plan, name))


def test_a_plan_comes_back_from_its_file(tmp_path: Path) -> None:
    plan = forward_plan(study())
    plan.write(tmp_path / FILE)
    back = ForwardPlan.read(tmp_path / FILE)
    for name in ForwardPlan.__slots__:
        assert np.array_equal(getattr(back, name), getattr(plan, name))
    assert plan.lmp_usd_per_mwh.shape == (1, 24, 5)
    assert plan.lmp_usd_per_mwh.min() > 0.0
    assert plan.committed.all()
    assert not plan.gap.any()


def test_a_run_s_commitment_can_be_given_to_the_next(tmp_path: Path) -> None:
    solved = study(TINY, "market.commitment={kind: solve}")
    found = run({"study": solved.model_dump(mode="json"), "run_dir": str(tmp_path)})
    assert json.loads(json.dumps(found)) == found
    assert found["gap_pct"][0] <= 0.5  # type: ignore[index]
    first = ForwardPlan.read(tmp_path / FILE)
    given = study(TINY, f"market.commitment={{kind: file, path: {tmp_path / 'commitment.csv'}}}")
    again = forward_plan(given)
    assert np.array_equal(again.committed, first.committed)
    assert not again.gap.any()
    np.testing.assert_allclose(again.lmp_usd_per_mwh, first.lmp_usd_per_mwh, atol=1e-6)


def test_columns_of_a_given_commitment_may_come_in_any_order(tmp_path: Path) -> None:
    text = rows(units=tuple(reversed(UNITS)))
    assert forward_plan(study(TINY, given_file(tmp_path, text))).committed.all()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (rows(units=UNITS[:-1]), r":1: misses unit 'Brighton'"),
        ("hour,day\n0,0\n", r":1: misses unit 'Alta'"),
        (rows().replace("day,hour", "hour,day"), r":1: must begin with the columns day, hour"),
        (rows(hours=23), r"day 0 needs the hours 0 to 23, once each"),
    ],
)
def test_a_given_commitment_that_does_not_fit_is_refused_by_file_and_line(
    tmp_path: Path, text: str, what: str
) -> None:
    with pytest.raises(ConfigError, match=what):
        forward_plan(study(TINY, given_file(tmp_path, text)))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (rows() + "0,23,1,1,1,1,1\n", r"commitment\.csv:26: day 0, hour 23 is there twice"),
        (rows().replace("\n0,5,1", "\n0,five,1"), r"commitment\.csv:7: "),
        (rows().replace("\n0,5,1,1", "\n0,5,1,yes"), r"commitment\.csv:7: "),
        (rows().replace("\n0,5,1,1,1,1,1", "\n0,5,1"), r"commitment\.csv:7: "),
        ("", r"commitment\.csv:1: "),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_its_line(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        forward_plan(study(TINY, given_file(tmp_path, text)))


def test_net_demand_counts_multiplicity() -> None:
    once, fivefold = (
        uncoordinated_net_mw(wanted, [LdaScenario(wanted, "lda2")], 0)
        for wanted in (study(TINY, f"ldas.1.multiplicity={m}") for m in (1, 5))
    )
    np.testing.assert_allclose(fivefold, 5.0 * once, rtol=1e-12)


def test_net_demand_is_what_sites_leave(tmp_path: Path) -> None:
    wanted = study()
    net = uncoordinated_net_mw(wanted, [LdaScenario(wanted, lda.name) for lda in wanted.ldas], 0)
    assert net.shape == (24, 2)
    # lda1 has five times 2 MW of sun, lda2 a fifth of it: noon dips there
    assert net[12, 0] < net[20, 0]
    assert net[12, 0] < net[12, 1]
    assert (net[20] > 0.0).all()

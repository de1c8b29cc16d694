"""``tandem commit``: what it says of a day agrees with itself and with the laws of a commitment."""

from __future__ import annotations

import json

import numpy as np
import pytest

from federates.core.exit_codes import ExitCode
from federates.tools.commit import PRICING_RUNS, run
from runner.cli import COMMIT_KEYS, _code
from runner.market_tables import LEVELS, OFF, committed_text

DATE, GAP = "2020-07-25", 0.02
MW = 1e-6


@pytest.fixture(scope="module")
def summer() -> dict[str, object]:
    return run({"date": DATE, "gap": GAP, "pricing": "fixed"})


def test_the_gap_is_certified_and_within_what_was_asked(summer: dict[str, object]) -> None:
    answer = summer["answer"]
    assert isinstance(answer, dict)
    assert set(answer) == {"status", "exit_reason", *COMMIT_KEYS}
    assert 0.0 <= answer["gap_pct"] <= 100.0 * GAP
    assert answer["objective_usd"] * (1.0 - answer["gap_pct"] / 100.0) == pytest.approx(
        answer["bound_usd"], rel=1e-9
    )
    assert answer["unserved_mwh"] == pytest.approx(0.0, abs=MW)


def test_units_that_are_off_give_nothing_and_some_are(summer: dict[str, object]) -> None:
    answer = summer["answer"]
    assert isinstance(answer, dict)
    on = np.array(list(answer["commitment"].values())).T
    output = np.array([answer["dispatch_mw"][unit] for unit in answer["commitment"]]).T
    assert on.shape == output.shape == (24, 73)
    assert 0 < on.sum() < on.size
    assert np.abs(output[on == 0]).max() <= MW


def test_reserves_are_held_and_a_faster_product_is_worth_no_less(summer: dict[str, object]) -> None:
    answer = summer["answer"]
    assert isinstance(answer, dict)
    held = {
        product: np.sum(list(awards.values()) or [np.zeros(24)], axis=0)
        for product, awards in answer["reserve_mw"].items()
    }
    assert (held["reg_up"] > 0.0).all()
    assert (held["reg_down"] > 0.0).all()
    price = {product: np.array(usd) for product, usd in answer["reserve_usd_per_mw_h"].items()}
    assert (price["reg_up"] >= price["spin"] - 1e-6).all()
    assert (price["spin"] >= price["supplemental"] - 1e-6).all()
    assert price["spin"].max() > 0.1


def test_output_covers_demand_and_losses(summer: dict[str, object]) -> None:
    answer, hours = summer["answer"], summer["hours"]
    assert isinstance(answer, dict)
    assert isinstance(hours, list)
    output = np.sum(list(answer["dispatch_mw"].values()), axis=0)
    demand = np.array([hour["demand_mw"] for hour in hours])
    assert min(answer["loss_mw"]) > 10.0
    np.testing.assert_allclose(output, demand + answer["loss_mw"], atol=1e-4)


def test_prices_by_hour_are_those_of_the_buses_and_a_line_parts_them(summer: dict[str, object]) -> None:
    answer, hours = summer["answer"], summer["hours"]
    assert isinstance(answer, dict)
    assert isinstance(hours, list)
    lmp = np.array(list(answer["lmp_usd_per_mwh"].values()))
    assert [h["least_usd_per_mwh"] for h in hours] == lmp.min(axis=0).tolist()
    assert [h["greatest_usd_per_mwh"] for h in hours] == lmp.max(axis=0).tolist()
    congested = [h["hour"] for h in hours if h["binding"]]
    assert congested
    assert (np.ptp(lmp, axis=0)[congested] > 0.0).all()
    parts = sum(
        np.array(list(answer[f"{part}_usd_per_mwh"].values())) for part in ("energy", "congestion", "loss")
    )
    np.testing.assert_allclose(parts, lmp, atol=1e-9)


def test_the_picture_shows_each_hour_of_each_unit_that_ran(summer: dict[str, object]) -> None:
    answer, text = summer["answer"], committed_text(summer)
    assert isinstance(answer, dict)
    assert PRICING_RUNS["fixed"] in text
    for unit, on in answer["commitment"].items():
        lines = [line for line in text.splitlines() if unit in line.split()]
        assert len(lines) == (1 if any(on) else 0)
        if any(on):
            marks = lines[0].split(unit)[1].split()[0]
            assert [mark != OFF for mark in marks] == [bool(hour) for hour in on]
            assert set(marks) <= {OFF, *LEVELS}


def test_the_command_gives_one_object_of_the_same_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(["commit", DATE, "--gap", "2", "--json"]) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"status", "exit_reason", *COMMIT_KEYS}
    assert found["date"] == DATE
    assert found["gap_pct"] <= 2.0


def test_a_date_outside_the_data_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(["commit", "2021-01-01", "--json"]) == ExitCode.CONFIG
    told = capsys.readouterr()
    assert "RTS-GMLC covers 2020 only" in told.err
    assert json.loads(told.out)["objective_usd"] is None

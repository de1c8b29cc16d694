"""True cost and emissions against hand calculations."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.costs import emissions_t_per_h, start_cost_usd, unit_cost_usd_per_h

# Unit 0: 100 $/h at its least 10 MW, then 20 MW at 15 and 30 MW at 25 $/MWh. Unit 1: 40 MW at 5 $/MWh.
P_MIN = np.array([10.0, 0.0])
NO_LOAD = np.array([100.0, 0.0])
BLOCK = np.array([[20.0, 30.0], [40.0, 0.0]])
PRICE = np.array([[15.0, 25.0], [5.0, 5.0]])


def cost(p_mw: list[float], on: tuple[bool, bool] = (True, True)) -> list[float]:
    return unit_cost_usd_per_h(
        np.array(p_mw),
        np.array(on),
        p_min_mw=P_MIN,
        no_load_usd_per_h=NO_LOAD,
        block_mw=BLOCK,
        block_usd_per_mwh=PRICE,
    ).tolist()


@pytest.mark.parametrize(
    ("p_mw", "expected"),
    [
        ([10.0, 0.0], [100.0, 0.0]),
        ([20.0, 8.0], [100.0 + 10 * 15, 40.0]),
        ([30.0, 40.0], [100.0 + 20 * 15, 200.0]),
        ([45.0, 40.0], [100.0 + 20 * 15 + 15 * 25, 200.0]),
        ([60.0, 40.0], [100.0 + 20 * 15 + 30 * 25, 200.0]),
    ],
)
def test_cost_adds_up_no_load_and_blocks(p_mw: list[float], expected: list[float]) -> None:
    assert cost(p_mw) == pytest.approx(expected, rel=1e-12)


def test_output_beyond_the_blocks_is_never_free() -> None:
    assert cost([62.0, 41.0]) == pytest.approx([100.0 + 20 * 15 + 30 * 25 + 2 * 25, 205.0], rel=1e-12)
    assert cost([9.0, -1.0]) == pytest.approx([100.0 - 15, -5.0], rel=1e-12)


def test_a_unit_that_is_off_costs_nothing() -> None:
    assert cost([60.0, 40.0], on=(False, True)) == [0.0, 200.0]


def test_leading_axes_are_instants() -> None:
    p_mw = np.random.default_rng(0).uniform(0.0, 60.0, (4, 3, 2))
    on = np.random.default_rng(1).uniform(size=(4, 3, 2)) < 0.7
    arrays = {
        "p_min_mw": P_MIN,
        "no_load_usd_per_h": NO_LOAD,
        "block_mw": BLOCK,
        "block_usd_per_mwh": PRICE,
    }
    whole = unit_cost_usd_per_h(p_mw, on, **arrays)
    assert whole.shape == (4, 3, 2)
    np.testing.assert_array_equal(whole[2, 1], unit_cost_usd_per_h(p_mw[2, 1], on[2, 1], **arrays))


def test_a_unit_without_blocks_costs_its_no_load() -> None:
    got = unit_cost_usd_per_h(
        np.array([[10.0, 0.0]]),
        np.array([[True, False]]),
        p_min_mw=P_MIN,
        no_load_usd_per_h=NO_LOAD + 1.0,
        block_mw=np.zeros((2, 0)),
        block_usd_per_mwh=np.zeros((2, 0)),
    )
    assert got.tolist() == [[101.0, 0.0]]


def test_a_start_costs_more_the_longer_the_unit_was_off() -> None:
    after = np.array([[0.0, 10.0, 12.0], [0.0, np.inf, np.inf]])
    usd = np.array([[7.0, 10.0, 11.0], [3.0, 3.0, 3.0]])
    off_h = np.array([[0.0, 0.0], [9.9, 100.0], [10.0, 1.0], [12.0, 1.0], [900.0, 1.0]])
    got = start_cost_usd(off_h, start_after_h=after, start_usd=usd)
    assert got.tolist() == [[7.0, 3.0], [7.0, 3.0], [10.0, 3.0], [11.0, 3.0], [11.0, 3.0]]


def test_only_units_that_run_emit_and_charging_does_not() -> None:
    rate = np.array([0.5, 0.4, 0.3])
    got = emissions_t_per_h(np.array([100.0, 50.0, -20.0]), np.array([True, False, True]), co2_t_per_mwh=rate)
    assert got.tolist() == [50.0, 0.0, 0.0]

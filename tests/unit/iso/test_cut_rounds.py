"""Rounds of questions about the cost of a day: bounds, where to ask, and when to stop."""

from __future__ import annotations

import numpy as np
import pytest

from federates.iso.cut_rounds import CutOptimum, CutRounds


def optimum(objective_usd: float, import_mw: float, area_usd: float) -> CutOptimum:
    return CutOptimum(
        objective_usd=objective_usd, import_mw=np.array([[import_mw]]), area_usd=np.array([area_usd])
    )


def test_bounds_close_in_and_questions_lie_half_way_to_the_best() -> None:
    """By hand. First optimum: 100 $, of which 60 bulk, at 10 MW. Asked there, the area says 50: 110 at most.

    The next optimum, 104 $ with 80 bulk at 20 MW; asked half-way, at 15 MW, where bulk costs at most 70.
    The area says 38 there: at most 108, which is better. The next optimum, 107 $ at 16 MW with 72 bulk, is
    asked at 15.5 MW, at most 71 bulk; 39 there is 110: worse, so that 15 MW stays the best.
    """
    rounds = CutRounds(optimum(100.0, 10.0, 40.0), gap=1e-3, rounds_limit=60)
    assert (rounds.question, rounds.asked_mw.item()) == (1, 10.0)
    rounds.answer(np.array([50.0]), optimum(104.0, 20.0, 24.0))
    assert (rounds.bounds[-1].lower_usd, rounds.bounds[-1].upper_usd) == (104.0, 110.0)
    assert (rounds.question, rounds.asked_mw.item()) == (2, 15.0)
    rounds.answer(np.array([38.0]), optimum(107.0, 16.0, 35.0))
    assert (rounds.bounds[-1].lower_usd, rounds.bounds[-1].upper_usd) == (107.0, 108.0)
    assert (rounds.best_mw.item(), rounds.asked_mw.item()) == (15.0, 15.5)
    assert not rounds.are_over
    rounds.answer(np.array([39.0]), optimum(107.95, 15.0, 37.95))
    assert rounds.best_mw.item() == 15.0
    assert rounds.bounds[-1].gap == pytest.approx(0.05 / 108.0)
    assert rounds.are_over


def test_the_rounds_end_with_the_last_message_allowed() -> None:
    rounds = CutRounds(optimum(100.0, 10.0, 40.0), gap=1e-9, rounds_limit=3)
    rounds.answer(np.array([50.0]), optimum(104.0, 20.0, 24.0))
    assert not rounds.are_over
    rounds.answer(np.array([50.0]), optimum(104.0, 20.0, 24.0))
    assert rounds.are_over

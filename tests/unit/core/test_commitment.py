"""Capacity is committed in the part of its hours that lies in the study."""

from __future__ import annotations

from datetime import datetime

import pytest

from federates.core.commitment import committed_intervals
from federates.core.settings import CapacitySettings
from federates.core.time import Clock

TERMS = CapacitySettings.model_validate({"price": 300, "target": "20 MW", "shortfall_price": 200})


@pytest.mark.parametrize(
    ("start_h", "duration_h", "first_h", "last_h"),
    [(0, 48, 17, 21), (18, 2, 18, 20), (20, 3, 20, 21), (12, 6, 17, 18)],
)
def test_a_commitment_is_cut_at_the_study_s_ends(
    start_h: int, duration_h: int, first_h: int, last_h: int
) -> None:
    """From 17:00 for 4 h, unless the study begins later or ends before."""
    clock = Clock(start=datetime.fromisoformat(f"2020-03-27T{start_h:02d}:00"), duration_s=3_600 * duration_h)
    held = committed_intervals(TERMS, clock, 0)
    assert held.start == 3_600 * (first_h - start_h)
    assert len(held) == 12 * (last_h - first_h)


def test_every_day_has_its_own_and_a_study_beside_it_has_none() -> None:
    clock = Clock(start=datetime.fromisoformat("2020-03-27"), duration_s=36 * 3_600)
    assert committed_intervals(TERMS, clock, 0)[0] == 17 * 3_600
    assert len(committed_intervals(TERMS, clock, 1)) == 0
    morning = Clock(start=datetime.fromisoformat("2020-03-27T08:00"), duration_s=3_600)
    assert len(committed_intervals(TERMS, morning, 0)) == 0

"""Inverters: the circle of power, and the curves of IEEE Std 1547-2018."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federates.der.inverter import (
    VOLT_VAR,
    Category,
    Priority,
    inside_circle,
    reactive_capability_kvar,
    reactive_room_kvar,
    volt_var_kvar,
    volt_watt_kw,
)

ROUNDING = 1e-12
"""Relative: a square root and two squares."""
S_KVA = np.array([100.0])


@pytest.mark.parametrize(
    ("category", "v_pu", "q_kvar"),
    [
        # Table 8, category A: +-25 % at 0.9 and 1.1, no dead band, so half of it half way
        ("A", 0.88, 25.0),
        ("A", 0.9, 25.0),
        ("A", 0.95, 12.5),
        ("A", 1.0, 0.0),
        ("A", 1.05, -12.5),
        ("A", 1.1, -25.0),
        ("A", 1.2, -25.0),
        # category B: +-44 % at 0.92 and 1.08, dead band 0.98 to 1.02
        ("B", 0.9, 44.0),
        ("B", 0.92, 44.0),
        ("B", 0.95, 22.0),
        ("B", 0.98, 0.0),
        ("B", 1.0, 0.0),
        ("B", 1.02, 0.0),
        ("B", 1.05, -22.0),
        ("B", 1.08, -44.0),
        ("B", 1.2, -44.0),
    ],
)
def test_volt_var_corners_and_middles_are_those_of_the_standard(
    category: Category, v_pu: float, q_kvar: float
) -> None:
    assert volt_var_kvar(np.array([v_pu]), S_KVA, category)[0] == pytest.approx(q_kvar, abs=1e-9)


@pytest.mark.parametrize("category", ["A", "B"])
def test_volt_var_never_rises_with_voltage_and_turns_its_sign(category: Category) -> None:
    q = volt_var_kvar(np.linspace(0.8, 1.2, 401), np.full(401, 50.0), category)
    assert (np.diff(q) <= 0.0).all()
    assert q[0] == 50.0 * VOLT_VAR[category].share[0] == -q[-1]


@pytest.mark.parametrize(
    ("v_pu", "least_kw", "allowed_kw"),
    [
        # Table 10: all of 100 kW to 1.06, the lesser of 20 % and the least output from 1.1
        (1.0, 10.0, 100.0),
        (1.06, 10.0, 100.0),
        (1.08, 10.0, 55.0),
        (1.1, 10.0, 10.0),
        (1.15, 30.0, 20.0),
        (1.08, -100.0, 50.0),  # what can absorb goes to zero
        (1.1, -100.0, 0.0),
    ],
)
def test_volt_watt_corners_and_middles_are_those_of_the_standard(
    v_pu: float, least_kw: float, allowed_kw: float
) -> None:
    allowed = volt_watt_kw(np.array([v_pu]), np.array([100.0]), np.array([least_kw]))
    assert allowed[0] == pytest.approx(allowed_kw, abs=1e-9)


@pytest.mark.parametrize(
    ("category", "p_kw", "low_kvar", "high_kvar"),
    [
        ("A", 50.0, -25.0, 44.0),
        ("B", 50.0, -44.0, 44.0),
        ("B", 10.0, -22.0, 22.0),  # half of the 20 % from which all is due
        ("B", -50.0, -44.0, 44.0),  # a charging battery as well
        ("B", 4.0, 0.0, 0.0),  # below 5 %
        ("B", 98.0, -np.sqrt(396.0), np.sqrt(396.0)),  # the circle: 100^2 - 98^2 = 396
    ],
)
def test_capability_is_that_of_table_7_inside_the_circle(
    category: Category, p_kw: float, low_kvar: float, high_kvar: float
) -> None:
    low, high = reactive_capability_kvar(np.array([p_kw]), np.array([100.0]), S_KVA, category)
    assert low[0] == pytest.approx(low_kvar)
    assert high[0] == pytest.approx(high_kvar)


@given(p_kw=st.floats(-300.0, 300.0), q_kvar=st.floats(-300.0, 300.0), s_kva=st.floats(1.0, 200.0))
@pytest.mark.parametrize("priority", ["active", "reactive"])
def test_powers_end_inside_the_circle_and_inside_they_stay(
    priority: Priority, p_kw: float, q_kvar: float, s_kva: float
) -> None:
    s = np.array([s_kva])
    p, q = inside_circle(np.array([p_kw]), np.array([q_kvar]), s, priority)
    assert np.hypot(p, q)[0] <= s_kva * (1.0 + ROUNDING)
    if np.hypot(p_kw, q_kvar) <= s_kva * (1.0 - ROUNDING):
        assert p[0] == p_kw
        assert q[0] == pytest.approx(q_kvar, rel=1e-9)


def test_priority_decides_which_power_is_cut() -> None:
    # 3-4-5: at 60 of 100 there is room for 80
    p, q = inside_circle(np.array([60.0]), np.array([90.0]), S_KVA, "active")
    assert (p[0], q[0]) == pytest.approx((60.0, 80.0))
    p, q = inside_circle(np.array([90.0]), np.array([60.0]), S_KVA, "reactive")
    assert (p[0], q[0]) == pytest.approx((80.0, 60.0))


def test_room_is_none_at_the_rating_and_beyond() -> None:
    room = reactive_room_kvar(np.full(3, 100.0), np.array([0.0, 100.0, -130.0]))
    assert room.tolist() == [100.0, 0.0, 0.0]

"""By hand: what a total DSO's day-ahead award schedules, and which round it answers."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.core.curve import NetCurve
from federates.core.messages import InterfaceAward
from federates.dso.bid import LdaCurve
from federates.dso.roles.day_plan import DayPlan, DayPlans

SETS = 10
AREA = LdaCurve(
    net_curve=NetCurve(import_mw=np.array([1.0, 3.0]), price_usd_per_mwh=np.array([20.0, 20.0])),
    import_mw=np.array([1.0, 3.0]),
    cost_usd_per_h=np.array([40.0, 0.0]),
    p_kw=(np.array([[2_000.0, 0.0], [0.0, 0.0]]), np.array([[0.0], [0.0]])),
    q_kvar=(np.zeros((2, 2)), np.zeros((2, 1))),
)
"""Between an import of 1 MW, where the first of three DERs gives 2 MW, and of 3 MW, where none gives any."""


def plan(expected_usd_per_mwh: float, battery_kw: tuple[float, ...] = (0.0, 0.0, 0.0)) -> DayPlan:
    return DayPlan(
        curves=(AREA,),
        battery_kw=np.array(battery_kw),
        expected_usd_per_mwh=np.array([expected_usd_per_mwh]),
    )


def award(import_mw: float, store_mw: float | None = None) -> InterfaceAward:
    return InterfaceAward(
        interval_s=0,
        length_s=3_600,
        award_mw=np.array([SETS * import_mw]),
        lmp_usd_per_mwh=np.array([20.0]),
        store_mw=np.zeros(0) if store_mw is None else np.array([SETS * store_mw]),
    )


def scheduled_kw(made: DayPlan, answer: InterfaceAward) -> FloatArray:
    (p_kw,) = made.scheduled_kw(answer, SETS, np.concatenate)
    return p_kw


@pytest.mark.parametrize(("import_mw", "first_kw"), [(1.0, 2_000.0), (1.5, 1_500.0), (3.0, 0.0)])
def test_an_award_on_the_curve_schedules_the_set_points_behind_it(import_mw: float, first_kw: float) -> None:
    assert scheduled_kw(plan(20.0), award(import_mw)) == pytest.approx([first_kw, 0.0, 0.0])


def test_batteries_beside_the_curve_share_what_their_store_draws_by_their_power() -> None:
    """Of 2.4 MW the store draws 0.4, so that the curve is at 2.0, where the first DER gives 1 MW."""
    made = plan(20.0, battery_kw=(0.0, 300.0, 100.0))
    assert scheduled_kw(made, award(2.4, 0.4)) == pytest.approx([1_000.0, -300.0, -100.0])
    # discharge of 0.2 MW: the curve is at 2.6
    assert scheduled_kw(made, award(2.4, -0.2)) == pytest.approx([400.0, 150.0, 50.0])


@pytest.mark.parametrize(("lmp", "place"), [(40.0, 0), (20.0, 1), (27.0, 2)])
def test_an_award_belongs_to_the_round_that_had_its_prices(lmp: float, place: int) -> None:
    """Rounds cleared at 40 and 20: the second expected 40, the third their mean; its own price is unknown."""
    plans = DayPlans(rounds=[plan(35.0), plan(40.0), plan(30.0)])
    assert plans.answered(np.array([lmp])) is plans.rounds[place]

"""Make-whole payments worked out by hand."""

from __future__ import annotations

import numpy as np

from federates.cases.rows import UnitRow, units_of
from federates.iso.ledger import MAKE_WHOLE, book_make_whole
from federates.iso.make_whole import (
    DAY_AHEAD,
    REAL_TIME,
    Operation,
    RunState,
    UnitBooks,
    make_whole_usd,
    offer_cost_usd_per_h,
    starts_usd,
)

UNITS = units_of(
    [
        UnitRow(
            id="steam",
            bus=0,
            kind="thermal",
            p_min_mw=40.0,
            p_max_mw=100.0,
            ramp_mw_per_min=5.0,
            no_load_usd_per_h=900.0,
            blocks=((30.0, 20.0), (30.0, 25.0)),
            starts=((2.0, 500.0), (8.0, 1_200.0)),
        )
    ]
)
ON, OFF = np.array([True]), np.array([False])


def test_cost_is_no_load_and_the_blocks_used() -> None:
    """80 MW: 900 + 30 x 20 + 10 x 25 = 1,750 $/h."""
    assert offer_cost_usd_per_h(UNITS, np.array([80.0]), ON).tolist() == [1_750.0]
    assert offer_cost_usd_per_h(UNITS, np.array([0.0]), OFF).tolist() == [0.0]


def test_start_costs_its_category_and_only_when_it_happens() -> None:
    """Off for 3 h: 500; off for 8 h: 1,200; running on: nothing."""
    assert starts_usd(UNITS, RunState(on=OFF, in_state_h=np.array([3.0])), ON).tolist() == [500.0]
    assert starts_usd(UNITS, RunState(on=OFF, in_state_h=np.array([8.0])), ON).tolist() == [1_200.0]
    assert starts_usd(UNITS, RunState(on=ON, in_state_h=np.array([8.0])), ON).tolist() == [0.0]


def test_state_counts_the_hours_since_it_changed() -> None:
    state = RunState(on=OFF, in_state_h=np.array([7.0]))
    later = state.after(OFF, 1.0)
    assert later.in_state_h.tolist() == [8.0]
    assert later.after(ON, 0.25).in_state_h.tolist() == [0.25]


def test_make_whole_counts_reserve_revenue() -> None:
    """Two hours at 80 MW and LMP 20, from a warm start: cost 2 x 1,750 + 500 = 4,000, energy earns 3,200.

    Energy alone leaves 800 to be made whole; 20 MW of spinning reserve at 25 earn 1,000 and leave nothing.
    """
    state = RunState(on=OFF, in_state_h=np.array([3.0]))
    cost = 2.0 * offer_cost_usd_per_h(UNITS, np.array([80.0]), ON) + starts_usd(UNITS, state, ON)
    energy, reserve = np.array([2.0 * 80.0 * 20.0]), np.array([2.0 * 20.0 * 25.0])
    assert cost.tolist() == [4_000.0]
    assert make_whole_usd(cost, energy).tolist() == [800.0]
    assert make_whole_usd(cost, energy + reserve).tolist() == [0.0]


def operation(output_mw: float, *, starts: float = 0.0) -> Operation:
    none = np.zeros(1)
    return Operation(
        output_mw=np.array([output_mw]),
        on=ON,
        reserve_cost_usd_per_h=none,
        starts_usd=np.array([starts]),
    )


def real_time_usd(output_mw: float, revenue_usd: float, *, out: bool = False) -> float:
    """Make-whole of an hour that was scheduled at 80 MW."""
    books = UnitBooks(UNITS, ON)
    books.add_real_time(operation(80.0), operation(output_mw), np.array([revenue_usd]), 1.0, np.array([out]))
    assert not books.make_whole_usd(DAY_AHEAD).any()
    return float(books.make_whole_usd(REAL_TIME)[0])


def test_energy_beyond_the_schedule_is_made_whole() -> None:
    """20 MWh more cost 20 x 25 = 500; at 22 they earn 440; nothing for a unit that is out."""
    assert real_time_usd(100.0, 440.0) == 60.0
    assert real_time_usd(100.0, 540.0) == 0.0
    assert real_time_usd(100.0, 440.0, out=True) == 0.0


def test_loss_on_energy_bought_back_is_not_made_whole_but_its_gain_counts() -> None:
    """10 MWh less save 10 x 25 = 250. Bought back at 90 they cost 900: a loss of 650 at the unit's own risk.

    Bought back at 10 they cost 100: a gain of 150, which a start of 400 in the next hour has to bear first.
    """
    assert real_time_usd(70.0, -900.0) == 0.0
    books = UnitBooks(UNITS, ON)
    books.add_real_time(operation(80.0), operation(70.0), np.array([-100.0]), 1.0, OFF)
    books.add_real_time(operation(80.0), operation(80.0, starts=400.0), np.zeros(1), 1.0, OFF)
    assert books.make_whole_usd(REAL_TIME).tolist() == [250.0]


def test_make_whole_is_borne_by_the_loads() -> None:
    """800 to the unit; two loads that drew 3 and 1 MWh pay 600 and 200."""
    booked = book_make_whole(np.array([800.0, 0.0, 0.0]), np.array([0.0, 3.0, 1.0]))
    assert [line.amount_usd.tolist() for line in booked.lines] == [[800.0, 0.0, 0.0], [0.0, -600.0, -200.0]]
    assert booked.accounts_usd[MAKE_WHOLE] == -800.0

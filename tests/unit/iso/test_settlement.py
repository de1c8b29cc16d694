"""Settlements worked out by hand on two buses and one line.

A (100 MW at 50 $/MWh) at bus 1, B (200 MW at 80 $/MWh) at bus 2, the load at bus 2, and a line of 60 MW that
binds from 1 to 2: LMP 50 and 80, shadow price -30. Participants: A, B, load.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.iso.ledger import CONGESTION, IMBALANCE, LOSS, LOSS_DIFFERENCE, RESERVE, UNEXPLAINED, book
from federates.iso.settlement import (
    Places,
    meter_gap_mwh,
    served_mw,
    settle_day_ahead,
    settle_real_time,
)
from tests.unit.iso.settlement_cases import as_dispatched, market_of, metered_of, places_of, with_reserves

PLACES = places_of([0, 1, 1], 2, 1)
DAY_AHEAD = market_of([60.0, 90.0, -150.0], [50.0, 80.0], [60.0], [-30.0])
DRAWN: FloatArray = np.array([0.0, 0.0, 1.0])
USD = 1e-9
"""Of amounts of some 1e4 $: all digits but the last three."""
A, B, LOAD = 0, 1, 2


def test_day_ahead_pays_each_at_its_own_price_and_the_line_earns_the_difference() -> None:
    """A 60 x 50 = 3,000; B 90 x 80 = 7,200; load -150 x 80 = -12,000; the line 30 x 60 = 1,800."""
    paid = settle_day_ahead(PLACES, DAY_AHEAD, 1.0)
    assert paid.energy_usd.tolist() == [3_000.0, 7_200.0, -12_000.0]
    assert paid.congestion_rent_usd == 1_800.0
    assert paid.loss_surplus_usd == paid.cap_cost_usd == 0.0
    booked = book(paid, (), DRAWN)
    assert booked.accounts_usd[UNEXPLAINED] == 0.0
    assert booked.accounts_usd[CONGESTION] == 1_800.0
    assert booked.lines[-1].item == "congestion_share"
    assert booked.lines[-1].amount_usd.tolist() == [0.0, 0.0, 1_800.0]


def test_real_time_pays_departures_only() -> None:
    """Load 160 for 150, B 100 for 90: B 10 x 80 = 800, load -10 x 80 = -800, the line nothing."""
    real_time = market_of([60.0, 100.0, -160.0], [50.0, 80.0], [60.0], [-30.0])
    paid = settle_real_time(PLACES, DAY_AHEAD, real_time, as_dispatched(real_time, 1.0), 1.0)
    assert paid.energy_usd.tolist() == [0.0, 800.0, -800.0]
    assert paid.congestion_rent_usd == paid.imbalance_usd == paid.loss_difference_usd == 0.0


def test_line_that_no_longer_binds_gives_its_day_ahead_rent_back_at_real_time_prices() -> None:
    """Real time at 40 MW rating and 50/90: A 40, B 110. A -20 x 50 = -1,000; B 20 x 90 = 1,800; load 0.

    The ISO is 800 short: the line carries 20 MW less at 40 $/MWh, -800.
    """
    real_time = market_of([40.0, 110.0, -150.0], [50.0, 90.0], [40.0], [-40.0])
    paid = settle_real_time(PLACES, DAY_AHEAD, real_time, as_dispatched(real_time, 1.0), 1.0)
    assert paid.energy_usd.tolist() == [-1_000.0, 1_800.0, 0.0]
    assert paid.congestion_rent_usd == -800.0
    assert book(paid, (), DRAWN).accounts_usd[UNEXPLAINED] == 0.0


def test_losses_as_fixed_demand_are_a_cost_of_the_loads() -> None:
    """2 MW of losses at bus 2: B earns 92 x 80 = 7,360, the load pays 12,000; loss surplus -2 x 80 = -160."""
    market = market_of([60.0, 92.0, -150.0], [50.0, 80.0], [60.0], [-30.0], loss_mw=[0.0, 2.0])
    paid = settle_day_ahead(PLACES, market, 1.0)
    assert paid.loss_surplus_usd == -160.0
    booked = book(paid, (), DRAWN)
    assert booked.accounts_usd[LOSS] == -160.0
    assert booked.accounts_usd[UNEXPLAINED] == 0.0


def test_marginal_losses_leave_a_surplus() -> None:
    """One line of loss 0.0005 f^2, no rating, A alone at 50 $/MWh, losses borne at bus 2.

    A gives 100, the line loses 5, the load draws 95, so that p' = (100, -100). One more MW from A loses
    2 x 0.0005 x 100 = 0.1 MW more: LMP = 50 at bus 1 and 50 / 0.9 = 55.5... at bus 2. The load pays
    95 x 55.5... = 5,277.78 and A earns 5,000: 277.78 is left. The loss parts (0, 5.5...) collect
    100 x 5.5... = 555.55, and the losses cost 5 x 55.5... = 277.78.
    """
    at_two = 50.0 / 0.9
    market = replace(
        market_of([100.0, 0.0, -95.0], [50.0, at_two], [100.0], [0.0], loss_mw=[0.0, 5.0]),
        loss_usd_per_mwh=np.array([0.0, at_two - 50.0]),
    )
    paid = settle_day_ahead(PLACES, market, 1.0)
    assert paid.energy_usd.sum() == pytest.approx(-277.7777777778)
    assert paid.loss_surplus_usd == pytest.approx(277.7777777778)


def test_loss_difference_is_paid_at_the_price_of_the_unit_that_responds() -> None:
    """The market took 2 MW of losses at bus 2, AC has 3; A alone responds: 1 MW at its 50 $/MWh.

    Nothing deviates and so nothing is made good but losses: no imbalance.
    """
    market = market_of([60.0, 92.0, -150.0], [50.0, 80.0], [60.0], [-30.0], loss_mw=[0.0, 2.0])
    metered = metered_of(market.injection_mw, np.array([1.0, 0.0, 0.0]), 3.0, 1.0)
    assert metered.injection_mwh[A] == 61.0
    paid = settle_real_time(PLACES, market, market, metered, 1.0)
    assert paid.energy_usd.tolist() == [50.0, 0.0, 0.0]
    assert paid.loss_difference_usd == 50.0
    assert paid.imbalance_usd == 0.0
    booked = book(paid, (), DRAWN)
    assert booked.accounts_usd[LOSS_DIFFERENCE] == -50.0
    assert booked.accounts_usd[UNEXPLAINED] == 0.0
    assert booked.lines[-1].amount_usd.tolist() == [0.0, 0.0, -50.0]


def test_deviation_pays_its_own_price_and_imbalance_is_what_making_it_good_leaves() -> None:
    """The load draws 4 MW more at 80 while A gives them at 50: 320 come in, 200 go out, 120 is imbalance."""
    set_mw = np.array([60.0, 90.0, -154.0])
    metered = metered_of(set_mw, np.array([1.0, 0.0, 0.0]), 0.0, 1.0)
    paid = settle_real_time(PLACES, DAY_AHEAD, DAY_AHEAD, metered, 1.0)
    assert paid.energy_usd.tolist() == [200.0, 0.0, -320.0]
    assert paid.imbalance_usd == 120.0
    booked = book(paid, (), DRAWN)
    assert booked.accounts_usd[IMBALANCE] == 120.0
    assert booked.accounts_usd[UNEXPLAINED] == 0.0


def test_missing_meter_stays_unexplained() -> None:
    """The load's meter is lost: it is paid 12,000 for what it bought; 154 MWh at 50, A's price, are missing.

    Taken in: -12,000 - 200 of A. Imbalance is 150 MWh of deviation at 80 - 50: -4,500. That leaves -7,700.
    """
    metered = metered_of(np.array([60.0, 90.0, -154.0]), np.array([1.0, 0.0, 0.0]), 0.0, 1.0)
    seen = np.array([1.0, 1.0, 0.0])
    lost = replace(metered, injection_mwh=seen * metered.injection_mwh, own_mwh=seen * metered.own_mwh)
    assert meter_gap_mwh(metered) == 0.0
    assert meter_gap_mwh(lost) == 154.0
    paid = settle_real_time(PLACES, DAY_AHEAD, DAY_AHEAD, lost, 1.0)
    assert book(paid, (), DRAWN).accounts_usd[UNEXPLAINED] == -7_700.0


def test_capped_price_is_paid_and_the_difference_to_the_raw_one_is_a_cost() -> None:
    """Raw price at bus 2 is 4,000, published 3,500: B earns 90 x 3,500, the load pays 150 x 3,500.

    Taken in: 525,000 - 315,000 - 3,000 = 207,000. The line's rent at raw prices is 3,950 x 60 = 237,000: the
    cap costs 30,000 = (3,500 - 4,000) x (90 - 150).
    """
    market = replace(
        market_of([60.0, 90.0, -150.0], [50.0, 4_000.0], [60.0], [-3_950.0]),
        lmp_usd_per_mwh=np.array([50.0, 3_500.0]),
    )
    paid = settle_day_ahead(PLACES, market, 1.0)
    assert paid.energy_usd.sum() == -207_000.0
    assert paid.congestion_rent_usd == 237_000.0
    assert paid.cap_cost_usd == 30_000.0
    assert book(paid, (), DRAWN).accounts_usd[UNEXPLAINED] == 0.0


def test_negative_price_keeps_its_sign() -> None:
    """At -20 $/MWh a producer of 10 MW pays 200 and a load of 10 MW earns 200."""
    market = market_of([10.0, 0.0, -10.0], [-20.0, -20.0], [10.0], [0.0])
    paid = settle_day_ahead(PLACES, market, 1.0)
    assert paid.energy_usd.tolist() == [-200.0, 0.0, 200.0]
    assert paid.congestion_rent_usd == 0.0


def test_load_that_was_not_served_does_not_pay() -> None:
    """Of 30 MW load and 10 MW charging at bus 2, 8 MW is shed: a fifth of each."""
    served = served_mw(np.array([50.0, -10.0, -30.0]), PLACES.bus, np.array([0.0, 8.0]))
    assert served.tolist() == [50.0, -8.0, -24.0]


def test_reserves_are_paid_like_energy_and_borne_by_the_loads() -> None:
    """B sells 20 MW of reserve at 5 day-ahead and 15 MW at 8 in real time: 100 and -5 x 8 = -40."""
    reserve = np.array([[0.0], [20.0], [0.0]])
    day_ahead = with_reserves(DAY_AHEAD, reserve, np.full((3, 1), 5.0))
    real_time = with_reserves(DAY_AHEAD, 0.75 * reserve, np.full((3, 1), 8.0))
    forward = settle_day_ahead(PLACES, day_ahead, 1.0)
    spot = settle_real_time(PLACES, day_ahead, real_time, as_dispatched(real_time, 1.0), 1.0)
    assert forward.reserve_usd[:, 0].tolist() == [0.0, 100.0, 0.0]
    assert spot.reserve_usd[:, 0].tolist() == [0.0, -40.0, 0.0]
    booked = book(forward, ("spin",), DRAWN)
    assert booked.accounts_usd[RESERVE] == -100.0
    assert [line.item for line in booked.lines] == ["energy", "spin", "congestion_share", "reserve_share"]
    assert booked.lines[-1].amount_usd.tolist() == [0.0, 0.0, -100.0]


def test_direct_current_line_earns_the_difference_between_its_ends() -> None:
    """A DC line takes 10 of A's 60 MW to bus 2 at no loss; the AC line, then rated 50, carries 50 at -30.

    Taken in is 1,800 as before: 30 x 50 = 1,500 of the AC line and 10 x 30 = 300 of the DC line.
    """
    places = Places(
        bus=PLACES.bus,
        buses_count=2,
        dc_from=np.array([0]),
        dc_to=np.array([1]),
        shift_flow_mw=np.zeros(1),
    )
    market = replace(market_of([60.0, 90.0, -150.0], [50.0, 80.0], [50.0], [-30.0]), dc_mw=np.array([10.0]))
    paid = settle_day_ahead(places, market, 1.0)
    assert paid.congestion_rent_usd == 1_800.0
    assert book(paid, (), DRAWN).accounts_usd[UNEXPLAINED] == 0.0


def test_taker_of_what_has_no_taker_stands_for_the_iso() -> None:
    """20 MW without a taker at bus 1, raw price -500, published -150; one bus, so A 60, load -40, ISO -20.

    A pays 60 x 150 = 9,000, the load earns 6,000 and so does the ISO's taker 3,000. The loads get the ISO's
    3,000, less nothing: the cap costs (-150 + 500) x (60 - 40 - 20) = 0.
    """
    places = places_of([0, 0, 0], 1, 0)
    market = replace(market_of([60.0, -40.0, -20.0], [-150.0], [], []), raw_usd_per_mwh=np.array([-500.0]))
    booked = book(settle_day_ahead(places, market, 1.0), (), np.array([0.0, 1.0, 0.0]), of_iso=(2,))
    assert booked.accounts_usd["cap"] == 3_000.0
    assert booked.accounts_usd[UNEXPLAINED] == 0.0
    assert booked.lines[-1].amount_usd.tolist() == [0.0, 3_000.0, 0.0]


def test_nobody_who_draws_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody has drawn"):
        book(settle_day_ahead(PLACES, DAY_AHEAD, 1.0), (), np.zeros(3))

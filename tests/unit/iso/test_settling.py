"""The settlement as it goes along: hours and days are closed where they end, and state goes over midnight."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from federates.cases.case import TransmissionCase
from federates.core.arrays import FloatArray
from federates.core.errors import MissingInputError
from federates.core.messages import DerOffers, IntervalMeters
from federates.core.tables import ACCOUNT, SETTLEMENT
from federates.core.time import Clock
from federates.iso.make_whole import RunState
from federates.iso.participants import Dispatched, Participants, Reserves, der_injections_mw
from federates.iso.settling import Settlement
from federates.recording.memory import MemoryRecorder
from tests.unit.iso.market_cases import two_bus

HOUR_S, DAY_S = 3_600, 86_400
LMP: FloatArray = np.array([50.0, 80.0])
ON = np.ones(2, dtype=np.bool_)
OUT = np.zeros(2, dtype=np.bool_)
STANDING = RunState(on=ON, in_state_h=np.array([100.0, 100.0]))
USD = 1e-9


def costly(case: TransmissionCase) -> TransmissionCase:
    """The two-bus case with a no-load cost and two categories of starts at unit B."""
    units = replace(
        case.units,
        no_load_usd_per_h=np.array([0.0, 300.0]),
        start_after_h=np.array([[0.0, np.inf], [0.0, 6.0]]),
        start_usd=np.array([[0.0, 0.0], [400.0, 1_000.0]]),
    )
    return replace(case, units=units)


def cleared(load_mw: float = 150.0, import_mw: float = 0.0, der_mw: float = 0.0) -> Dispatched:
    """A 60 MW at 50, B the rest at 80, a line of 60 MW between them, no losses."""
    none = np.zeros(2)
    return Dispatched(
        unit_mw=np.array([60.0, load_mw + import_mw - der_mw - 60.0]),
        load_mw=np.array([0.0, load_mw]),
        loss_mw=none,
        import_mw=np.array([import_mw]),
        der_mw=np.array([der_mw]),
        shed_mw=none,
        surplus_mw=none,
        flow_mw=np.array([60.0]),
        line_price_usd_per_mwh=np.array([-30.0]),
        dc_mw=np.zeros(0),
        lmp_usd_per_mwh=LMP,
        raw_usd_per_mwh=LMP,
        loss_usd_per_mwh=none,
    )


def read(begin: int, dispatch: Dispatched, length_h: float, more_mw: float = 0.0) -> IntervalMeters:
    """Meters that follow the dispatch, but for ``more_mw`` of load that unit A makes good."""
    share = np.array([1.0, 0.0])
    return IntervalMeters(
        interval_s=begin,
        unit_mwh=length_h * (dispatch.unit_mw + more_mw * share),
        set_point_mwh=length_h * dispatch.unit_mw,
        load_mwh=length_h * (dispatch.load_mw + np.array([0.0, more_mw])),
        interchange_mwh=length_h * (dispatch.import_mw - dispatch.der_mw.sum()),
        losses_mwh=0.0,
        drawn_response_mwh=length_h * more_mw * share,
        loss_response_mwh=np.zeros(2),
        share_h=length_h * share,
    )


def clock(start: str = "2020-03-27T00:00", duration_s: int = DAY_S, market_s: int = HOUR_S) -> Clock:
    return Clock(start=datetime.fromisoformat(start), duration_s=duration_s, market_s=market_s, step_s=300)


def settlement(time: Clock, case: TransmissionCase | None = None) -> tuple[Settlement, MemoryRecorder]:
    recorder = MemoryRecorder()
    chosen = two_bus() if case is None else case
    return Settlement(chosen, (("south", 1),), (("own", 1),), time, recorder), recorder


def go(
    ledger: Settlement,
    time: Clock,
    begins: range,
    dispatch: Dispatched,
    *,
    on: np.ndarray = ON,
    more_mw: float = 0.0,
) -> None:
    for begin in begins:
        ledger.real_time(begin, dispatch, on, OUT)
        length_h = time.market_s / HOUR_S
        ledger.settle(read(begin, dispatch, length_h, more_mw), length_h * dispatch.der_mw, OUT)


def accounts(recorder: MemoryRecorder) -> dict[tuple[str, str], float]:
    """Columns of the only day's account by market and name, unit left out."""
    markets = recorder.ids(ACCOUNT)
    return {
        (market, column.name): float(value)
        for column in ACCOUNT.columns
        for market, value in zip(markets, recorder.column(ACCOUNT, column.name), strict=True)
    }


def test_a_day_that_goes_as_bought_settles_in_the_day_ahead_market_alone() -> None:
    """24 h: A 60 x 50, B 90 x 80, load 150 x 80, line 60 x 30; offers at cost, so nobody is made whole."""
    time = clock()
    ledger, recorder = settlement(time)
    ledger.day_ahead(0, [cleared()] * 24, np.stack([ON] * 24), STANDING)
    go(ledger, time, range(0, DAY_S, HOUR_S), cleared())
    found = accounts(recorder)
    assert found["day_ahead", "load_payment_usd"] == 24 * 12_000.0
    assert found["day_ahead", "unit_revenue_usd"] == 24 * 10_200.0
    assert found["day_ahead", "congestion_rent_usd"] == 24 * 1_800.0
    assert not any(value for (market, _), value in found.items() if market == "real_time")
    assert found["day_ahead", "make_whole_usd"] == found["day_ahead", "unexplained_usd"] == 0.0
    assert sorted(set(recorder.rows(SETTLEMENT).t_s.tolist())) == list(range(0, DAY_S, HOUR_S))
    amounts = dict(zip(recorder.ids(SETTLEMENT), recorder.column(SETTLEMENT, "amount_usd"), strict=True))
    assert amounts["load/2/day_ahead/energy"] == -12_000.0
    assert amounts["load/2/day_ahead/congestion_share"] == 1_800.0
    assert not any(name.endswith("/real_time/energy") for name in amounts)


def test_lines_of_an_hour_add_up_its_intervals() -> None:
    """Four quarters; the load draws 4 MW more than bought: 1 MWh x 80 each, which A gives at 50."""
    time = clock(duration_s=HOUR_S, market_s=900)
    ledger, recorder = settlement(time)
    ledger.day_ahead(0, [cleared()] * 24, np.stack([ON] * 24), STANDING)
    go(ledger, time, range(0, HOUR_S, 900), cleared(), more_mw=4.0)
    names = recorder.ids(SETTLEMENT)
    mwh = dict(zip(names, recorder.column(SETTLEMENT, "quantity_mwh"), strict=True))
    usd = dict(zip(names, recorder.column(SETTLEMENT, "amount_usd"), strict=True))
    assert mwh["load/2/real_time/energy"] == -4.0
    assert usd["load/2/real_time/energy"] == -320.0
    assert usd["unit/A/real_time/energy"] == 200.0
    assert usd["load/2/real_time/imbalance_share"] == 120.0
    price = dict(zip(names, recorder.column(SETTLEMENT, "price_usd_per_mwh"), strict=True))
    assert price["load/2/real_time/energy"] == 80.0
    assert accounts(recorder)["real_time", "unexplained_usd"] == 0.0


def test_an_lda_is_settled_for_its_interchange_less_its_ders() -> None:
    """The LDA's curve takes 20 MW, its DERs inject 5: interchange 15, bought and metered, counted once."""
    time = clock(duration_s=HOUR_S)
    ledger, recorder = settlement(time)
    dispatch = cleared(import_mw=20.0, der_mw=5.0)
    ledger.day_ahead(0, [dispatch] * 24, np.stack([ON] * 24), STANDING)
    go(ledger, time, range(0, HOUR_S, HOUR_S), dispatch)
    mwh = dict(zip(recorder.ids(SETTLEMENT), recorder.column(SETTLEMENT, "quantity_mwh"), strict=True))
    assert mwh["lda/south/day_ahead/energy"] == -20.0
    assert mwh["der/own/day_ahead/energy"] == 5.0
    assert mwh["lda/south/day_ahead/congestion_share"] == -15.0
    assert not any(name.endswith("/real_time/energy") for name in mwh)
    assert accounts(recorder)["day_ahead", "lda_payment_usd"] == 1_600.0


def test_what_ders_miss_of_their_awards_is_theirs() -> None:
    """DERs were awarded 5 MW and gave 3: the interchange is 17, not 15, and the LDA itself as bought."""
    time = clock(duration_s=HOUR_S)
    ledger, recorder = settlement(time)
    dispatch = cleared(import_mw=20.0, der_mw=5.0)
    ledger.day_ahead(0, [dispatch] * 24, np.stack([ON] * 24), STANDING)
    ledger.real_time(0, dispatch, ON, OUT)
    meters = read(0, dispatch, 1.0, more_mw=2.0)
    meters = replace(meters, load_mwh=dispatch.load_mw, interchange_mwh=np.array([17.0]))
    ledger.settle(meters, np.array([3.0]), OUT)
    mwh = dict(zip(recorder.ids(SETTLEMENT), recorder.column(SETTLEMENT, "quantity_mwh"), strict=True))
    assert mwh["der/own/real_time/energy"] == -2.0
    assert "lda/south/real_time/energy" not in mwh
    found = accounts(recorder)
    assert found["real_time", "unexplained_usd"] == found["real_time", "meter_gap_mwh"] == 0.0
    # 2 MWh missing at 80, made good at 50
    assert found["real_time", "imbalance_usd"] == 60.0


def test_reserves_have_lines_of_their_own_and_count_for_make_whole() -> None:
    """B, an hour at its offer of 80 and no load of 300, asks 20 for 10 MW of spin: short of 320.

    At 25 $/MWh spin earns 250, and 70 is left to be made whole; the LDA's 4 MW earn 100; the loads bear 350.
    """
    time = clock(duration_s=HOUR_S)
    recorder = MemoryRecorder()
    ledger = Settlement(costly(two_bus()), (("south", 1),), (), time, recorder, ("spin",))
    reserves = Reserves(
        unit_mw=np.array([[0.0], [10.0]]),
        lda_mw=np.array([[4.0]]),
        price_usd_per_mwh=np.array([[5.0], [25.0]]),
        unit_cost_usd_per_h=np.array([0.0, 20.0]),
    )
    dispatch = replace(cleared(), der_mw=np.zeros(0), reserves=reserves)
    ledger.day_ahead(0, [dispatch] * 24, np.stack([ON] * 24), STANDING)
    go(ledger, time, range(0, HOUR_S, HOUR_S), dispatch)
    usd = dict(zip(recorder.ids(SETTLEMENT), recorder.column(SETTLEMENT, "amount_usd"), strict=True))
    assert usd["unit/B/day_ahead/spin"] == 250.0
    assert usd["lda/south/day_ahead/spin"] == 100.0
    assert usd["load/2/day_ahead/reserve_share"] == -350.0
    assert usd["unit/B/day_ahead/make_whole"] == 70.0
    found = accounts(recorder)
    assert found["day_ahead", "reserve_cost_usd"] == 350.0
    assert not any(value for (market, _), value in found.items() if market == "real_time")


def test_start_and_no_load_that_prices_do_not_pay_are_made_whole() -> None:
    """B, off for 10 h, starts for hours 3 and 4: 2 x (300 + 90 x 80) + 1,000, and earns 2 x 7,200: 1,600.

    It pays the load for nothing else: its block is at its price.
    """
    time = clock()
    ledger, recorder = settlement(time, costly(two_bus()))
    hours = [cleared() if 3 <= h < 5 else cleared(load_mw=60.0) for h in range(24)]
    on = np.array([[True, 3 <= h < 5] for h in range(24)])
    before = RunState(on=np.array([True, False]), in_state_h=np.array([50.0, 7.0]))
    ledger.day_ahead(0, hours, on, before)
    for hour in range(24):
        go(ledger, time, range(hour * HOUR_S, (hour + 1) * HOUR_S, HOUR_S), hours[hour], on=on[hour])
    found = accounts(recorder)
    assert found["day_ahead", "make_whole_usd"] == pytest.approx(1_600.0)
    assert found["real_time", "make_whole_usd"] == 0.0
    usd = dict(zip(recorder.ids(SETTLEMENT), recorder.column(SETTLEMENT, "amount_usd"), strict=True))
    assert usd["unit/B/day_ahead/make_whole"] == 1_600.0
    assert usd["load/2/day_ahead/make_whole_share"] == -1_600.0


def test_a_start_in_real_time_is_real_times() -> None:
    """B is not scheduled; real time starts it for hour 5 after 5 h off, hot: 300 + 400 more than it earns."""
    time = clock()
    ledger, recorder = settlement(time, costly(two_bus()))
    scheduled = cleared(load_mw=60.0)
    ledger.day_ahead(
        0, [scheduled] * 24, np.array([[True, False]] * 24),
        RunState(on=np.array([True, False]), in_state_h=np.zeros(2)),
    )  # fmt: skip
    for hour in range(24):
        runs = hour == 5
        dispatch = cleared() if runs else scheduled
        begins = range(hour * HOUR_S, (hour + 1) * HOUR_S, HOUR_S)
        go(ledger, time, begins, dispatch, on=np.array([True, runs]))
    found = accounts(recorder)
    assert found["day_ahead", "make_whole_usd"] == 0.0
    assert found["real_time", "make_whole_usd"] == pytest.approx(700.0)


def test_a_unit_that_is_out_is_not_made_whole_for_it() -> None:
    """B trips and buys 90 MWh back at 200 $/MWh: 18,000 for energy that it would have made at 80."""
    time = clock(duration_s=HOUR_S)
    ledger, recorder = settlement(time)
    ledger.day_ahead(0, [cleared()] * 24, np.stack([ON] * 24), STANDING)
    dispatch = replace(cleared(load_mw=60.0), lmp_usd_per_mwh=np.array([50.0, 200.0]))
    ledger.real_time(0, dispatch, np.array([True, False]), np.array([False, True]))
    ledger.settle(read(0, dispatch, 1.0), np.zeros(1), np.array([False, True]))
    usd = dict(zip(recorder.ids(SETTLEMENT), recorder.column(SETTLEMENT, "amount_usd"), strict=True))
    assert usd["unit/B/real_time/energy"] == -18_000.0
    assert not any(name.endswith("/make_whole") for name in usd)


def test_a_return_from_an_outage_is_no_start() -> None:
    """B, scheduled all day, is out in hour 5 and back in hour 6: no part of its 400 is made whole."""
    time = clock()
    ledger, recorder = settlement(time, costly(two_bus()))
    dear = replace(cleared(), lmp_usd_per_mwh=np.array([50.0, 100.0]))
    ledger.day_ahead(0, [dear] * 24, np.stack([ON] * 24), STANDING)
    for hour in range(24):
        out = np.array([False, hour == 5])
        dispatch = replace(cleared(load_mw=60.0), lmp_usd_per_mwh=dear.lmp_usd_per_mwh) if hour == 5 else dear
        ledger.real_time(hour * HOUR_S, dispatch, ~out, out)
        ledger.settle(read(hour * HOUR_S, dispatch, 1.0), np.zeros(1), out)
    assert accounts(recorder)["real_time", "make_whole_usd"] == 0.0
    # the same without an outage is a stop and a start that the ISO asked for
    again, asked = settlement(time, costly(two_bus()))
    again.day_ahead(0, [dear] * 24, np.stack([ON] * 24), STANDING)
    for hour in range(24):
        on = np.array([True, hour != 5])
        dispatch = (
            dear if hour != 5 else replace(dear, unit_mw=np.array([60.0, 0.0]), load_mw=np.array([0.0, 60.0]))
        )
        go(again, time, range(hour * HOUR_S, (hour + 1) * HOUR_S, HOUR_S), dispatch, on=on)
    assert accounts(asked)["real_time", "make_whole_usd"] == 400.0


def test_a_lost_meter_shows_in_the_account_twice() -> None:
    """Of 150 MWh the load's meter misses 10: it is paid 800 for them, of which 10 x 30 count as imbalance.

    The rest stays unexplained: 10 MWh at 50 $/MWh, the price of A, which shares imbalances.
    """
    time = clock(duration_s=HOUR_S)
    ledger, recorder = settlement(time)
    ledger.day_ahead(0, [cleared()] * 24, np.stack([ON] * 24), STANDING)
    ledger.real_time(0, cleared(), ON, OUT)
    meters = read(0, cleared(), 1.0)
    # the grid's own sums know of all that was drawn: nothing had to be made good
    meters = replace(meters, load_mwh=np.array([0.0, 140.0]))
    ledger.settle(meters, np.zeros(1), OUT)
    found = accounts(recorder)
    assert found["real_time", "meter_gap_mwh"] == 10.0
    assert found["real_time", "load_payment_usd"] == -800.0
    assert found["real_time", "imbalance_usd"] == -300.0
    assert found["real_time", "unexplained_usd"] == -500.0


def test_an_lda_that_exports_bears_no_share() -> None:
    """It sells 5 MW; all of the line's rent goes to the load."""
    time = clock(duration_s=HOUR_S)
    ledger, recorder = settlement(time)
    dispatch = cleared(import_mw=-5.0)
    ledger.day_ahead(0, [dispatch] * 24, np.stack([ON] * 24), STANDING)
    go(ledger, time, range(0, HOUR_S, HOUR_S), dispatch)
    usd = dict(zip(recorder.ids(SETTLEMENT), recorder.column(SETTLEMENT, "amount_usd"), strict=True))
    assert usd["lda/south/day_ahead/energy"] == 400.0
    assert usd["load/2/day_ahead/congestion_share"] == 1_800.0
    assert "lda/south/day_ahead/congestion_share" not in usd


def test_energy_without_a_taker_is_taken_by_the_iso_and_never_metered() -> None:
    """B gives 15 MW for nobody at -20 $/MWh: it pays 300, which the ISO takes in and the load is handed.

    In real time nothing is without a taker: B is set and runs 15 MW lower, as its own deviation.
    """
    time = clock(duration_s=HOUR_S)
    ledger, recorder = settlement(time)
    flat = np.full(2, -20.0)
    none = np.zeros(1)
    calm = replace(cleared(), line_price_usd_per_mwh=none, lmp_usd_per_mwh=flat, raw_usd_per_mwh=flat)
    surplus = replace(calm, unit_mw=np.array([60.0, 105.0]), surplus_mw=np.array([0.0, 15.0]))
    ledger.day_ahead(0, [surplus] * 24, np.stack([ON] * 24), STANDING)
    go(ledger, time, range(0, HOUR_S, HOUR_S), calm)
    usd = dict(zip(recorder.ids(SETTLEMENT), recorder.column(SETTLEMENT, "amount_usd"), strict=True))
    assert usd["unit/B/day_ahead/energy"] == -2_100.0
    assert usd["iso/2/day_ahead/energy"] == 300.0
    assert usd["load/2/day_ahead/cap_share"] == 300.0
    assert usd["iso/2/real_time/energy"] == -300.0
    found = accounts(recorder)
    assert [found[market, "unexplained_usd"] for market in ("day_ahead", "real_time")] == [0.0, 0.0]


def test_saved_and_restored_at_midnight_goes_on_alike() -> None:
    """Two days, the second cleared on the first: one settlement, or two with a state between them."""
    time = clock(duration_s=2 * DAY_S)
    hours = [cleared(load_mw=100.0 + 2.0 * h) for h in range(24)]
    before = RunState(on=np.array([True, False]), in_state_h=np.array([5.0, 30.0]))
    on = np.stack([ON] * 24)

    def first(ledger: Settlement) -> None:
        ledger.day_ahead(0, [cleared()] * 24, on, before)
        ledger.day_ahead(1, hours, on, STANDING)
        go(ledger, time, range(0, DAY_S, HOUR_S), cleared(load_mw=155.0), on=np.array([True, False]))

    def second(ledger: Settlement) -> None:
        go(ledger, time, range(DAY_S, 2 * DAY_S, HOUR_S), cleared(load_mw=120.0), more_mw=3.0)

    whole, recorder = settlement(time, costly(two_bus()))
    first(whole)
    second(whole)
    chain, day_one = settlement(time, costly(two_bus()))
    first(chain)
    state = {name: values.copy() for name, values in chain.save().items()}
    after, day_two = settlement(time, costly(two_bus()))
    after.restore(state)
    second(after)
    for table in (SETTLEMENT, ACCOUNT):
        assert recorder.ids(table) == day_one.ids(table) + day_two.ids(table)
        for column in table.columns:
            parts = [r.column(table, column.name) for r in (day_one, day_two)]
            assert np.array_equal(recorder.column(table, column.name), np.concatenate(parts)), column.name
    assert recorder.column(ACCOUNT, "make_whole_usd")[-1] > 0.0


def test_meters_of_another_interval_are_refused() -> None:
    time = clock()
    ledger, _ = settlement(time)
    with pytest.raises(MissingInputError, match="the one to settle is none"):
        ledger.settle(read(0, cleared(), 1.0), np.zeros(1), OUT)
    ledger.real_time(0, cleared(), ON, OUT)
    with pytest.raises(MissingInputError, match="interval at 300 s, but the one to settle is 0 s"):
        ledger.settle(read(300, cleared(), 1.0), np.zeros(1), OUT)


def test_load_that_is_shed_is_taken_off_loads_losses_and_ldas_alike() -> None:
    """At bus 2: load 90, losses 10, import 20, of which 12 are not served: a tenth of each."""
    who = Participants(two_bus(), (("south", 1),), ())
    market = who.market(
        replace(
            cleared(load_mw=90.0, import_mw=20.0),
            loss_mw=np.array([0.0, 10.0]),
            shed_mw=np.array([0.0, 12.0]),
            der_mw=np.zeros(0),
        )
    )
    assert market.injection_mw[who.loads].tolist() == [0.0, -81.0]
    assert market.injection_mw[who.ldas].tolist() == [-18.0]
    assert market.loss_mw.tolist() == [0.0, 9.0]


def test_injections_of_ders_are_floors_and_what_is_taken_by_aggregator() -> None:
    """Two aggregators over two hours; in hour 1 floors add up to 1 and -2, and 3 and 4 + 5 MW are taken."""
    one = DerOffers(
        interval_s=0, length_s=HOUR_S, intervals=2, floor_mw=np.array([9.0, 9.0, 0.5, 0.5]),
        interval=np.array([0, 1]), der=np.array([0, 1]), width_mw=np.ones(2), price_usd_per_mwh=np.ones(2),
    )  # fmt: skip
    two = replace(one, floor_mw=np.array([9.0, -2.0]), interval=np.array([1, 1]), der=np.array([0, 0]))
    assert der_injections_mw([one, two], 1, np.array([3.0, 4.0, 5.0])).tolist() == [4.0, 7.0]

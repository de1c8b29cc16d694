"""The ISO's signal: regulation by what the minute before needed, calls by the study; answers are measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federates.core.arrays import FloatArray
from federates.core.commitment import called_share
from federates.core.messages import UnitDispatch
from federates.core.reserve_offer import asked_mw
from federates.core.settings import DerOptOut, ReserveCall
from federates.core.tables import DEPLOYMENT, EVENT
from federates.iso.reserves import PRODUCTS, REG_DOWN, REG_UP, SPIN
from federates.iso.signal import Signals, awarded, regulation_signal
from federates.recording.memory import MemoryRecorder

IN = np.zeros(2, dtype=np.bool_)


def call(at_s: int, duration_s: int, share: float) -> ReserveCall:
    return ReserveCall.model_validate(
        {"kind": "reserve_call", "at": at_s, "duration": duration_s, "share": share}
    )


def test_a_call_lasts_as_long_as_its_event_and_the_greatest_share_counts() -> None:
    events = (
        call(600, 900, 0.5),
        call(1_200, 60, 1.0),
        DerOptOut.model_validate(
            {"kind": "der_opt_out", "at": 0, "duration": 9_000, "lda": "a", "ders": "f/pv"}
        ),
    )
    shares = [
        called_share(events, "spin", t) for t in (0, 599, 600, 1_199, 1_200, 1_259, 1_260, 1_499, 1_500)
    ]
    assert shares == [0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 0.5, 0.5, 0.0]
    assert called_share(events, "capacity", 1_200) == 0.0


@given(need=st.integers(-500_000, 500_000), up=st.integers(0, 100_000), down=st.integers(0, 100_000))
def test_regulation_goes_the_way_of_the_need_and_never_beyond_what_is_awarded(
    need: int, up: int, down: int
) -> None:
    """In kW."""
    signal = regulation_signal(need, up, down)
    assert abs(signal) <= 1.0
    assert signal * need >= 0.0
    moved = signal * (up if signal > 0.0 else down)
    assert abs(moved) <= abs(need) * (1.0 + 1e-12)
    if min(up, down) > 0.0 and abs(need) <= min(up, down):
        assert moved == pytest.approx(need)


def test_up_and_spin_are_less_import_and_down_is_more() -> None:
    """Regulation 4 up or 6 down, spin 10: at +0.5 and a call of 0.2, 2 + 2; at -0.5, -3."""
    reserve = np.array([4.0, 6.0, 10.0])
    assert asked_mw(reserve, 0.5, 0.2) == 4.0
    assert asked_mw(reserve, -0.5, 0.0) == -3.0


def reserves(regulation_up: FloatArray, regulation_down: FloatArray, spin: FloatArray) -> FloatArray:
    by_product = np.zeros((len(PRODUCTS), regulation_up.size))
    by_product[REG_UP], by_product[REG_DOWN], by_product[SPIN] = regulation_up, regulation_down, spin
    return by_product


def signals(recorder: MemoryRecorder, *events: ReserveCall) -> Signals:
    """Units set to 100 and 50 MW, the first with headroom; 30 MW of regulation up, 10 of them of the LDA."""
    one = Signals(events, ("a",), 2, recorder)
    dispatch = UnitDispatch(
        interval_s=0,
        set_point_mw=np.array([100.0, 50.0]),
        synchronised=np.ones(2),
        uncurtailed=np.zeros(2),
        headroom_mw=np.array([40.0, 0.0]),
        dc_flow_mw=np.zeros(0),
    )
    of_units = reserves(np.array([20.0, 0.0]), np.array([40.0, 0.0]), np.zeros(2))
    of_ldas = reserves(np.array([10.0]), np.zeros(1), np.array([8.0]))
    one.begin(awarded(dispatch, np.array([25.0]), of_units, of_ldas))
    return one


def test_what_dsos_give_already_is_part_of_the_need_so_that_the_signal_stands_still() -> None:
    """Short by 15 MW: unit 1 gives 115. The signal is 15 / 30; the LDA then carries 5, the unit 110."""
    one = signals(MemoryRecorder())
    first = one.next(60, one.need_mw(np.array([115.0, 50.0]), IN), 0.0)
    assert first.regulation == pytest.approx(0.5)
    need = one.need_mw(np.array([110.0, 50.0]), IN)
    assert need == pytest.approx(15.0)
    assert one.next(120, need, 0.0).regulation == pytest.approx(0.5)


def test_units_without_headroom_or_out_say_nothing_of_the_need() -> None:
    one = signals(MemoryRecorder())
    assert one.need_mw(np.array([100.0, 80.0]), IN) == 0.0  # the second follows its own sun or wind
    assert one.need_mw(np.array([0.0, 50.0]), np.array([True, False])) == 0.0


def test_an_answer_is_measured_against_the_award_where_something_was_asked() -> None:
    """Of an award of 25 MW all 8 of spin are called: an import of 17.2 delivers 7.8."""
    recorder = MemoryRecorder()
    one = signals(recorder, call(60, 60, 1.0))
    one.next(0, 0.0, 0.0)
    one.measure(np.array([24.0]))
    one.next(60, 0.0, 0.0)
    one.measure(np.array([17.2]))
    one.next(120, 0.0, 0.0)
    one.measure(np.array([25.0]))
    rows = recorder.rows(DEPLOYMENT)
    assert rows.t_s.tolist() == [60]
    np.testing.assert_allclose(rows.values[:, 0], [8.0, 0.0, 7.8])
    told = recorder.rows(EVENT)
    assert told.t_s.tolist() == [60, 120]
    assert told.values[0].tolist() == [1.0, 0.0]


def test_a_restored_signal_goes_on_where_it_was() -> None:
    one, other = signals(MemoryRecorder(), call(0, 600, 0.5)), Signals((), ("a",), 2, MemoryRecorder())
    one.next(60, 12.0, 0.0)
    other.restore(one.save())
    output = np.array([104.0, 50.0])
    assert other.need_mw(output, IN) == one.need_mw(output, IN) != 0.0
    assert {k: v.tolist() for k, v in other.save().items()} == {k: v.tolist() for k, v in one.save().items()}

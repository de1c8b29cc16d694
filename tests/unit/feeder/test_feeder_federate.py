"""A feeder federate solves until transmission is settled, commits a step once, and goes on from its state."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from federates.core import tables
from federates.core.arrays import BoolArray, FloatArray
from federates.core.codec import encode
from federates.core.errors import MissingInputError
from federates.core.messages import (
    BoundaryPower,
    BoundaryVoltage,
    DerLimits,
    DerState,
    SetPoints,
    Telemetry,
)
from federates.core.protocol import Grant, Inbox, Outbox, Received
from federates.core.settings import Study
from federates.distribution.layout import Control
from federates.feeder.federate import FeederFederate
from federates.recording.memory import MemoryRecorder
from federates.scenario.lda import LdaScenario
from tests.build import TINY, context, sets, study

M = TypeVar("M")
NAME, OWNER = "feeder_lda2", "agg_lda2_supplier"
POWER_MW = 1e-9
"""The same circuit solved twice from the same state."""


@dataclass
class Bench:
    """A feeder federate with a hand that plays transmission and the aggregator."""

    wanted: Study
    folder: Path
    federate: FeederFederate = field(init=False)
    recorder: MemoryRecorder = field(init=False)
    acted: int | None = None
    set_points: Received[object] | None = None
    limits: Received[object] | None = None

    def __post_init__(self) -> None:
        built = context(self.wanted, NAME, self.folder)
        assert isinstance(built.recorder, MemoryRecorder)
        self.recorder = built.recorder
        self.federate = FeederFederate(built)
        self.federate.start()

    def ask(self, p_kw: FloatArray, now: int) -> None:
        message = SetPoints(p_mw=p_kw / 1_000, q_mvar=np.zeros(p_kw.size))
        self.set_points = Received(OWNER, now, now, message)

    def limit(self, limited: BoolArray, least_kw: float, most_kw: float, now: int) -> None:
        der = np.flatnonzero(limited)
        bounds = (np.full(der.size, kw / 1_000) for kw in (least_kw, most_kw))
        least, most = bounds
        message = DerLimits(interval_s=now, der=der, least_mw=least, most_mw=most)
        self.limits = Received("dso_lda2", now, now, message)

    def act(self, now: int, v_pu: float = 1.0, *, converged: bool = False) -> Outbox:
        voltage = BoundaryVoltage(v_pu=v_pu, angle_deg=0.0, converged=converged)
        arrivals = {"voltage": {"transmission": Received("transmission", now - 1, now - 1, voltage)}}
        if self.set_points is not None:
            arrivals["set_points"] = {OWNER: self.set_points}
        if self.limits is not None:
            arrivals["limits"] = {"dso_lda2": self.limits}
        outbox = self.federate.solve_pass(Grant(now, Inbox(arrivals, self.acted)))
        self.acted = now
        return outbox

    def step(self, t: int, passes: int = 2, v_pu: float = 1.0) -> Outbox:
        """One whole physical step; what is sent when it is accepted."""
        for k in range(passes):
            self.act(t + 4 + 2 * k, v_pu)
        return self.act(t + 4 + 2 * passes, v_pu, converged=True)

    def head_mw(self, outbox: Outbox) -> float:
        return float(sent(outbox, BoundaryPower).p_mw.sum())


def sent(outbox: Outbox, kind: type[M]) -> M:
    (message,) = [s.message for s in outbox.sent if isinstance(s.message, kind)]
    return message


def batteries(wanted: Study) -> tuple[FloatArray, BoolArray]:
    """Set-points with every battery at full discharge, and which they are."""
    scenario = LdaScenario(wanted, "lda2")
    p = scenario.initial_set_point_kw()
    store = scenario.fleet.of_kind("battery")
    return np.where(store, scenario.fleet.power_kw, p), store


@pytest.mark.parametrize(("step", "rests"), [("60 s", False), ("5 min", True)])
def test_regulators_act_by_the_clock_in_short_steps_and_come_to_rest_in_long_ones(
    tmp_path: Path, step: str, rests: bool
) -> None:
    """At 0.94 pu all have far to go; the substation's waits 30 s a tap, the feeder's own 45 s."""
    options = sets(horizon__step=step, horizon__market_interval="15 min")
    bench = Bench(study(TINY, *options), tmp_path)
    circuit = bench.federate._plant.circuit
    bench.step(0, v_pu=0.94)
    moved = np.abs(circuit.taps())
    assert (moved.max() > 2) == rests
    assert moved.min() >= 1
    assert (circuit.solve(Control.STATIC).tap_moves == 0) == rests


def test_passes_go_on_until_transmission_has_settled(tmp_path: Path) -> None:
    bench = Bench(study(), tmp_path)
    first = bench.act(4)
    again = bench.act(6, 0.995)
    assert first.again
    assert again.again
    assert bench.head_mw(first) != bench.head_mw(again)
    last = bench.act(8, 0.995, converged=True)
    assert not last.again
    assert not [s for s in last.sent if isinstance(s.message, BoundaryPower)]
    assert {type(s.message) for s in last.sent} == {Telemetry, DerState}


def test_a_step_begins_anew_though_the_last_word_was_settled(tmp_path: Path) -> None:
    bench = Bench(study(), tmp_path)
    bench.step(0)
    assert bench.act(64, converged=True).again


def test_multiplicity_counts_at_the_interface_and_nowhere_else(tmp_path: Path) -> None:
    ones, fives = (Bench(study(TINY, f"ldas.1.multiplicity={m}"), tmp_path / str(m)) for m in (1, 5))
    p1, p5 = (b.head_mw(b.act(4)) for b in (ones, fives))
    assert p5 == pytest.approx(5.0 * p1, rel=1e-12)
    t1, t5 = (sent(b.act(6, converged=True), Telemetry) for b in (ones, fives))
    assert t1.head_p_mw == t5.head_p_mw == pytest.approx(p1, rel=1e-12)
    assert np.array_equal(t1.soc_mwh, t5.soc_mwh)
    head = fives.recorder.rows(tables.HEAD)
    assert head.values[0][0] == pytest.approx(p5, rel=1e-12)


def test_telemetry_grows_by_its_meters_alone(tmp_path: Path) -> None:
    """Eight bytes a value, one of P and one of Q for each meter; nothing tells of the other loads."""
    sizes, counts = [], []
    for share in (0, 0.5, 1):
        told = sent(
            Bench(study(TINY, f"estimation.meters={share}"), tmp_path / str(share)).step(0), Telemetry
        )
        sizes.append(len(encode(told, 0)))
        counts.append(told.load_p_mw.size)
    assert counts[0] == 0 < counts[1] < counts[2]
    assert np.diff(sizes).tolist() == (16 * np.diff(counts)).tolist()


def test_set_points_move_the_meter_and_the_energy_once_per_step(tmp_path: Path) -> None:
    wanted = study()
    asked, store = batteries(wanted)
    quiet, busy, slow = (Bench(wanted, tmp_path) for _ in range(3))
    for bench in (busy, slow):
        bench.ask(asked, 2)
    drawn = sent(quiet.step(0), Telemetry)
    helped = sent(busy.step(0), Telemetry)
    often = sent(slow.step(0, passes=6), Telemetry)
    power_mw = asked[store].sum() / 1_000
    # what is saved is the batteries' power and a few per cent of losses
    assert drawn.head_p_mw - helped.head_p_mw == pytest.approx(power_mw, rel=0.1)
    spent = drawn.soc_mwh.sum() - helped.soc_mwh.sum()
    assert spent == pytest.approx(power_mw / 0.92 / 60.0, rel=1e-9)
    assert np.array_equal(often.soc_mwh, helped.soc_mwh)
    assert often.head_p_mw == pytest.approx(helped.head_p_mw, abs=1e-6)


def test_a_set_point_stands_until_the_next(tmp_path: Path) -> None:
    wanted = study()
    asked, store = batteries(wanted)
    bench = Bench(wanted, tmp_path)
    bench.ask(asked, 2)
    first, second = (sent(bench.step(t), DerState) for t in (0, 60))
    np.testing.assert_allclose(second.p_mw[store], first.p_mw[store])
    bench.ask(np.where(store, 0.0, asked), 122)
    third = sent(bench.step(120), DerState)
    assert not third.p_mw[store].any()


def test_the_tighter_of_set_point_and_limit_counts_and_each_der_between_them_is_a_conflict(
    tmp_path: Path,
) -> None:
    """Batteries are asked for full discharge. Two may give 1 kW at most: two conflicts, told in the
    interval's first step only. Then a third is held to ten times its power: all are as free as before.
    """
    wanted = study()
    asked, store = batteries(wanted)
    first, second, third = np.flatnonzero(store)[:3]
    power = LdaScenario(wanted, "lda2").fleet.power_kw
    assert power[[first, second, third]].min() > 1.0
    bench = Bench(wanted, tmp_path)
    bench.ask(asked, 2)
    bench.limit(np.isin(np.arange(store.size), [first, second]), 0.0, 1.0, 3)
    held = sent(bench.step(0), Telemetry).der_p_mw * 1_000
    np.testing.assert_allclose(held[[first, second, third]], [1.0, 1.0, power[third]])
    bench.step(60)
    ids = bench.federate._records._der_ids
    assert bench.recorder.ids(tables.CONFLICT) == (ids[first], ids[second])
    assert bench.recorder.rows(tables.CONFLICT).t_s.tolist() == [0, 0]
    bench.limit(np.isin(np.arange(store.size), [third]), 0.0, 10.0 * power[third], 303)
    held = sent(bench.step(300), Telemetry).der_p_mw * 1_000
    np.testing.assert_allclose(held[[first, second, third]], power[[first, second, third]])
    assert len(bench.recorder.rows(tables.CONFLICT).t_s) == 2


def test_it_goes_on_from_its_saved_state_as_if_never_broken_off(tmp_path: Path) -> None:
    """Over a midnight, where a federation of a chain may end: engines are new on both sides."""
    wanted = study(TINY, "horizon.start=2020-03-27T12:00:00", "horizon.duration=13 h")
    asked, _ = batteries(wanted)
    midnight = 12 * 3_600
    steps = range(midnight - 300, midnight + 300, 60)
    whole = Bench(wanted, tmp_path)
    whole.ask(asked, midnight - 301)
    unbroken = {t: sent(whole.step(t, v_pu=0.97), Telemetry) for t in steps}
    before = Bench(wanted, tmp_path)
    before.ask(asked, midnight - 301)
    for t in range(midnight - 300, midnight, 60):
        before.step(t, v_pu=0.97)
    after = Bench(wanted, tmp_path)
    after.federate.restore(before.federate.save())
    after.acted = before.acted
    moved = 0.0
    for t in range(midnight, midnight + 300, 60):
        one, other = sent(after.step(t, v_pu=0.97), Telemetry), unbroken[t]
        assert (one.head_p_mw, one.head_q_mvar) == (other.head_p_mw, other.head_q_mvar)
        assert np.array_equal(one.taps, other.taps)
        assert np.array_equal(one.soc_mwh, other.soc_mwh)
        assert np.array_equal(one.der_p_mw, other.der_p_mw)
        assert np.array_equal(one.feeder_p_mw, other.feeder_p_mw)
        assert np.array_equal(one.load_p_mw, other.load_p_mw)
        moved += float(np.abs(one.der_p_mw).sum())
    assert moved > 0.0


def test_the_lead_in_is_not_recorded_and_every_step_of_the_study_is(tmp_path: Path) -> None:
    bench = Bench(study(), tmp_path)
    for t in (-120, -60, 0, 60):
        bench.step(t)
    assert bench.recorder.rows(tables.HEAD).t_s.tolist() == [0, 60]
    assert set(bench.recorder.rows(tables.DER).t_s.tolist()) == {0}
    assert bench.recorder.ids(tables.HEAD) == ("lda2", "lda2")


def test_what_is_stored_before_the_first_step_is_told_once(tmp_path: Path) -> None:
    bench = Bench(study(), tmp_path)
    asked, store = batteries(study())
    bench.ask(asked, -60)
    before = sent(bench.step(-60), Telemetry).soc_mwh[store].sum() * 1_000
    after = sent(bench.step(0), Telemetry).soc_mwh[store].sum() * 1_000
    bench.step(60)
    begin = bench.recorder.rows(tables.DER_START)
    is_battery = [name.endswith("/battery") for name in bench.recorder.ids(tables.DER_START)]
    assert set(begin.t_s.tolist()) == {0}
    assert begin.values[0][is_battery].sum() == pytest.approx(before)
    # the lead-in took some of what there was, and the first step some more
    assert after + 1.0 < before < bench.federate._scenario.fleet.initial_kwh[store].sum() - 1.0


def test_a_head_above_its_limit_is_told_by_how_much_and_which_way(tmp_path: Path) -> None:
    limits = ("ldas.1.feeders.0.import_limit=1 MVA", "ldas.1.feeders.0.export_limit=100 MVA")
    bench = Bench(study(TINY, *limits), tmp_path)
    bench.step(0)
    (row,) = np.array(bench.recorder.rows(tables.FEEDER).values, dtype=np.float64).T
    columns = [column.name for column in tables.FEEDER.columns]
    p_kw, q_kvar, over_kva = (row[columns.index(name)] for name in ("p_kw", "q_kvar", "head_over_kva"))
    assert p_kw > 1_000.0
    assert over_kva == pytest.approx(np.hypot(p_kw, q_kvar) - 1_000.0)


def test_unbalance_is_the_negative_sequence_over_the_positive(tmp_path: Path) -> None:
    bench = Bench(study(), tmp_path)
    bench.step(0)
    zero, positive, negative = bench.federate._plant.circuit.head_sequence_a()
    (row,) = np.array(bench.recorder.rows(tables.HEAD).values, dtype=np.float64).T
    columns = [column.name for column in tables.HEAD.columns]
    i2_pct, i0_pct = row[columns.index("i2_pct")], row[columns.index("i0_pct")]
    assert i2_pct == pytest.approx(100.0 * negative / positive)
    # an IEEE 13-node feeder's, behind a delta
    assert 5.0 < i2_pct < 20.0
    assert i0_pct == pytest.approx(100.0 * zero / positive, abs=1e-9) == pytest.approx(0.0, abs=1e-6)


def test_vehicles_have_rows_of_their_own_and_draw_what_the_demand_holds_of_them(tmp_path: Path) -> None:
    bench = Bench(study(), tmp_path)
    charging_kw = []
    for t in range(0, 600, 60):
        bench.step(t)
        charging_kw.append(bench.federate._scenario.vehicles_kw(t).sum())
    rows, names = bench.recorder.rows(tables.DER_TYPE), np.array(bench.recorder.ids(tables.DER_TYPE))
    kinds = np.array([name.rpartition("/")[2] for name in names])
    assert set(kinds) == {"pv", "battery", "flexible", "ev"}
    np.testing.assert_array_equal(-rows.values[0][kinds == "ev"], charging_kw)
    assert min(charging_kw) > 0.0
    for others in rows.values[1:]:
        assert not others[kinds == "ev"].any()


def test_what_volt_watt_holds_back_is_recorded_and_told(tmp_path: Path) -> None:
    """Batteries at full discharge on a bus at 1.15 pu, which substation and regulators have yet to follow."""
    wanted = study(TINY, *sets(der_p="local_volt_watt"))
    bench = Bench(wanted, tmp_path)
    asked, store = batteries(wanted)
    bench.ask(asked, 0)
    telemetry = sent(bench.step(0, v_pu=1.15), Telemetry)
    held = bench.federate._plant.volt_watt_kw
    assert held[store].sum() > 10.0
    assert (held < asked)[store].any()
    np.testing.assert_allclose(telemetry.der_p_mw[store], (asked - held)[store] / 1_000, rtol=1e-12)
    names = np.array(bench.recorder.ids(tables.DER_TYPE))
    is_battery = np.array([name.endswith("/battery") for name in names])
    by_type = bench.recorder.rows(tables.DER_TYPE).values[-1]
    assert by_type[is_battery].sum() == pytest.approx(held[store].sum())
    np.testing.assert_array_equal(bench.recorder.rows(tables.DER).values[-1], held)
    # Regulators bring the voltage down step by step, and the batteries come back.
    for t in range(60, 1_800, 60):
        bench.step(t, passes=1, v_pu=1.15)
    assert bench.federate._plant.volt_watt_kw[store].sum() < 0.5 * held[store].sum()


def test_without_a_voltage_nothing_is_solved(tmp_path: Path) -> None:
    bench = Bench(study(), tmp_path)
    with pytest.raises(MissingInputError, match="lda2 at 4 s: no voltage from transmission"):
        bench.federate.solve_pass(Grant(4, Inbox({}, None)))

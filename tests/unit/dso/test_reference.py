"""Where an envelope begins: by hand where limits are straight lines, and on a circuit that rest overloads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from federates.core.arrays import FloatArray, IntArray
from federates.distribution.layout import Control
from federates.dso.circuit_judge import SPARE_SHARE, AreaLimits, CircuitJudge, Instruments
from federates.dso.envelope import Ability, equal, operating_envelope
from federates.dso.reference import kept_reference
from tests.unit.dso.area import area

KW = 1e-6
CORNERS_COUNT = 300


@dataclass(frozen=True)
class Lines:
    """Limits that are straight lines, slope p <= bound, none relaxed."""

    slope: FloatArray
    bound: FloatArray
    spare: FloatArray

    @property
    def magnitude(self) -> FloatArray:
        return np.full(self.bound.size, np.inf)

    @property
    def relaxed_by(self) -> FloatArray:
        return np.zeros(self.bound.size)

    def excess(self, p_kw: FloatArray) -> FloatArray:
        return self.slope @ p_kw - self.bound

    def slopes(self, p_kw: FloatArray, limits: IntArray) -> FloatArray:
        assert p_kw.size == self.slope.shape[1]
        return self.slope[limits]


def ability(least: list[float], most: list[float]) -> Ability:
    return Ability(reference_kw=np.zeros(len(most)), least_kw=np.array(least), most_kw=np.array(most))


def head(relief_kw: float, spare_kw: float) -> Lines:
    """A head that is relieved by what two DERs inject, alike."""
    return Lines(np.array([[-1.0, -1.0]]), np.array([-relief_kw]), np.array([spare_kw]))


def test_rest_stays_where_it_leaves_every_limit_its_spare_room() -> None:
    judge = Lines(np.array([[1.0, 1.0], [-1.0, 0.0]]), np.array([5.0, 3.0]), np.array([4.0, 2.0]))
    assert kept_reference(judge, ability([-9, -9], [9, 9])).tolist() == [0.0, 0.0]


def test_ders_that_help_alike_move_alike_and_no_farther_than_room_asks() -> None:
    """5 kW and 1 of spare room from DERs of 8 and 4 kW: half of each, to a fifth, 6 kW in all."""
    p_kw = kept_reference(head(5.0, 1.0), ability([-8, -4], [8, 4]))
    assert p_kw.sum() == pytest.approx(6.0, abs=KW)
    assert 0.4 - KW <= p_kw[0] / 8 <= 0.6 + KW
    assert 0.4 - KW <= p_kw[1] / 4 <= 0.6 + KW


def test_a_limit_that_is_out_of_reach_is_approached_as_far_as_ders_go() -> None:
    p_kw = kept_reference(head(20.0, 1.0), ability([-8, -4], [8, 4]))
    np.testing.assert_allclose(p_kw, [8.0, 4.0], atol=KW)


@pytest.mark.parametrize(("bound", "moved_kw"), [(-1.0, 20.0), (0.5, 0.0)])
def test_a_der_that_hardly_helps_moves_for_a_limit_but_not_for_its_spare_room(
    bound: float, moved_kw: float
) -> None:
    """DER 1 has no room; DER 2 helps a twentieth as much. 1 kW of excess takes 20; spare room is let go."""
    judge = Lines(np.array([[-1.0, -0.05]]), np.array([bound]), np.array([1.0]))
    p_kw = kept_reference(judge, ability([0, 0], [0, 50]))
    np.testing.assert_allclose(p_kw, [0.0, moved_kw], atol=KW)


def test_two_limits_that_pull_apart_are_both_kept() -> None:
    """p1 + p2 >= 6 at the head, p1 <= 1 at a node: 1 and 5."""
    judge = Lines(np.array([[-1.0, -1.0], [1.0, 0.0]]), np.array([-6.0, 1.0]), np.zeros(2))
    p_kw = kept_reference(judge, ability([-8, -8], [8, 8]))
    assert p_kw[0] <= 1.0 + KW
    assert p_kw.sum() == pytest.approx(6.0, abs=KW)


def test_an_envelope_around_it_keeps_the_head_that_rest_overloads() -> None:
    """A head that may draw nine tenths of what it draws at rest: every corner of the envelope keeps it, and
    the lowest reaches it; that of an envelope around rest, which makes nothing worse, does not keep it.
    """
    one = area("ieee123", 30, 2.5, 0.8, bus_kv=138.0)
    rest = np.zeros(one.size_kw.size)
    one.circuit.set_ders(rest, rest)
    one.circuit.solve(Control.OFF)
    limit_kva = 0.9 * np.abs(one.circuit.feeder_power_kva().sum())
    limits = AreaLimits(
        v_min_pu=0.9, v_max_pu=1.1, import_kva=np.array([limit_kva]), export_kva=np.array([np.inf])
    )

    instruments = Instruments(one.circuit)

    def judge_at(p_kw: FloatArray) -> CircuitJudge:
        everywhere = np.ones(len(one.circuit.node_names), dtype=np.bool_)
        return CircuitJudge(instruments, limits, reference_kw=p_kw, q_kvar=rest, monitored=everywhere)

    able = Ability(reference_kw=rest, least_kw=-one.size_kw, most_kw=one.size_kw)
    at_rest = judge_at(rest)
    (broken,) = np.flatnonzero(at_rest.relaxed)
    assert at_rest.names[broken].startswith("head")
    reference = kept_reference(at_rest, able)
    kept = at_rest.excess(reference)[broken] + at_rest.relaxed_by[broken]
    assert -SPARE_SHARE - 1e-3 <= kept <= -0.5 * SPARE_SHARE

    around_rest = operating_envelope(at_rest, able, equal)
    judge = judge_at(reference)
    assert not judge.relaxed.any()
    assert judge.excess(around_rest.least_kw)[broken] > 0.05
    around = operating_envelope(judge, replace(able, reference_kw=reference), equal)
    assert judge.excess(around.least_kw)[broken] > -0.01, "the limit binds where all inject least"
    rng = np.random.default_rng(5)
    for _ in range(CORNERS_COUNT):
        high = rng.integers(0, 2, rest.size) > 0
        assert judge.excess(np.where(high, around.most_kw, around.least_kw)).max() <= 0.0
    assert judge.excess(around.least_kw).max() <= 0.0
    assert (around.most_kw - around.least_kw).sum() > 0.05 * limit_kva

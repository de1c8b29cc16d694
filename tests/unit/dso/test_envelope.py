"""Operating envelopes by hand where limits are straight lines, and against the circuit where they are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ConfigError, ModelError
from federates.distribution.layout import Control
from federates.dso.circuit_judge import AreaLimits, CircuitJudge, Instruments
from federates.dso.envelope import (
    ALLOCATIONS,
    MARGIN,
    SETTLED,
    Ability,
    Envelope,
    equal,
    maximum_service,
    operating_envelope,
    proportional,
    static_limit,
)
from tests.unit.dso.area import Area, area

LEVEL_KW = 1e-3
"""Rooms found by bisection, and a margin of 0.0002 on limits with slopes near 1."""
CORNERS_COUNT = 1000
GROWTH = 1.05
"""Five per cent more than the envelope, which must be too much."""


@dataclass(frozen=True)
class Lines:
    """Limits that are straight lines: excess = slope p - bound, with the margin given back."""

    slope: FloatArray
    bound: FloatArray

    @property
    def magnitude(self) -> FloatArray:
        return np.full(self.bound.size, np.inf)

    def excess(self, p_kw: FloatArray) -> FloatArray:
        return self.slope @ p_kw - self.bound - MARGIN

    def slopes(self, p_kw: FloatArray, limits: IntArray) -> FloatArray:
        assert p_kw.size == self.slope.shape[1]
        return self.slope[limits]


def ability(least: list[float], most: list[float]) -> Ability:
    return Ability(reference_kw=np.zeros(len(most)), least_kw=np.array(least), most_kw=np.array(most))


def test_allocations_by_hand() -> None:
    """One limit p1 + 3 p2 <= 9, DERs of 8 and 2 kW that only inject.

    Equal: a + 3 min(a, 2) = 9 gives a = 3 > 2, so that DER 2 has its 2 and DER 1 only 9 - 6 = 3.
    Proportional: 8 s + 6 s = 9, s = 9 / 14. Maximum service: DER 1 takes a third of DER 2's, so 8 and 1 / 3.
    """
    judge = Lines(np.array([[1.0, 3.0]]), np.array([9.0]))
    able = ability([0, 0], [8, 2])
    found = {key: operating_envelope(judge, able, rule) for key, rule in ALLOCATIONS.items()}
    assert found["equal"].most_kw == pytest.approx([3.0, 2.0], abs=LEVEL_KW)
    assert found["proportional"].most_kw == pytest.approx([8 * 9 / 14, 2 * 9 / 14], abs=LEVEL_KW)
    assert found["maximum_service"].most_kw == pytest.approx([8.0, 1 / 3], abs=LEVEL_KW)
    for envelope in found.values():
        assert list(envelope.binding) == [0]
        assert not envelope.least_kw.any()


def test_a_limit_counts_on_the_worst_of_both_signs() -> None:
    """p1 - p2 <= 6 with both free in +-8: what 1 injects and 2 draws add up, so equal room is 3 up, 3 down.

    The other directions, 2 up and 1 down, are free of this limit; but "equal" gives every DER the same.
    """
    envelope = operating_envelope(
        Lines(np.array([[1.0, -1.0]]), np.array([6.0])), ability([-8, -8], [8, 8]), equal
    )
    assert envelope.most_kw == pytest.approx([3.0, 3.0], abs=LEVEL_KW)
    assert envelope.least_kw == pytest.approx([-3.0, -3.0], abs=LEVEL_KW)


def test_each_direction_goes_as_far_as_its_own_limits() -> None:
    """Up: p1 + p2 <= 6 gives 3 each. Down: -(p1 + p2) <= 10 gives 5 each."""
    slope = np.array([[1.0, 1.0], [-1.0, -1.0]])
    able = ability([-8, -8], [8, 8])
    for rule in (equal, proportional):
        envelope = operating_envelope(Lines(slope, np.array([6.0, 10.0])), able, rule)
        assert envelope.most_kw == pytest.approx([3.0, 3.0], abs=LEVEL_KW)
        assert envelope.least_kw == pytest.approx([-5.0, -5.0], abs=LEVEL_KW)
    envelope = operating_envelope(Lines(slope, np.array([6.0, 10.0])), able, maximum_service)
    assert envelope.most_kw.sum() == pytest.approx(6.0, abs=LEVEL_KW)
    assert envelope.least_kw.sum() == pytest.approx(-10.0, abs=LEVEL_KW)


def test_ders_that_no_limit_stops_have_all_they_can() -> None:
    judge = Lines(np.array([[1.0, 1.0]]), np.array([100.0]))
    envelope = operating_envelope(judge, ability([-1, -2], [3, 4]), equal)
    assert list(envelope.most_kw) == [3.0, 4.0]
    assert list(envelope.least_kw) == [-1.0, -2.0]
    assert envelope.binding.size == 0


@dataclass(frozen=True)
class Turning:
    """One magnitude |p1 + p2 - 4| with the limit 6: at rest 4, down to zero and up to 6 on the other side."""

    magnitude: FloatArray

    def excess(self, p_kw: FloatArray) -> FloatArray:
        return np.abs(p_kw.sum(keepdims=True) - 4.0) - 6.0 - MARGIN

    def slopes(self, p_kw: FloatArray, limits: IntArray) -> FloatArray:
        return np.full((limits.size, p_kw.size), np.sign(p_kw.sum() - 4.0))


def test_a_magnitude_that_turns_is_met_on_its_other_side() -> None:
    """Up to 10 together, where the flow has turned; down to -2, all that a line taken at rest knows."""
    envelope = operating_envelope(Turning(np.array([6.0])), ability([-8, -8], [8, 8]), equal)
    assert envelope.most_kw == pytest.approx([5.0, 5.0], abs=LEVEL_KW)
    assert envelope.least_kw == pytest.approx([-1.0, -1.0], abs=LEVEL_KW)


def test_a_reference_outside_the_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="in each DER's own range"):
        Ability(reference_kw=np.zeros(1), least_kw=np.ones(1), most_kw=np.ones(1))


def test_the_static_limit_lies_in_every_intervals_envelope() -> None:
    def envelope(least: list[float], most: list[float]) -> Envelope:
        return Envelope(
            least_kw=np.array(least),
            most_kw=np.array(most),
            binding=np.zeros(0, np.int64),
            greatest_excess=0.0,
            rounds_count=1,
        )

    least, most = static_limit([envelope([-3, -1], [2, 5]), envelope([-1, -4], [4, 3])])
    assert list(least) == [-1.0, -1.0]
    assert list(most) == [2.0, 3.0]
    with pytest.raises(ModelError, match="DER 1 has no injection"):
        static_limit([envelope([0, 0], [1, 1]), envelope([0, 2], [1, 3])])


# -- against the circuit --------------------------------------------------------------------------------


def judge_of(
    one: Area, *, v_max_pu: float = 1.05, import_share: float = np.inf, export_share: float = np.inf
) -> CircuitJudge:
    """Limits at the head as shares of what it draws at rest."""
    nothing = np.zeros(one.size_kw.size)
    one.circuit.set_ders(nothing, nothing)
    one.circuit.solve(Control.OFF)
    drawn_kva = float(np.abs(one.circuit.feeder_power_kva().sum()))
    return CircuitJudge(
        Instruments(one.circuit),
        AreaLimits(
            v_max_pu=v_max_pu,
            import_kva=np.array([import_share * drawn_kva]),
            export_kva=np.array([export_share * drawn_kva]),
        ),
        reference_kw=nothing,
        q_kvar=nothing,
        monitored=np.ones(len(one.circuit.node_names), dtype=np.bool_),
    )


def greatest_excess(judge: CircuitJudge, envelope: Envelope, seed: int, *, inside: bool = True) -> float:
    """Over 1,000 random corners, and as many points inside."""
    rng = np.random.default_rng(seed)
    width = envelope.most_kw - envelope.least_kw
    worst = -np.inf
    for _ in range(CORNERS_COUNT):
        places = [rng.integers(0, 2, width.size)] + [rng.random(width.size)] * inside
        for place in places:
            worst = max(worst, float(judge.excess(envelope.least_kw + place * width).max()))
    return worst


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A feeder with DERs, its limits, and what stops the DERs."""

    ders_count: int
    share: float
    """Of the load, that they have as size."""
    load: float = 0.8
    limits: dict[str, float]
    kinds: set[str]
    """Of limits, between the allocations."""
    inside: bool = True
    """Whether points inside are tried as well, a power flow each."""


CASES = {
    "ieee123": Case(ders_count=30, share=2.5, limits={"import_share": 1.08}, kinds={"voltage", "head"}),
    "north_american 1000": Case(
        ders_count=24, share=0.5, limits={"import_share": 1.05}, kinds={"element", "head"}
    ),
    "north_american 4000": Case(
        ders_count=20,
        share=0.3,
        load=0.5,
        limits={"import_share": 1.06, "v_max_pu": 1.025},
        kinds={"voltage", "element", "head"},
        inside=False,
    ),
}


@pytest.mark.parametrize("feeder", CASES)
def test_every_der_anywhere_in_its_envelope_makes_no_new_violation(feeder: str) -> None:
    case = CASES[feeder]
    one = area(feeder, case.ders_count, case.share, case.load, bus_kv=138.0)
    if feeder != "ieee123":
        assert one.circuit.load_ratings().is_delta.any()
        tapped = {n for b in one.circuit.branches() if b.ends_count > 2 for n in b.nodes2}
        assert any(set(nodes) <= tapped for nodes in one.circuit.der_nodes)
    able = Ability(reference_kw=0.0 * one.size_kw, least_kw=-one.size_kw, most_kw=one.size_kw)
    judge = judge_of(one, **case.limits)
    stopped: set[str] = set()
    room = {}
    for key, rule in ALLOCATIONS.items():
        envelope = operating_envelope(judge, able, rule)
        room[key] = (envelope.most_kw - envelope.least_kw).sum()
        # A limit binds at the edge: some worst corner is as good as on it, and a little more is too much.
        assert -SETTLED <= envelope.greatest_excess <= 0.0
        assert envelope.binding.size
        grown = corner_of(judge, envelope, GROWTH)
        assert grown > 0.0
        stopped |= {kind(judge.names[k]) for k in envelope.binding}
        worst = greatest_excess(judge, envelope, 7, inside=case.inside)
        assert worst <= 0.0
        print(
            f"{feeder}, {key}: {room[key] / 2:.0f} of {one.size_kw.sum():.0f} kW either way, binding "
            f"{[judge.names[k] for k in envelope.binding[:3]]} at {envelope.greatest_excess:+.1e}, "
            f"random points at most {worst:+.1e}"
        )
    assert case.kinds <= stopped
    assert room["maximum_service"] > max(room["equal"], room["proportional"])


def kind(name: str) -> str:
    first = name.split(".", 1)[0]
    return {"Line": "element", "Transformer": "element", "head": "head"}.get(first, "voltage")


def corner_of(judge: CircuitJudge, envelope: Envelope, growth: float) -> float:
    """Greatest excess at the worst corner of the first binding limit, the envelope grown."""
    limit = envelope.binding[:1]
    most, least = growth * envelope.most_kw, growth * envelope.least_kw
    slope = judge.slopes(0.0 * most, limit)[0]
    corners = [np.where(slope > 0, most, least), np.where(slope > 0, least, most)]
    return max(float(judge.excess(corner)[limit[0]]) for corner in corners)


def test_limits_that_rest_breaks_are_relaxed_and_get_no_worse() -> None:
    one = area("ieee123", 20, 1.0, 0.8, bus_kv=138.0)
    judge = judge_of(one, v_max_pu=1.03)
    assert 5 < judge.relaxed.sum() < 250
    able = Ability(reference_kw=0.0 * one.size_kw, least_kw=-one.size_kw, most_kw=one.size_kw)
    envelope = operating_envelope(judge, able, proportional)
    assert greatest_excess(judge, envelope, 3) <= 0.0
    assert (envelope.most_kw - envelope.least_kw).sum() > 0.0


def test_a_dynamic_envelope_is_never_smaller_than_the_static_limit() -> None:
    """Three hours of one day; the static limit holds in all of them."""
    one = area("ieee123", 30, 0.7, 1.0, bus_kv=138.0)
    able = Ability(reference_kw=0.0 * one.size_kw, least_kw=-one.size_kw, most_kw=one.size_kw)
    ratings = one.circuit.load_ratings()
    judges, dynamic = [], []
    for load in (0.5, 0.8, 1.0):
        one.circuit.set_loads(load * ratings.kw, load * ratings.kvar)
        judges.append(judge_of(one))
        dynamic.append(operating_envelope(judges[-1], able, equal))
    least, most = static_limit(dynamic)
    widths = [float((e.most_kw - e.least_kw).sum()) for e in dynamic]
    assert max(widths) > 1.1 * (most - least).sum()
    rng = np.random.default_rng(1)
    for load, judge in zip((0.5, 0.8, 1.0), judges, strict=True):
        one.circuit.set_loads(load * ratings.kw, load * ratings.kvar)
        for _ in range(100):
            p = np.where(rng.random(most.size) < 0.5, most, least)
            assert judge.excess(p).max() <= 0.0

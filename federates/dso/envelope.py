"""Operating envelopes: how far each DER may go, whatever the others do inside theirs.

An envelope is one interval of injection per DER. All of them together are a box, and every limit must hold
everywhere in it, so for each limit what counts is the box's worst corner: with a slope g and room e up and i
down from the reference injection, ::

    sum_d max(g_d, 0) e_d + max(-g_d, 0) i_d <= slack at the reference injection

All coefficients are non-negative, so room is a resource that is shared out; how is the allocation's choice.
Slopes hold where they are taken. Each limit's own is therefore taken again at its own worst corner, and the
limit measured there, until nothing is exceeded and the envelope can grow no further: the last word is the
measurement's, not the map's. Limits that the reference injection breaks already are relaxed to what they are
there ("no new violation").

Sources: envelopes that are robust to what the others do, Liu, Braslavsky, *Robust Dynamic Operating
Envelopes for DER Integration in Unbalanced Distribution Networks*, IEEE Transactions on Power Systems 39
(2024); rules of allocation, Petrou, Procopiou, Gutierrez-Lagos, Liu, Ochoa, Langstaff, Theunissen,
*Ensuring Distribution Network Integrity Using Dynamic Operating Limits for Prosumers*, IEEE Transactions on
Smart Grid 12 (2021).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.errors import ConfigError, ModelError
from federates.lp.program import Program

MARGIN = 2e-4
"""Room kept from every limit, or half of what there is: 0.0002 pu of voltage, 0.02 % of a rating."""
WATCH = 0.02
"""A limit is measured once the map sees it within this of being reached."""
SETTLED = 5e-4
"""An envelope is finished when its tightest limit is no farther away than this."""
ROUNDS = 12
"""After these, the shape of the envelope is kept and only its size is sought."""
FULL_STEPS = 3
"""Rounds that take the allocation as it comes; later ones average, as its choice can jump."""
SCALINGS = 16
ACCURATE = MARGIN / 4
"""A line that gives what is measured within this is not taken again."""
CORNERS = 400
"""Greatest number of corners measured in a round, the tightest ones first."""
NO_SLOPE = 1e-9
"""A DER that moves a limit by less than this over its whole range goes to its upper end in every corner."""
BISECTIONS = 50


class Judge(Protocol):
    """What tells whether injections keep the limits."""

    magnitude: FloatArray
    """Limit on a magnitude, which can fall to zero and rise again; infinite for others, shape (limits,)."""

    def excess(self, p_kw: FloatArray) -> FloatArray:
        """How far each limit is exceeded at injections of shape (ders,); negative is room.

        Shape (limits,).
        """

    def slopes(self, p_kw: FloatArray, limits: IntArray) -> FloatArray:
        """Change of some limits' excess by kW at injections of shape (ders,); shape (rows, ders)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """What the DERs could do if no limit stood in the way; arrays of shape (ders,)."""

    reference_kw: FloatArray
    """Injection from which room is counted; limits are relaxed to it. [kW]"""
    least_kw: FloatArray
    """Not above the reference. [kW]"""
    most_kw: FloatArray
    """Not below the reference. [kW]"""

    def __post_init__(self) -> None:
        if (self.least_kw > self.reference_kw).any() or (self.most_kw < self.reference_kw).any():
            raise ConfigError("envelope: the reference injection must lie in each DER's own range")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The injections that are every DER's own to choose; arrays of shape (ders,)."""

    least_kw: FloatArray
    """Import limit, as an injection. [kW]"""
    most_kw: FloatArray
    """Export limit. [kW]"""
    binding: IntArray
    """Limits that stop it, as places among the judge's; empty if only the DERs' own ability does."""
    greatest_excess: float
    """Largest measured excess at any of the worst corners; not above zero."""
    rounds_count: int
    """Rounds of measuring that it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The sharing problem of one round: rows (limits) by DERs, all entries non-negative."""

    up: FloatArray
    """What a kW of room up takes of each limit, shape (rows, ders)."""
    down: FloatArray
    """What a kW of room down takes, shape (rows, ders)."""
    slack: FloatArray
    """What there is of each limit, shape (rows,)."""
    up_most_kw: FloatArray
    """Shape (ders,). [kW]"""
    down_most_kw: FloatArray
    """Shape (ders,). [kW]"""


Allocation = Callable[[Shared], tuple[FloatArray, FloatArray]]
"""From a sharing problem to every DER's room up and down, each of shape (ders,). [kW]"""


def equal(shared: Shared) -> tuple[FloatArray, FloatArray]:
    """The same kW for every DER, but never more than it can use."""
    most = float(max(shared.up_most_kw.max(initial=0.0), shared.down_most_kw.max(initial=0.0)))
    return _levelled(
        shared,
        most,
        lambda kw: np.minimum(kw, shared.up_most_kw),
        lambda kw: np.minimum(kw, shared.down_most_kw),
    )


def proportional(shared: Shared) -> tuple[FloatArray, FloatArray]:
    """The same share of what each DER could use."""
    return _levelled(shared, 1.0, lambda x: x * shared.up_most_kw, lambda x: x * shared.down_most_kw)


def maximum_service(shared: Shared) -> tuple[FloatArray, FloatArray]:
    """As many kW of room up and down as there can be, whoever gets them."""
    room = np.concatenate([shared.up_most_kw, shared.down_most_kw])
    matrix = np.hstack([shared.up, shared.down])
    can_bind = np.flatnonzero(matrix @ room > shared.slack)
    program = Program("envelope", look_at="the slack of its limits, which must not be negative")
    columns = program.add_columns(0.0, room, -1.0)
    scale = 1.0 / np.maximum(matrix[can_bind].max(axis=1, initial=0.0), np.finfo(float).tiny)
    rows = csr_array(np.where(matrix * room > NO_SLOPE, matrix, 0.0)[can_bind] * scale[:, None])
    starts, places = rows.indptr[:-1].astype(np.int64), rows.indices.astype(np.int64)
    program.add_rows(-np.inf, shared.slack[can_bind] * scale, starts, columns[places], rows.data)
    x = np.clip(program.solve().x, 0.0, room)
    return x[: shared.up_most_kw.size], x[shared.up_most_kw.size :]


ALLOCATIONS: Mapping[str, Allocation] = {
    "equal": equal,
    "proportional": proportional,
    "maximum_service": maximum_service,
}


def operating_envelope(judge: Judge, ability: Ability, allocation: Allocation) -> Envelope:
    """Envelope of every DER for one interval.

    Parameters
    ----------
    judge
        Measures limits and their slopes with everything but the DERs' active power held.

    Raises
    ------
    ModelError
        If no envelope was found whose worst corners keep every limit.
    DivergedError
        If a corner cannot be solved.
    """
    cuts = _Cuts(judge, ability)
    up, down = allocation(cuts.shared())
    for count in range(1, ROUNDS + 1):
        tightest = cuts.measure(up, down)
        if tightest.is_settled:
            return _envelope(ability, up, down, tightest, count)
        cuts.take_again()
        step = 1.0 if count <= FULL_STEPS else FULL_STEPS / count
        new_up, new_down = allocation(cuts.shared())
        up, down = up + step * (new_up - up), down + step * (new_down - down)
    return _scaled(cuts, ability, up, down)


def _scaled(cuts: _Cuts, ability: Ability, up: FloatArray, down: FloatArray) -> Envelope:
    """Envelope of the same shape, as large as its worst corners allow."""
    low, high = 0.0, 2.0
    best = None
    for count in range(ROUNDS + 1, ROUNDS + SCALINGS + 1):
        factor = (low + high) / 2
        more, less = (np.minimum(factor * x, most) for x, most in zip((up, down), cuts.most_kw, strict=True))
        tightest = cuts.measure(more, less)
        low, high = (factor, high) if tightest.excess <= 0.0 else (low, factor)
        if tightest.excess <= 0.0:
            best = _envelope(ability, more, less, tightest, count)
        if tightest.is_settled:
            break
        cuts.take_again()
    if best is None:
        raise ModelError(
            f"envelope: its worst corner is {tightest.excess:+.1e} from a limit however small it is; "
            "the slopes at the reference injection are not those of its surroundings"
        )
    return best


def _envelope(
    ability: Ability, up: FloatArray, down: FloatArray, tightest: _Tightest, count: int
) -> Envelope:
    return Envelope(
        least_kw=ability.reference_kw - down,
        most_kw=ability.reference_kw + up,
        binding=tightest.limits,
        greatest_excess=tightest.excess,
        rounds_count=count,
    )


def static_limit(envelopes: Sequence[Envelope]) -> tuple[FloatArray, FloatArray]:
    """Least and greatest injection that lie in every one of several intervals' envelopes, shape (ders,). [kW]

    Raises
    ------
    ModelError
        If two envelopes of a DER do not touch.
    """
    least = np.max([e.least_kw for e in envelopes], axis=0)
    most = np.min([e.most_kw for e in envelopes], axis=0)
    if (least > most).any():
        raise ModelError(
            f"static limit: DER {int(np.argmax(least - most))} has no injection in all envelopes"
        )
    return least, most


@dataclass(frozen=True, slots=True)
class _Tightest:
    excess: float
    limits: IntArray
    can_grow: bool

    @property
    def is_settled(self) -> bool:
        """Whether nothing is exceeded and the envelope cannot grow."""
        return self.excess <= 0.0 and (self.excess >= -SETTLED or not self.can_grow)


@dataclass(slots=True)
class _Corner:
    high: BoolArray
    excess: float = -np.inf
    cuts: list[int] = field(default_factory=list)


class _Cuts:
    """Limits as straight lines, each taken where its worst corner was last."""

    def __init__(self, judge: Judge, ability: Ability) -> None:
        self._judge = judge
        self._ability = ability
        excess = judge.excess(ability.reference_kw)
        every = np.arange(excess.size)
        self._limit: IntArray = every
        self._slope: FloatArray = judge.slopes(ability.reference_kw, every)
        self._at_reference: FloatArray = excess
        self._missed: list[tuple[FloatArray, FloatArray, IntArray, IntArray]] = []
        self._up_most = ability.most_kw - ability.reference_kw
        self._down_most = ability.reference_kw - ability.least_kw

    @property
    def most_kw(self) -> tuple[FloatArray, FloatArray]:
        """Room up and down that the DERs could use, each of shape (ders,)."""
        return self._up_most, self._down_most

    def shared(self) -> Shared:
        """The sharing problem as the lines stand, without those that cannot bind."""
        up, down = np.maximum(self._slope, 0.0), np.maximum(-self._slope, 0.0)
        room = np.maximum(-self._at_reference, 0.0)
        slack = np.maximum(room - MARGIN, room / 2)
        kept = up @ self._up_most + down @ self._down_most > slack
        return Shared(
            up=up[kept],
            down=down[kept],
            slack=slack[kept],
            up_most_kw=self._up_most,
            down_most_kw=self._down_most,
        )

    def measure(self, up: FloatArray, down: FloatArray) -> _Tightest:
        """Measure the box's worst corners."""
        corners = self._worst_corners(up, down)
        self._missed = []
        greatest = np.full(self._judge.magnitude.size, -np.inf)
        for high, cuts in corners:
            step = np.where(high, up, -down)
            excess = self._judge.excess(self._ability.reference_kw + step)
            greatest = np.maximum(greatest, excess)
            drawn = self._at_reference[cuts] + self._slope[cuts] @ step
            missed = np.setdiff1d(np.flatnonzero(excess > -MARGIN / 2), self._limit[cuts])
            wrong = cuts[np.abs(drawn - excess[self._limit[cuts]]) > ACCURATE]
            self._missed.append((step, excess, wrong, missed))
        worst = float(greatest.max(initial=-np.inf))
        full = np.array_equal(up, self._up_most) and np.array_equal(down, self._down_most)
        binding = np.flatnonzero(greatest >= max(worst, -SETTLED) - MARGIN)
        return _Tightest(worst, np.zeros(0, np.int64) if full else binding, not full)

    def take_again(self) -> None:
        """Take the lines that were wrong where the box was measured last again there, and those not seen."""
        for step, excess, wrong, missed in self._missed:
            self._take(step, excess, wrong, missed)

    def _take(self, step: FloatArray, excess: FloatArray, cuts: IntArray, limits: IntArray) -> None:
        """Take some lines again, and those of more limits anew, at a step away from the reference."""
        every = np.concatenate([self._limit[cuts], limits])
        if not every.size:
            return
        slope = self._judge.slopes(self._ability.reference_kw + step, every)
        at_reference = excess[every] - slope @ step
        self._slope[cuts], self._at_reference[cuts] = slope[: cuts.size], at_reference[: cuts.size]
        self._limit = np.concatenate([self._limit, limits])
        self._slope = np.concatenate([self._slope, slope[cuts.size :]])
        self._at_reference = np.concatenate([self._at_reference, at_reference[cuts.size :]])

    def _worst_corners(self, up: FloatArray, down: FloatArray) -> list[tuple[BoolArray, IntArray]]:
        """Which DERs are at their upper end in each corner to be measured, and the lines it is worst for."""
        plus, minus = np.maximum(self._slope, 0.0), np.maximum(-self._slope, 0.0)
        seen = self._at_reference + plus @ up + minus @ down
        # A magnitude that the opposite corner takes through zero comes back on the other side.
        turned = -(self._at_reference - plus @ down - minus @ up) - 2 * self._judge.magnitude[self._limit]
        high = self._slope * (up + down) > -NO_SLOPE
        found: dict[bytes, _Corner] = {}
        for excess, at, owns in ((seen, high, True), (turned, ~high, False)):
            for cut in np.flatnonzero(excess > -WATCH):
                corner = found.setdefault(at[cut].tobytes(), _Corner(at[cut]))
                corner.excess = max(corner.excess, float(excess[cut]))
                corner.cuts += [int(cut)] * owns
        tightest = sorted(found.values(), key=lambda corner: -corner.excess)[:CORNERS]
        return [(corner.high, np.array(corner.cuts, dtype=np.int64)) for corner in tightest]


def _levelled(
    shared: Shared,
    most: float,
    up_at: Callable[[float], FloatArray],
    down_at: Callable[[float], FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Both directions at one level as far as it goes, then up alone, then down alone."""

    def fits(up: float, down: float) -> bool:
        taken = shared.up @ up_at(up) + shared.down @ down_at(down)
        return bool((taken <= shared.slack).all())

    both = _greatest(lambda x: fits(x, x), 0.0, most)
    up = _greatest(lambda x: fits(x, both), both, most)
    down = _greatest(lambda x: fits(up, x), both, most)
    return up_at(up), down_at(down)


def _greatest(fits: Callable[[float], bool], low: float, high: float) -> float:
    """Greatest level between two that fits, the lower one taken to fit."""
    if fits(high):
        return high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low

"""The DSO's linear program for one feeder, in the space of its DERs.

Columns are the DERs' price blocks, their reactive injections where the DSO may set them, and the head's
import; the feeder enters by rows of the linear map that are added only where a solution breaks them. Voltages
are in squared pu, powers inside the program in MW. Signs: injection positive, head import positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ModelError
from federates.dso.case import Case, HeadLimits
from federates.dso.columns import KW_PER_MW
from federates.lp.program import Program

VOLTAGE_TOLERANCE_PU2 = 1e-7
POWER_TOLERANCE_MW = 1e-6
SOLVER_TOLERANCE = 1e-7
REACTIVE_USD_PER_MVARH = 0.5
"""Price of |Q| away from where it is held: nobody is paid it. Without it Q, which costs nothing, jumps
between the corners of its range and spends the accuracy of the map."""
ROWS_PER_ROUND = 5
ROUNDS_LIMIT = 200
VOLTAGE_ROW_SCALE = 10.0
TRACKING_USD_PER_MWH = 3e3
"""Price of missing the import asked for, where that is allowed: far above any offer."""
OVERLOAD_USD_PER_MWH = 1e5
"""Price of exceeding a thermal limit, where that is allowed: far above tracking."""
VOLTAGE_USD_PER_PU2_H = 1e6
"""Price of exceeding a voltage limit, where that is allowed: above tracking where a MW moves 0.003 pu^2, as
it does on its own feeder. Feeders that reach a voltage only by the bus that all share keep the award."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """One optimum of a feeder's program; DER arrays in the map's order."""

    p_kw: FloatArray
    """Injections, shape (D,). [kW]"""
    q_kvar: FloatArray
    """Reactive injections, shape (D,). [kvar]"""
    import_mw: float
    """Head import. [MW]"""
    cost_usd_per_h: float
    """Cost of the DERs against their floors. [$/h]"""
    price_usd_per_mwh: float
    """What one more MW of import would save (the dual of the head's balance). [$/MWh]"""
    voltage_slack_pu2: float
    """Excess of voltage that had to be allowed; zero but in tracking. [pu^2]"""
    overload_mw: float
    """Excess of power that had to be allowed; zero but in tracking. [MW]"""
    binding_rows: tuple[tuple[int, int], ...]
    """(kind, branch-phase) of every limit that has a price."""
    row_price: FloatArray
    """What one more unit of room at each of them would save, > 0, shape (binding rows,). [$/h per pu^2] or
    [$/MWh]"""


class ReducedProgram:
    """One feeder's program, kept warm from price to price and from interval to interval.

    It belongs to one set of map coefficients and one list of blocks; new ones need a new program.

    Parameters
    ----------
    case
        The first interval.
    name
        Says in errors which feeder failed.
    tolerance_share
        Part of the usual tolerances to which limits are kept and optima found.
    """

    def __init__(self, case: Case, name: str, *, tolerance_share: float = 1.0) -> None:
        self.name = name
        self._case = case
        self._voltage_tolerance = VOLTAGE_TOLERANCE_PU2 * tolerance_share
        self._power_tolerance = POWER_TOLERANCE_MW * tolerance_share
        self._program = Program(
            name,
            look_at="the DERs' offers and the base state",
            simplex_scale=False,
            tolerance=SOLVER_TOLERANCE * tolerance_share,
        )
        blocks, q_count = case.columns.der.size, 2 * case.columns.ders_count if case.q_free else 0
        add = self._program.add_columns
        self._x = add(np.zeros(blocks), np.zeros(blocks), np.zeros(blocks))
        # Q above where it is held, then Q below it
        none, price = np.zeros(q_count), np.full(q_count, REACTIVE_USD_PER_MVARH)
        self._q = add(none, none, price) if q_count else self._x[:0]
        self._head = add(np.zeros(1), np.zeros(1), np.zeros(1))
        self._miss = add(np.zeros(2), np.zeros(2), np.full(2, TRACKING_USD_PER_MWH))
        self._slack = add(np.zeros(2), np.zeros(2), np.array([VOLTAGE_USD_PER_PU2_H, OVERLOAD_USD_PER_MWH]))
        relief = [self._by_column(case.point.relief_by_p[None], case.point.relief_by_q[None])[0]]
        balance = np.concatenate([self._x, self._q, self._head, self._miss])
        entries = np.concatenate([*relief, [1.0, 1.0, -1.0]])
        counts = np.flatnonzero(entries)
        self._balance = self._program.add_row(0.0, 0.0, balance[counts], entries[counts])
        self._head_rows = self._added_head_rows(case.heads)
        self._lazy_from = self._balance + 1 + self._head_rows.size
        self._gather = csr_array(
            (np.ones(blocks), (case.columns.der, np.arange(blocks))), shape=(case.columns.ders_count, blocks)
        )
        self._kind = np.zeros(0, dtype=np.int64)
        self._place = np.zeros(0, dtype=np.int64)
        self._present = np.zeros(case.bound.shape, dtype=np.bool_)
        self.set_case(case)

    @property
    def solves_count(self) -> int:
        """Linear programs solved so far."""
        return self._program.solves_count

    @property
    def lazy_rows_count(self) -> int:
        """Voltage and thermal rows added so far."""
        return self._kind.size

    def fits(self, case: Case) -> bool:
        """Whether ``case`` needs only new bounds and costs."""
        mine = self._case
        return (
            case.point.coefficients is mine.point.coefficients
            and case.q_free == mine.q_free
            and np.array_equal(case.columns.der, mine.columns.der)
        )

    def set_case(self, case: Case) -> None:
        """Take up a new interval.

        Raises
        ------
        ModelError
            If the case has other coefficients or blocks than the program.
        """
        if not self.fits(case):
            raise ModelError(f"{self.name}: another map or list of blocks; build a new program")
        self._case = case
        columns = case.columns
        zero, width = np.zeros(columns.der.size), columns.width_kw / KW_PER_MW
        self._program.set_column_bounds(self._x, zero, width)
        self._program.set_costs(self._x, columns.price_usd_per_mwh)
        if case.q_free:
            self._program.set_column_bounds(self._q, 0.0, self._q_room(-np.inf, np.inf))
        if case.heads is not None:
            self._program.set_row_bounds(self._head_rows, -np.inf, _head_room(case.heads))
        self._program.set_row_bounds(
            np.array([self._balance]), case.import_at_floor_mw, case.import_at_floor_mw
        )
        self._free_head()
        self._at_floor = case.excess(columns.floor_kw, columns.q_kvar)
        if self._kind.size:
            rows = np.arange(self._kind.size) + self._lazy_from
            self._program.set_row_bounds(rows, -np.inf, self._room(self._kind, self._place))

    def at_price(self, price_usd_per_mwh: float) -> Vertex:
        """Least cost when the head's import is paid at a price."""
        self._program.set_costs(self._head, price_usd_per_mwh)
        return self._solve()

    def at_import(self, import_mw: float) -> Vertex:
        """Least cost at a given import.

        Raises
        ------
        InfeasibleError
            If the feeder cannot draw that much or little.
        """
        self._program.set_costs(self._head, 0.0)
        self._program.set_column_bounds(self._head, import_mw, import_mw)
        vertex = self._solve()
        self._free_head()
        return vertex

    def range_end_mw(self, *, greatest: bool) -> float:
        """Greatest, or least, feasible import. [MW]"""
        self._program.set_costs(self._x, 0.0)
        self._program.set_costs(self._head, -1.0 if greatest else 1.0)
        extreme = self._solve().import_mw
        self._program.set_costs(self._x, self._case.columns.price_usd_per_mwh)
        return extreme

    def at_range_end(self, *, greatest: bool) -> Vertex:
        """Cheapest of the states with the greatest, or least, feasible import."""
        extreme = self.range_end_mw(greatest=greatest)
        self._program.set_costs(self._head, 0.0)
        low = extreme - self._power_tolerance if greatest else self._case.least_import_mw
        high = self._case.greatest_import_mw if greatest else extreme + self._power_tolerance
        self._program.set_column_bounds(self._head, low, high)
        vertex = self._solve()
        self._free_head()
        return vertex

    def nearest_to_limits(self) -> Vertex:
        """Cheapest of the states, all other limits kept, that exceed those of voltage by least.

        Raises
        ------
        InfeasibleError
            If no state keeps the other limits.
        """
        excess, offered = self._slack[:1], self._case.columns.price_usd_per_mwh
        self._program.set_costs(np.concatenate([self._x, self._head]), 0.0)
        self._program.set_column_bounds(excess, 0.0, np.inf)
        least = self._solve().voltage_slack_pu2
        self._program.set_costs(self._x, offered)
        self._program.set_column_bounds(excess, 0.0, least + self._voltage_tolerance if least > 0.0 else 0.0)
        vertex = self._solve()
        self._program.set_column_bounds(excess, 0.0, 0.0)
        return vertex

    def track(
        self,
        import_mw: float,
        p_kw: tuple[FloatArray, FloatArray],
        q_kvar: tuple[FloatArray, FloatArray] | None = None,
    ) -> Vertex:
        """Cheapest state that comes nearest to an import, each DER inside its own range.

        Limits that cannot be kept are exceeded by as little as possible, ahead of the import.

        Parameters
        ----------
        p_kw
            Least and greatest injections in the map's order, cut to the offers, shapes (D,). [kW]
        q_kvar
            The same of reactive injections, where those are free; None: what the offers allow. [kvar]
        """
        columns = self._case.columns
        self._program.set_costs(self._head, 0.0)
        self._program.set_column_bounds(self._head, import_mw, import_mw)
        self._program.set_column_bounds(np.concatenate([self._miss, self._slack]), 0.0, np.inf)
        low, high = (columns.filled_kw(p) / KW_PER_MW for p in p_kw)
        self._program.set_column_bounds(self._x, low, high)
        if self._q.size and q_kvar is not None:
            high = self._q_room(*q_kvar)
            # what one side must have, the other must not have
            low = np.maximum(-np.roll(self._q_room(*q_kvar, cut=False), columns.ders_count), 0.0)
            self._program.set_column_bounds(self._q, np.minimum(low, high), high)
        vertex = self._solve()
        self._program.set_column_bounds(self._x, 0.0, columns.width_kw / KW_PER_MW)
        if self._q.size:
            self._program.set_column_bounds(self._q, 0.0, self._q_room(-np.inf, np.inf))
        self._program.set_column_bounds(np.concatenate([self._miss, self._slack]), 0.0, 0.0)
        self._free_head()
        return vertex

    def _q_room(
        self, low_kvar: FloatArray | float, high_kvar: FloatArray | float, *, cut: bool = True
    ) -> FloatArray:
        """Room of Q above where it is held, then below it, in ranges cut to the offers, shape (2 D,). [Mvar]

        ``cut``: no less than zero.
        """
        columns = self._case.columns
        limit = columns.q_limit_kvar
        above = np.clip(high_kvar, -limit, limit) - columns.q_kvar
        below = columns.q_kvar - np.clip(low_kvar, -limit, limit)
        room = np.where(np.tile(limit, 2) > 0.0, np.concatenate([above, below]), 0.0) / KW_PER_MW
        return np.asarray(np.maximum(room, 0.0) if cut else room)

    def _by_column(self, by_p: FloatArray, by_q: FloatArray) -> FloatArray:
        """What each block and each Q column does, from what each DER does, shape (rows, columns)."""
        blocks = by_p[:, self._case.columns.der]
        return np.concatenate([blocks, by_q, -by_q], axis=1) if self._q.size else blocks

    def _added_head_rows(self, heads: HeadLimits | None) -> IntArray:
        """Rows that keep each head's import below its greatest, then above its least."""
        if heads is None:
            return np.zeros(0, dtype=np.int64)
        relief = self._by_column(heads.relief_by_p, heads.relief_by_q)
        entries = np.concatenate([-relief, relief])
        columns = np.concatenate([self._x, self._q, self._slack[1:]])
        entries = np.concatenate([entries, np.full((entries.shape[0], 1), -1.0)], axis=1)
        row, place = np.nonzero(entries)
        starts = np.searchsorted(row, np.arange(entries.shape[0]))
        self._program.add_rows(-np.inf, _head_room(heads), starts, columns[place], entries[row, place])
        return self._balance + 1 + np.arange(entries.shape[0])

    def _free_head(self) -> None:
        case = self._case
        self._program.set_column_bounds(self._head, case.least_import_mw, case.greatest_import_mw)

    def _solve(self) -> Vertex:
        """Solve, adding the worst broken limits, until none is broken."""
        case, columns = self._case, self._case.columns
        for _ in range(ROUNDS_LIMIT):
            solution = self._program.solve()
            filled = solution.x[self._x] * KW_PER_MW
            p_kw = columns.floor_kw + self._gather @ filled
            q_kvar = columns.q_kvar.copy()
            if case.q_free:
                above, below = solution.x[self._q].reshape(2, -1) * KW_PER_MW
                q_kvar = q_kvar + above - below
            slack = solution.x[self._slack]
            if self._add_broken(case.excess(p_kw, q_kvar), slack):
                continue
            saving = -solution.row_dual[self._lazy_from :]
            priced = np.flatnonzero(saving)
            return Vertex(
                p_kw=p_kw,
                q_kvar=q_kvar,
                import_mw=case.import_mw(p_kw, q_kvar),
                cost_usd_per_h=float(filled @ columns.price_usd_per_mwh) / KW_PER_MW,
                price_usd_per_mwh=float(solution.row_dual[self._balance]),
                voltage_slack_pu2=float(slack[0]),
                overload_mw=float(slack[1]),
                binding_rows=tuple((int(self._kind[r]), int(self._place[r])) for r in priced),
                row_price=saving[priced] * row_scale(self._kind[priced]),
            )
        raise ModelError(f"{self.name}: limits still broken after {ROUNDS_LIMIT} rounds; check the map")

    def _add_broken(self, excess: FloatArray, slack: FloatArray) -> bool:
        """Add rows for the worst broken limits; say whether there were any."""
        broken = np.where(self._present, -np.inf, excess)
        broken[:2] -= slack[0] + self._voltage_tolerance
        broken[2:] -= slack[1] + self._power_tolerance
        kind, place = worst_broken(broken)
        if not kind.size:
            return False
        self._add_rows(kind, place)
        return True

    def _room(self, kind: IntArray, place: IntArray) -> FloatArray:
        """Right-hand sides of lazy rows: the room that is left with every DER at its floor."""
        return row_scale(kind) * -self._at_floor[kind, place]

    def _add_rows(self, kind: IntArray, place: IntArray) -> None:
        entries = np.zeros((kind.size, self._slack[-1] + 1))
        moving = np.concatenate([self._x, self._q])
        entries[:, moving] = self._by_column(*limit_rows(self._case, kind, place))
        entries[kind < 2, self._slack[0]] = -VOLTAGE_ROW_SCALE
        entries[kind >= 2, self._slack[1]] = -1.0
        row, column = np.nonzero(entries)
        starts = np.searchsorted(row, np.arange(kind.size))
        room = self._room(kind, place)
        self._program.add_rows(-np.inf, room, starts, column, entries[row, column])
        self._kind = np.concatenate([self._kind, kind])
        self._place = np.concatenate([self._place, place])
        self._present[kind, place] = True


def _head_room(heads: HeadLimits) -> FloatArray:
    """Right-hand sides of the heads' rows, shape (2 feeders,). [MW]"""
    return np.concatenate([heads.greatest_mw - heads.at_floor_mw, heads.at_floor_mw - heads.least_mw])


def limit_row(case: Case, kind: int, branch: int) -> FloatArray:
    """What a MW of each DER takes of a limit, the sign left out, shape (D,). [pu^2 per MW] or [1]"""
    place = np.array([branch])
    if kind < 2:
        return np.asarray(KW_PER_MW * np.abs(case.point.voltage_rows(place)[0][0]))
    return np.asarray(np.abs(case.normal[kind - 2].real) * case.point.incidence[place].toarray()[0])


def limit_rows(case: Case, kind: IntArray, place: IntArray) -> tuple[FloatArray, FloatArray]:
    """What a MW and a Mvar of each DER add to limits, times `row_scale`, shapes (rows, D)."""
    by_p, by_q = (np.zeros((kind.size, case.columns.ders_count)) for _ in range(2))
    voltage, power = np.flatnonzero(kind < 2), np.flatnonzero(kind >= 2)
    if voltage.size:
        real, imag = case.point.voltage_rows(place[voltage])
        sign = np.where(kind[voltage] == 0, 1.0, -1.0)[:, None] * VOLTAGE_ROW_SCALE
        by_p[voltage], by_q[voltage] = sign * KW_PER_MW * real, sign * KW_PER_MW * imag
    if power.size:
        share = case.point.incidence[place[power]].toarray()
        normal = case.normal[kind[power] - 2][:, None]
        by_p[power], by_q[power] = -normal.real * share, -normal.imag * share
    return by_p, by_q


def row_scale(kind: IntArray) -> FloatArray:
    """What rows of each kind are multiplied by."""
    return np.where(kind < 2, VOLTAGE_ROW_SCALE, 1.0)


def worst_broken(broken: FloatArray) -> tuple[IntArray, IntArray]:
    """Kinds and branch-phases of the worst positive entries of shape (K, m), voltages and powers apart."""
    if broken.max() <= 0:
        none = np.zeros(0, dtype=np.int64)
        return none, none
    m = broken.shape[1]
    worst = np.concatenate([_worst(broken[:2]), _worst(broken[2:]) + 2 * m])
    return worst // m, worst % m


def _worst(broken: FloatArray) -> IntArray:
    """Flat places of the worst positive entries, at most ``ROWS_PER_ROUND``."""
    flat = broken.ravel()
    count = min(int((flat > 0).sum()), ROWS_PER_ROUND)
    return np.argsort(-flat, kind="stable")[:count]

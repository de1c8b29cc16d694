"""Violations of a run with their causes, from its tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from federates.coordination.catalog import MODELS
from federates.coordination.model import CoordinationModel, Tier
from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import MissingInputError
from runner.post.load import load
from runner.post.run_tables import RunTables
from runner.post.violations.causes import Explained, explained
from runner.post.violations.history import History, Insight, Outlook, Say
from runner.post.violations.violation import PlantHistory, violations_of

ACTS = frozenset({"limits", "der_awards"})
"""Ports by which a DSO has a say once the ISO has cleared."""
STATES = frozenset({"envelopes", "feeder_models"})
"""Ports by which a DSO states beforehand what its feeders carry."""
TOLD = ("held", "message lost", "no envelope")
"""How texts of events begin that tell of something that was not there in time."""
PLANT = {
    "v_min_pu": "v_min_pu", "v_max_pu": "v_max_pu", "outside_a_count": "nodes_outside_a_count",
    "outside_b_count": "nodes_outside_b_count", "over_count": "lines_over_count",
    "loading_max_pct": "line_loading_max_pct", "head_over_kva": "head_over_kva", "p_kw": "p_kw",
    "q_kvar": "q_kvar", "tap_moves_count": "tap_moves_count",
}  # fmt: skip
"""Fields of a plant's history and the columns of table ``feeder``."""
ALSO = (
    "award", "der_type", "deployment", "estimate", "event", "expectation", "head", "interface",
    "override_check",
)  # fmt: skip
"""Tables besides ``feeder`` that bear causes out, where they were recorded."""
SUN = "pv"
CHECKED = ("voltage_count", "thermal_count", "head_count")


def plants(tables: RunTables) -> tuple[PlantHistory, ...]:
    """The plant's history of each feeder, by name.

    Raises
    ------
    MissingInputError
        If the run has no table ``feeder``.
    """
    values = {field: _by_id(tables, "feeder", column) for field, column in PLANT.items()}
    return tuple(
        PlantHistory(
            feeder=name,
            t_s=values["p_kw"][name][0],
            step_s=tables.run.clock.step_s,
            **{field: rows[name][1] for field, rows in values.items()},
        )
        for name in sorted(values["p_kw"])
    )


class Histories:
    """Histories of a run's feeders; what was not recorded, or not by its version, is NaN."""

    def __init__(self, tables: RunTables) -> None:
        self._tables = tables
        self._say = _say(MODELS[tables.run.coordination])
        self._rows: dict[tuple[str, str], _Rows] = {}
        self._most_mw = self._most()
        self._events = tuple(self._told())

    def of(self, plant: PlantHistory) -> History:
        """The history of one feeder."""
        lda, clock = plant.feeder.split("/")[0], self._tables.run.clock
        t_s, interval_s = plant.t_s, plant.t_s // clock.market_s * clock.market_s

        def now(table: str, column: str, id_: str) -> FloatArray:
            return self._at(table, column, id_, t_s)

        def held(table: str, column: str, id_: str = plant.feeder) -> FloatArray:
            return self._at(table, column, id_, interval_s)

        return History(
            plant=plant,
            say=self._say,
            market_s=clock.market_s,
            **self._ders(plant),
            bus_pu=now("interface", "v_pu", lda),
            award_mw=held("award", "award_mw", lda),
            most_mw=self._most_mw.get(lda, np.nan),
            reserve_mw=now("deployment", "spin_mw", lda) + now("deployment", "regulation_mw", lda),
            outlook=Outlook(**{f.name: held("expectation", f.name) for f in fields(Outlook)}),
            insight=Insight(
                v_min_pu=now("estimate", "v_min_pu", plant.feeder),
                v_max_pu=now("estimate", "v_max_pu", plant.feeder),
                head_kva=np.hypot(*(now("estimate", f"head_{c}", plant.feeder) for c in ("p_kw", "q_kvar"))),
                broken_count=np.sum([held("override_check", c) for c in CHECKED], axis=0),
                left_count=held("override_check", "left_count"),
            ),
            events=tuple((at, what) for at, area, what in self._events if area == lda),
        )

    def _at(self, table: str, column: str, id_: str, wanted_s: IntArray) -> FloatArray:
        """A column's value for one id at each time, NaN where there is no row, shape of ``wanted_s``."""
        if (table, column) not in self._rows:
            self._rows[table, column] = self._read(table, column)
        t_s, values = self._rows[table, column].get(id_, (np.zeros(0, np.int64), np.zeros(0)))
        place = np.searchsorted(t_s, wanted_s)
        padded_s, padded = np.append(t_s, -1), np.append(values, np.nan)
        return np.where(padded_s[place] == wanted_s, padded[place], np.nan)

    def _read(self, table: str, column: str) -> _Rows:
        """A column's rows by id; none where it was not recorded."""
        try:
            return _by_id(self._tables, table, column)
        except MissingInputError:
            return {}

    def _ders(self, plant: PlantHistory) -> dict[str, FloatArray]:
        """What photovoltaics inject, and what others do less sun left unused, shapes (steps,). [kW]"""
        if "der_type" not in self._tables.names:
            return dict.fromkeys(("sun_kw", "steered_kw"), np.full(plant.t_s.size, np.nan))
        sun_kw, steered_kw = np.zeros((2, plant.t_s.size))
        for kind in self._tables.owners("der_type", 2)[0]:
            id_ = f"{plant.feeder}/{kind}"
            own_kw = np.nan_to_num(self._at("der_type", "p_kw", id_, plant.t_s))
            if kind == SUN:
                sun_kw = own_kw
                own_kw = own_kw - np.nan_to_num(self._at("der_type", "available_kw", id_, plant.t_s))
            steered_kw = steered_kw + own_kw
        return {"sun_kw": sun_kw, "steered_kw": steered_kw}

    def _most(self) -> dict[str, float]:
        """Greatest net import or export of each area. [MW]"""
        if "head" not in self._tables.names:
            return {}
        return {lda: float(np.abs(p).max()) for lda, (_, p) in _by_id(self._tables, "head", "p_mw").items()}

    def _told(self) -> Iterator[tuple[int, str, str]]:
        """Policies that took effect on messages of an area: when, which area, what."""
        if "event" not in self._tables.names:
            return
        for row in load(self._tables.run_dir, "event").to_pylist():
            ends = str(row["id"]).split("/")[0].split(">")
            for lda in self._tables.run.multiplicity:
                mine = (f"dso_{lda}", f"feeder_{lda}")
                if row["what"].startswith(TOLD) and any(
                    end in mine or end.startswith(f"agg_{lda}_") for end in ends
                ):
                    yield int(row["t_s"]), lda, f"{row['id']}: {row['what']}"


_Rows = dict[str, tuple[IntArray, FloatArray]]
"""Times [s] and values of each id's rows, in the order of time."""


def _by_id(tables: RunTables, table: str, column: str) -> _Rows:
    names, codes = tables.ids(table)
    t_s, values = tables.t_s(table), tables.column(table, column)
    order = np.argsort(codes, kind="stable")
    found, first = np.unique(codes[order], return_index=True)
    return {
        names[code]: (t_s[own], values[own])
        for code, own in zip(found.tolist(), np.split(order, first[1:]), strict=True)
    }


def _say(model: CoordinationModel) -> Say:
    """What a model's wiring lets be said."""
    said = {link.out for link in model.all_links if link.from_kind == "dso"}
    return Say(
        dispatched=model.offers_to is not Tier.NOBODY,
        by_dso=bool(said & (ACTS | STATES)),
        after_clearing=bool(said & ACTS),
    )


def explained_violations(tables: RunTables) -> tuple[Explained, ...]:
    """Every violation of a run with its cause, feeder by feeder.

    Raises
    ------
    MissingInputError
        If the run has no table ``feeder``.
    """
    read, found = Histories(tables), []
    for plant in plants(tables):
        if violations := violations_of(plant):
            history = read.of(plant)
            found += [explained(violation, history) for violation in violations]
    return tuple(found)

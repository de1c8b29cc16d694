"""What DERs are scheduled to do the day before, as rows of a table: the forward side of their true cost.

On paper: powers are taken as they were awarded, hour by hour, whatever the hours before leave in a store.
What a schedule takes out of stores and never put there stands in their energy, valued as all that is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.tables import DA_DER, Recorder
from federates.der.catalog import Behaviour
from federates.der.model import Interval, StoreModel
from federates.der.store import put_in_kw
from federates.scenario.lda import LdaScenario


class ScheduleRecords:
    """Writes day-ahead schedules of some DERs of an LDA.

    Parameters
    ----------
    recorder
        Where rows go.
    scenario
        The LDA.
    places
        The DERs, by their places in the fleet, ascending.
    """

    def __init__(self, recorder: Recorder, scenario: LdaScenario, places: IntArray) -> None:
        self._recorder, self._clock = recorder, scenario.study.clock
        chosen = np.zeros(len(scenario.fleet), dtype=np.bool_)
        chosen[places] = True
        self._fleet = scenario.fleet.select(chosen)
        self._behaviour = Behaviour(self._fleet)
        names = [
            f"{scenario.name}/{feeder}/{kind}/{owner}"
            for feeder, kind, owner in zip(
                scenario.feeders_of(places), self._fleet.kind, self._fleet.owner, strict=True
            )
        ]
        self._ids = tuple(dict.fromkeys(names))
        place = {name: k for k, name in enumerate(self._ids)}
        self._group: IntArray = np.array([place[name] for name in names], dtype=np.int64)
        self._stores = np.zeros(len(self._fleet), dtype=np.bool_)
        for part in self._behaviour.parts:
            self._stores[part.places] = isinstance(part.model, StoreModel)

    def add(self, day: int, intervals: Sequence[Interval], p_kw: Sequence[FloatArray]) -> None:
        """Write a market day.

        Parameters
        ----------
        intervals
            What the day's 24 hours are expected to bring to the DERs.
        p_kw
            Injections scheduled, each of shape (ders,). [kW]
        """
        if not self._ids:
            return
        for t, now, injection in zip(self._clock.day_hours(day), intervals, p_kw, strict=True):
            put_in = np.where(self._stores, put_in_kw(self._fleet, injection), 0.0) * now.hours
            columns = (
                injection,
                self._behaviour.curtailed_kw(injection, now),
                self._behaviour.cost_usd(injection, now),
                put_in,
            )
            rows = [np.bincount(self._group, c, len(self._ids)).astype(np.float64) for c in columns]
            self._recorder.add(DA_DER, t, self._ids, *rows)

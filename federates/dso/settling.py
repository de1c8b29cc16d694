"""The DSO's settlement as it goes along: prices and meters in, lines and accounts of every hour out."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from federates.coordination.catalog import MODELS
from federates.coordination.model import Tier
from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.errors import MissingInputError
from federates.core.ledger import Line
from federates.core.ports import DsoPorts
from federates.core.protocol import Grant, Outbox
from federates.core.tables import LDA_ACCOUNT, METER_POINT, STATEMENT
from federates.core.time import SimTime
from federates.dso.statements import AreaPrices, LdaBooks, Settled, book, settle
from federates.scenario.lda import LdaScenario
from federates.scenario.places import meter_points

HOUR_S = 3_600
LEAST_MWH = 1e-9
"""Quantity below which a line without an amount is not written. [MWh]"""


class Pricing(Protocol):
    """Who sets, or passes on, the prices of an area."""

    def prices(self, grant: Grant, interval: SimTime) -> AreaPrices:
        """At which the market interval that has just ended is settled."""


class LdaSettlement:
    """Settles an LDA interval by interval, and closes lines and accounts every hour."""

    def __init__(self, context: Context, scenario: LdaScenario, pricing: Pricing) -> None:
        self._ports = DsoPorts()
        self._name = context.name
        self._clock = context.clock
        self._recorder = context.recorder
        self._with_lines = context.study.record.ders
        self._multiplicity = float(context.lda.multiplicity)
        self._scenario = scenario
        self._pricing = pricing
        self._points = meter_points(scenario)
        self._ders_count = len(scenario.fleet)
        self._is_apart = MODELS[context.study.coordination].offers_to is Tier.ISO
        self._hour: Settled | None = None
        self._before: Settled | None = None
        self._interval: SimTime | None = None
        self._settled_with = tuple(
            "aggregator"
            if self._is_apart and k < self._ders_count and scenario.fleet.participates[k]
            else "dso"
            for k in range(len(self._points.ids))
        )

    def settle(self, grant: Grant) -> Outbox:
        """Settle the interval that ends with this physical step."""
        got = grant.inbox.only(self._ports.customer_meters)
        step = grant.now // self._clock.step_s * self._clock.step_s
        interval = self._clock.settled_interval(step)
        if got is None or got.message.interval_s != interval:
            raise MissingInputError(
                f"{self._name} at {grant.now} s: its feeders have not reported their meters"
            )
        directed = self._scenario.directed(interval) & self._is_apart
        prices = self._pricing.prices(grant, interval)
        settled = settle(prices, got.message, directed, self._clock.market_s / HOUR_S)
        if interval != self._interval:
            self._before, self._interval = self._hour, interval
        # settled again, an interval counts once
        self._hour = settled if self._before is None else self._before + settled
        end = interval + self._clock.market_s
        if end >= self._clock.duration_s or (end - self._clock.day_start_s) % HOUR_S == 0:
            self._close(interval, book(self._hour, self._ders_count))
        return Outbox()

    def _close(self, last: SimTime, books: LdaBooks) -> None:
        begin = last - (last - self._clock.day_start_s) % HOUR_S
        self._hour = None
        if self._with_lines:
            if begin <= 0:
                self._record_points()
            self._record(begin, books.energy, books.energy_exact_usd)
            self._record(begin, books.network, books.network_exact_usd)
            self._record(begin, books.reserve, books.reserve_exact_usd)
        row: FloatArray = self._multiplicity * np.array(
            [
                -books.purchase_usd,
                -books.ders_usd,
                books.loads_usd,
                books.reserve_income_usd,
                -books.ders_reserve_usd,
                *books.explained_usd,
                books.rounding_usd,
                books.unexplained_usd,
            ]
        )
        self._recorder.add(LDA_ACCOUNT, begin, (self._scenario.name,), *row[:, None])

    def _record_points(self) -> None:
        kinds = zip(self._points.ids, self._points.kind, strict=True)
        ids = [f"{self._scenario.name}/{point}/{kind}" for point, kind in kinds]
        columns = self._points.rated_kw, self._points.has_load.astype(np.float64)
        self._recorder.add(METER_POINT, 0, ids, *columns, text=self._points.place)

    def _record(self, begin: SimTime, line: Line, exact_usd: FloatArray) -> None:
        told = np.flatnonzero((np.abs(line.quantity_mwh) > LEAST_MWH) | (line.amount_usd != 0.0))
        ids = [f"{self._scenario.name}/{self._points.ids[k]}/{line.item}" for k in told]
        columns = (line.quantity_mwh, line.price_usd_per_mwh, line.amount_usd, exact_usd)
        settled_with = [self._settled_with[k] for k in told]
        self._recorder.add(STATEMENT, begin, ids, *(column[told] for column in columns), text=settled_with)

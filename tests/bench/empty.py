"""Federates with real wiring, phases and message sizes and no model: the federation's own cost."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from federates.core.context import Context
from federates.core.messages import BoundaryVoltage
from federates.core.ports import PORTS
from federates.core.protocol import Grant, In, Out, Outbox, Phase, State
from federates.core.time import Cadence

KINDS = tuple((kind, "tests.bench.empty") for kind in PORTS)
SLEEPER = "TANDEM_BENCH_SLEEPER"
SLEEP_S = 3.0
SLEEP_AT_S = 600
ARRAY = np.linspace(0.0, 1.0, 50)


class EmptyFederate:
    """Sends constants on every port at every phase; two passes of the fixed point."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._out = [p for p in PORTS[context.seating.kind].all().values() if isinstance(p, Out)]
        self._sleeps = os.environ.get(SLEEPER) == context.name

    @property
    def phases(self) -> Mapping[int, Phase]:
        return {
            "iso": {0: Phase(Cadence.MARKET, self._act), 48: Phase(Cadence.SETTLE, self._act)},
            "transmission": {5: Phase(Cadence.STEP, self._solve_bulk, 45)},
            "feeder": {4: Phase(Cadence.STEP, self._solve_feeder, 44)},
            "dso": {1: Phase(Cadence.MARKET, self._act), 53: Phase(Cadence.GATE, self._act)},
            "aggregator": {2: Phase(Cadence.MARKET, self._act), 52: Phase(Cadence.GATE, self._act)},
        }[self._context.seating.kind]

    def start(self) -> Outbox:
        return self._say(converged=False)

    def save(self) -> State:
        return {"schema": np.array([1.0])}

    def restore(self, state: State) -> None:
        pass

    def finish(self) -> None:
        pass

    def _act(self, _: Grant) -> Outbox:
        return self._say(converged=False)

    def _solve_feeder(self, grant: Grant) -> Outbox:
        if self._sleeps and grant.now == SLEEP_AT_S + 4:
            time.sleep(SLEEP_S)
        voltage = grant.inbox.only(In("voltage", BoundaryVoltage))
        if voltage is not None and voltage.message.converged and grant.now % 60 != 4:
            return Outbox()
        outbox = self._say(converged=False)
        outbox.again = True
        return outbox

    def _solve_bulk(self, grant: Grant) -> Outbox:
        converged = grant.now % 60 == 7
        outbox = self._say(converged=converged)
        outbox.again = not converged
        return outbox

    def _say(self, *, converged: bool) -> Outbox:
        values: dict[str, object] = {
            "float": 1.0,
            "int": 0,
            "bool": converged,
            "FloatArray": ARRAY,
            "IntArray": np.arange(24),
        }
        outbox = Outbox()
        for port in self._out:
            outbox.put(port, port.message(**{f.name: values[str(f.type)] for f in fields(port.message)}))  # type: ignore[arg-type]
        return outbox


def build(context: Context) -> EmptyFederate:
    """An empty federate."""
    return EmptyFederate(context)

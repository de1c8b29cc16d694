"""Small federates of every kind: each sends a running checksum of all that it has received.

Wiring, phases and messages are the real ones; the numbers mean nothing, but every value that a federate reads
moves everything that it and its readers send from then on.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from federates.core.context import Context
from federates.core.errors import NotConvergedError
from federates.core.messages import BoundaryVoltage
from federates.core.ports import PORTS
from federates.core.protocol import Grant, In, Out, Outbox, Phase, State
from federates.core.settings import Study
from federates.core.tables import EVENT
from federates.core.time import Cadence

KINDS = tuple((kind, "tests.federation.toy") for kind in PORTS)
SETTING = "TANDEM_TOY"
FAULT_AT = "fault_at.txt"
"""File in the run's folder with the monotonic time of the fault. [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toy:
    """What goes wrong, where and when; and how long acting takes."""

    federate: str = ""
    fault: str = ""
    at_s: int = 0
    delay_s: float = 0.0
    seed: int = 0

    def environment(self) -> str:
        return json.dumps({f.name: getattr(self, f.name) for f in fields(self)})


def study(
    *,
    duration: int = 900,
    ldas: int = 2,
    start: str = "2020-03-27T00:00:00",
    step: int = 60,
    market_interval: int = 300,
    **federation: object,
) -> Study:
    """A study whose federates are toys; no file that it names is read."""
    return Study.model_validate(
        {
            "schema_version": 1,
            "name": "toy",
            "coordination": "layered_total_dso",
            "horizon": {
                "start": start,
                "duration": duration,
                "step": step,
                "market_interval": market_interval,
            },
            "transmission": {"kind": "pjm5"},
            "ldas": [
                {
                    "name": f"l{k}",
                    "bus": f"B{k}",
                    "feeders": [{"name": "f", "model": {"kind": "table", "path": "none"}, "seed_id": k}],
                }
                for k in range(ldas)
            ],
            "federation": federation,
        }
    )


def two_days(**federation: object) -> Study:
    """Half a day and an hour of the next, in coarse steps."""
    noon, hours = "2020-03-27T12:00:00", 13
    return study(start=noon, duration=hours * 3_600, step=300, market_interval=900, ldas=1, **federation)


def with_link_loss(base: Study, sender: str, receiver: str, at: int, duration: int) -> Study:
    """The study with one lost link."""
    document = base.model_dump(mode="json")
    loss = {"kind": "link_loss", "at": at, "duration": duration, "sender": sender, "receiver": receiver}
    return Study.model_validate({**document, "events": [loss]})


class ToyFederate:
    """Reads all ports, sends a checksum."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._toy = Toy(**json.loads(os.environ.get(SETTING, "{}")))
        self._random = random.Random(f"{self._toy.seed} {context.name}")
        self._ports = PORTS[context.seating.kind].all()
        self._sum = float(len(context.name))
        self._passes = 0
        if self._toy.fault == "never starts" and self._toy.federate == context.name:
            time.sleep(600)

    @property
    def phases(self) -> Mapping[int, Phase]:
        return {
            "iso": {
                0: Phase(Cadence.MARKET, self._act),
                48: Phase(Cadence.SETTLE, self._act),
                55: Phase(Cadence.DAY_AHEAD, self._clear, 59),
            },
            "transmission": {5: Phase(Cadence.STEP, self._solve_bulk, 45)},
            "feeder": {4: Phase(Cadence.STEP, self._solve_feeder, 44)},
            "dso": {
                1: Phase(Cadence.MARKET, self._act),
                53: Phase(Cadence.GATE, self._act),
                54: Phase(Cadence.DAY_AHEAD, self._bid_ahead, 58),
            },
            "aggregator": {2: Phase(Cadence.MARKET, self._act), 52: Phase(Cadence.GATE, self._act)},
        }[self._context.seating.kind]

    def start(self) -> Outbox:
        return self._say(-1)

    def save(self) -> State:
        return {"schema": np.array([1.0]), "sum": np.array([self._sum])}

    def restore(self, state: State) -> None:
        self._sum = float(state["sum"][0])

    def finish(self) -> None:
        pass

    def _act(self, grant: Grant) -> Outbox:
        self._read(grant)
        return self._say(grant.now)

    def _solve_feeder(self, grant: Grant) -> Outbox:
        self._read(grant)
        voltage = grant.inbox.only(In("voltage", BoundaryVoltage))
        first = grant.now % self._context.clock.step_s == 4
        if voltage is not None and voltage.message.converged and not first:
            return Outbox()
        outbox = self._say(grant.now)
        outbox.again = True
        return outbox

    def _solve_bulk(self, grant: Grant) -> Outbox:
        self._read(grant)
        self._passes = 1 if grant.now % self._context.clock.step_s == 5 else self._passes + 1
        converged = self._passes == 2 + grant.now // self._context.clock.step_s % 2
        outbox = self._say(grant.now, converged=converged)
        outbox.again = not converged
        return outbox

    def _bid_ahead(self, grant: Grant) -> Outbox:
        outbox = self._act(grant)
        outbox.again = grant.now < -2_000
        return outbox

    def _clear(self, grant: Grant) -> Outbox:
        outbox = self._act(grant)
        outbox.again = grant.now < -2_000
        return outbox

    def _read(self, grant: Grant) -> None:
        self._misbehave(grant.now)
        for name, port in sorted(self._ports.items()):
            if isinstance(port, In):
                for sender, got in grant.inbox.all(port).items():
                    for field in fields(got.message):  # type: ignore[arg-type]
                        value = float(np.sum(getattr(got.message, field.name)))
                        self._sum = math.fmod(1.1 * self._sum + value + len(sender) + got.sent_s % 97, 1e3)
                self._sum += 0.01 * len(grant.inbox.new(port)) + 0.001 * len(name)
        self._context.recorder.add(EVENT, grant.now, [self._context.name], [self._sum], text=["read"])

    def _say(self, now: int, *, converged: bool = False) -> Outbox:
        outbox = Outbox()
        for port in self._ports.values():
            if isinstance(port, Out):
                outbox.put(port, _message(port.message, self._sum, now, converged=converged))
        return outbox

    def _misbehave(self, now: int) -> None:
        toy = self._toy
        if toy.delay_s:
            time.sleep(self._random.random() * toy.delay_s)
        if not toy.fault or toy.federate != self._context.name or now < toy.at_s:
            return
        (self._context.run_dir / FAULT_AT).write_text(str(time.monotonic()), encoding="utf-8")
        match toy.fault:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "raise":
                raise NotConvergedError(f"{toy.federate} at {now} s did not converge; try a smaller step")
            case "bug":
                raise ZeroDivisionError("division by zero")
            case "hang":
                time.sleep(600)
            case "leave":
                os._exit(0)


def _message(kind: type[object], x: float, now: int, *, converged: bool) -> object:
    values: dict[str, object] = {
        "float": x,
        "int": now,
        "bool": converged,
        "FloatArray": np.array([x, x + 1.0, 0.5 * x]),
        "IntArray": np.array([1, 2], dtype=np.int64),
    }
    return kind(**{field.name: values[str(field.type)] for field in fields(kind)})  # type: ignore[arg-type]


def build(context: Context) -> ToyFederate:
    """A toy in a federate's seat."""
    return ToyFederate(context)

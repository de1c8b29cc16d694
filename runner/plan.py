"""How a study is run: its federations in time, its processes, and its ports.

One HELICS 3.6.1 federation stops for ever after some 28,000 distinct granted instants, so the plan counts
them and cuts a study into a chain of federations at market-day boundaries.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from federates.core.errors import ConfigError
from federates.core.hostspec import TransportName
from federates.core.settings import Study
from federates.core.time import Cadence, Clock, Span, market_day_spans, whole_span
from runner.topology import Host, Topology, lda_hosts, one_host, spread, topology

MAX_INSTANTS = 25_000
"""Distinct granted instants that one HELICS federation may have."""
PASSES = 6
"""Passes of the T-D fixed point that a physical step is counted with; it takes two to four."""
SECONDS_OF = {
    Cadence.STEP: 3 + 2 * PASSES,
    Cadence.MARKET: 1,
    Cadence.GATE: 3,
    Cadence.SETTLE: 1,
    Cadence.DAY_AHEAD: 6,
}
"""Seconds of a physical step at which somebody may act, by cadence: seconds 0, 1, 2 and the passes; 3; 51-53;
48; 54-59."""

FIRST_PORT = 10_000
LAST_PORT = 31_000
SLOT = 100
"""Ports are claimed in slots of this size; a port above ``LAST_PORT``, held by the runner, is the claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a study is run."""

    transport: TransportName
    spans: tuple[Span, ...]
    """Federations of the chain; on loopback one process runs them all in turn."""
    instants_count: tuple[int, ...]
    """Upper bound of the distinct instants of each span."""
    hosts: tuple[Host, ...]
    topology: Topology


def make_plan(study: Study, transport: TransportName) -> Plan:
    """The plan of a study.

    Raises
    ------
    ConfigError
        If a federation would pass the number of instants that HELICS can grant, or the wiring does not fit.
    """
    clock = study.clock
    members = topology(study)
    by_day = study.federation.chain == "day" or (transport == "helics" and study.federation.chain == "auto")
    spans = market_day_spans(clock) if by_day else (whole_span(clock),)
    counts = tuple(count_instants(clock, span) for span in spans)
    if transport == "helics" and max(counts) > MAX_INSTANTS:
        raise ConfigError(
            f"one federation would have up to {max(counts)} instants, HELICS reliably grants {MAX_INSTANTS}; "
            + (
                f"use a step longer than {clock.step_s} s or transport loopback"
                if by_day
                else "set federation.chain to 'day'"
            )
        )
    on_loopback = transport == "loopback"
    hosts = one_host(members.seatings) if on_loopback else spread(members.seatings, lda_hosts(study))
    return Plan(transport=transport, spans=spans, instants_count=counts, hosts=hosts, topology=members)


def count_instants(clock: Clock, span: Span) -> int:
    """Upper bound of the distinct instants at which anybody acts within a span."""
    steps = clock.steps(span.begin_s, span.end_s)
    return 2 + sum(
        seconds for step in steps for cadence, seconds in SECONDS_OF.items() if clock.is_due(cadence, step)
    )


@contextmanager
def claimed_ports(hosts_count: int) -> Iterator[int]:
    """First port of a free block of ``2 n + 20`` ports on loopback, claimed until the context ends.

    Raises
    ------
    OSError
        If no block is free.
    """
    slots = -(-(2 * hosts_count + 20) // SLOT)
    places = (LAST_PORT - FIRST_PORT) // SLOT - slots
    start = os.getpid() * 7
    for attempt in range(places):
        first = (start + attempt) % places
        with ExitStack() as claims:
            if all(_claim(first + k, claims) for k in range(slots)):
                yield FIRST_PORT + first * SLOT
                return
    raise OSError(f"no {slots * SLOT} free ports in a row between {FIRST_PORT} and {LAST_PORT}")


def _claim(slot: int, claims: ExitStack) -> bool:
    """Whether all ports of a slot were free and it is now ours."""
    claim = claims.enter_context(socket.socket())
    if not _can_bind(claim, LAST_PORT + slot):
        return False
    for port in range(FIRST_PORT + slot * SLOT, FIRST_PORT + (slot + 1) * SLOT):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if not _can_bind(probe, port):
                return False
    return True


def _can_bind(probe: socket.socket, port: int) -> bool:
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True

"""The federates of one host process on HELICS: a thread each, on one core."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from federates.core.errors import PeerLostError
from federates.core.exit_codes import exit_code_of
from federates.core.hostspec import BrokerAddress
from federates.core.time import Span
from federates.transport.helics_bus import HelicsCarrier, close_library
from federates.transport.seating import FederateFailure, SeatedFederate, Workshop, seat_all

Report = Callable[[FederateFailure], object]
FLUSH_S = 0.5
"""How long the others of a host may write what they have after one has failed. [s]"""


def run_on_helics(
    shop: Workshop, names: Sequence[str], span: Span, *, host: str, broker: BrokerAddress, report: Report
) -> None:
    """Run one span.

    On failure ``report`` is called first; then the federation is ended for everyone by a global error. The
    caller must leave the process at once, without HELICS' own clean-up.

    Raises
    ------
    FederateFailure
        The first failure of a federate of this host.
    """
    carriers: dict[str, HelicsCarrier] = {}

    def carrier_of(name: str) -> HelicsCarrier:
        carriers[name] = HelicsCarrier(
            name=name, core=f"{broker.key}-{host}", hosted=len(names), wires=shop.wires, span=span,
            broker=broker,
        )  # fmt: skip
        return carriers[name]

    try:
        seated = seat_all(shop, names, span, carrier_of)
    except FederateFailure as failure:
        _end_for_all(failure, carriers, report)
        raise
    _run_threads(seated, carriers, report)
    close_library()


def _run_threads(
    seated: Sequence[SeatedFederate], carriers: dict[str, HelicsCarrier], report: Report
) -> None:
    ended: queue.SimpleQueue[FederateFailure | None] = queue.SimpleQueue()
    threads = [
        threading.Thread(target=_drive, args=(one, carriers[one.name], ended), name=one.name, daemon=True)
        for one in seated
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        failure = ended.get()
        if failure is not None:
            _end_for_all(failure, carriers, report)
            _let_flush(threads)
            raise failure


def _drive(
    one: SeatedFederate, carrier: HelicsCarrier, ended: queue.SimpleQueue[FederateFailure | None]
) -> None:
    failure: FederateFailure | None = None
    try:
        for _ in one.instants():
            pass
        one.complete(carrier.leave)
    except Exception as caught:  # noqa: BLE001 - the top of a thread: nothing may end it unheard
        failure = caught if isinstance(caught, FederateFailure) else FederateFailure(one.name, one.now)
        failure.__cause__ = failure.__cause__ or caught
        with suppress(OSError):
            one.recorder.close()
    ended.put(failure)


def _end_for_all(failure: FederateFailure, carriers: dict[str, HelicsCarrier], report: Report) -> None:
    """Report; then end the federation in the failing federate's words, unless another had ended it."""
    try:
        report(failure)
    finally:
        carrier = carriers.get(failure.federate) or next(iter(carriers.values()), None)
        error = failure.__cause__
        if carrier is not None and error is not None and not isinstance(error, PeerLostError):
            carrier.fail(exit_code_of(error), f"{failure.federate}: {type(error).__name__}: {error}")


def _let_flush(threads: Sequence[threading.Thread]) -> None:
    deadline = time.monotonic() + FLUSH_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))

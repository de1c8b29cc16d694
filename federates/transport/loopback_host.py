"""A whole federation in one thread, span after span."""

from __future__ import annotations

import random
from collections.abc import Sequence

from federates.core.time import Span
from federates.transport.loopback import Exchange, interleave
from federates.transport.seating import SeatedFederate, Workshop, seat_all


def run_on_loopback(
    shop: Workshop, names: Sequence[str], spans: Sequence[Span], shuffle: random.Random | None = None
) -> None:
    """Run all spans in turn; each is built anew and goes on from the state saved by the one before.

    ``shuffle`` mixes the order of federates that act at the same instant, which must not matter.

    Raises
    ------
    FederateFailure
        If a federate fails; the others' results so far are written.
    """
    for span in spans:
        exchange = Exchange(shop.wires)
        order = list(names)
        if shuffle is not None:
            shuffle.shuffle(order)
        _run_span(seat_all(shop, order, span, exchange.carrier))


def _run_span(seated: Sequence[SeatedFederate]) -> None:
    try:
        interleave({one.name: one.instants() for one in seated})
        for one in seated:
            one.complete()
    finally:
        for one in seated:
            one.recorder.close()

"""Seats of a federation that leave something out."""

from __future__ import annotations

from federates import catalog
from federates.core.context import Context
from federates.core.protocol import Federate
from tests.instead import Instead

SETTLE_OFFSET_S = 48


def without_settlement(context: Context) -> Federate:
    """The product's own federate; a DSO settles nothing: there is no market, or nobody who reads meters."""
    federate = catalog.build(context)
    if context.seating.kind != "dso":
        return federate
    return Instead(federate, lambda handler: handler, without=(SETTLE_OFFSET_S,))

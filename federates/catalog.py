"""THE list of federate kinds and of one-shot tools. Engine-free: engines load inside what is built."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from federates.core.context import Context
from federates.core.protocol import Federate

KINDS: dict[str, str] = {
    "iso": "federates.iso.federate",
    "transmission": "federates.transmission.federate",
    "feeder": "federates.feeder.federate",
    "dso": "federates.dso.federate",
    "aggregator": "federates.aggregator.federate",
}
"""Module of each kind; its ``build(context)`` returns the federate."""

TOOLS: dict[str, str] = {
    "check": "federates.tools.check",
    "clear": "federates.tools.clear",
    "commit": "federates.tools.commit",
    "doctor": "federates.tools.doctor",
    "feeder": "federates.tools.feeder",
    "forward": "federates.tools.forward",
    "idle": "federates.tools.idle",
}
"""Module of each tool; its ``run(arguments)`` returns what is printed as JSON."""


def build(context: Context, kinds: dict[str, str] | None = None) -> Federate:
    """The federate of a context; ``kinds`` replaces the list in tests."""
    module = import_module((kinds or KINDS)[context.seating.kind])
    return cast("Callable[[Context], Federate]", module.build)(context)


def run_tool(name: str, arguments: dict[str, object]) -> dict[str, object]:
    """What a one-shot tool finds."""
    tool = cast("Callable[[dict[str, object]], dict[str, object]]", import_module(TOOLS[name]).run)
    return tool(arguments)

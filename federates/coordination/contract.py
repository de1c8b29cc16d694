"""What may cross a T-D interface where the DSO is all that the ISO sees of its area: a white list.

Every kind of message and every field of it is named here, with how often it may stand in a message: nothing
is counted by DERs, customers or feeders, so that a message is as long for ten DERs as for many thousands. A
link that brings anything else over the interface, or a field that is not listed, is refused when the
coordination model is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum

from federates.core.ports import PORTS
from federates.core.wiring import Link

BULK_KINDS = frozenset({"iso", "transmission"})
AREA_KINDS = frozenset({"dso", "aggregator", "feeder"})


class Per(Enum):
    """How often a field may stand in a message."""

    MESSAGE = "once in a message"
    PHASE = "once for each of three phases"
    INTERVAL = "once for each interval"
    PRODUCT = "once for each reserve product of an interval"
    BLOCK = "once for each block of an interval's curve or reserve offer"


FieldList = Mapping[str, Per]
"""Fields of a kind of message by name."""

_STRETCH = {"interval_s": Per.MESSAGE, "length_s": Per.MESSAGE}

UP: Mapping[str, FieldList] = {
    "InterfaceBid": {
        **_STRETCH,
        "counts": Per.INTERVAL,
        "import_mw": Per.BLOCK,
        "price_usd_per_mwh": Per.BLOCK,
        "reserve_counts": Per.INTERVAL,
        "reserve_product": Per.BLOCK,
        "reserve_mw": Per.BLOCK,
        "reserve_usd_per_mw_h": Per.BLOCK,
        "p_lo_mw": Per.INTERVAL,
        "p_hi_mw": Per.INTERVAL,
        "capacity_mw": Per.MESSAGE,
        "baseline_mw": Per.INTERVAL,
    },
    "StorageOffer": {
        **_STRETCH,
        "charge_mw": Per.INTERVAL,
        "discharge_mw": Per.INTERVAL,
        "most_mwh": Per.INTERVAL,
        "begin_mwh": Per.MESSAGE,
        "kept_share": Per.MESSAGE,
        "charge_efficiency": Per.MESSAGE,
        "discharge_efficiency": Per.MESSAGE,
        "wear_usd_per_mwh": Per.MESSAGE,
        "end_usd_per_mwh": Per.MESSAGE,
    },
    "ImportLimits": {**_STRETCH, "least_mw": Per.INTERVAL, "greatest_mw": Per.INTERVAL},
    "ValueCut": {
        **_STRETCH,
        "round_count": Per.MESSAGE,
        "asked_usd": Per.MESSAGE,
        "least_usd": Per.MESSAGE,
        "counts": Per.INTERVAL,
        "import_mw": Per.BLOCK,
        "price_usd_per_mwh": Per.BLOCK,
    },
}
"""DSO to ISO: the bid; the area's batteries as one store with the import that its feeders carry; or what a
day's import costs it."""

DOWN: Mapping[str, FieldList] = {
    "InterfaceAward": {
        **_STRETCH,
        "award_mw": Per.INTERVAL,
        "lmp_usd_per_mwh": Per.INTERVAL,
        "reserve_mw": Per.PRODUCT,
        "reserve_usd_per_mw_h": Per.PRODUCT,
        "store_mw": Per.INTERVAL,
        "capacity_mw": Per.MESSAGE,
    },
    "PriceAdvice": {**_STRETCH, "price_usd_per_mwh": Per.INTERVAL},
    "ImportQuery": {**_STRETCH, "round_count": Per.MESSAGE, "import_mw": Per.INTERVAL},
    "ReserveSignal": {
        "step_s": Per.MESSAGE,
        "regulation": Per.MESSAGE,
        "call": Per.MESSAGE,
        "capacity": Per.MESSAGE,
    },
}
"""ISO to DSO: award, price, the price to expect in the next day-ahead round, the import whose cost is asked
for, what is asked of reserves."""

PHYSICS_UP: Mapping[str, FieldList] = {"BoundaryPower": {"p_mw": Per.PHASE, "q_mvar": Per.PHASE}}
"""Feeder to transmission: what the grid itself tells."""

PHYSICS_DOWN: Mapping[str, FieldList] = {
    "BoundaryVoltage": {"v_pu": Per.MESSAGE, "angle_deg": Per.MESSAGE, "converged": Per.MESSAGE}
}
"""Transmission to feeder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Kinds of message that may go from one kind of federate to another across the T-D interface."""

    allowed: Mapping[tuple[str, str], Mapping[str, FieldList]]
    """By (sender, receiver), then by kind of message."""

    def faults(self, links: Sequence[Link]) -> list[str]:
        """What some links would bring over the interface that is not listed; in words."""
        return [fault for link in links if _crosses(link) for fault in self._faults(link)]

    def _faults(self, link: Link) -> list[str]:
        message = PORTS[link.from_kind].all()[link.out].message
        where = f"{link.from_kind}.{link.out} > {link.to_kind}.{link.into}"
        listed = self.allowed.get((link.from_kind, link.to_kind), {})
        if message.__name__ not in listed:
            may = ", ".join(listed) or "nothing"
            return [
                f"{where} brings {message.__name__}; from {link.from_kind} to {link.to_kind} may go {may}"
            ]
        own, may_have = {f.name for f in fields(message)}, set(listed[message.__name__])  # type: ignore[arg-type]
        extra = sorted(own - may_have)
        gone = sorted(may_have - own)
        return [f"{where}: {message.__name__}.{name} is not on the list" for name in extra] + [
            f"{where}: {message.__name__} has no field {name!r}, which the list names" for name in gone
        ]


TD_CONTRACT = Contract(
    allowed={
        ("dso", "iso"): UP,
        ("iso", "dso"): DOWN,
        ("feeder", "transmission"): PHYSICS_UP,
        ("transmission", "feeder"): PHYSICS_DOWN,
    }
)
"""The contract of the total DSO."""


def _crosses(link: Link) -> bool:
    ends = {link.from_kind, link.to_kind}
    return bool(ends & BULK_KINDS) and bool(ends & AREA_KINDS)

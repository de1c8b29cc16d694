"""THE list of coordination models."""

from federates.coordination.grand_central_blind import GRAND_CENTRAL_BLIND
from federates.coordination.grand_central_envelope import GRAND_CENTRAL_ENVELOPE
from federates.coordination.grand_central_full import GRAND_CENTRAL_FULL
from federates.coordination.grand_central_override import GRAND_CENTRAL_OVERRIDE
from federates.coordination.layered_total_dso import LAYERED_TOTAL_DSO
from federates.coordination.model import CoordinationModel
from federates.coordination.price_reactive import PRICE_REACTIVE
from federates.coordination.uncoordinated import UNCOORDINATED

MODELS: dict[str, CoordinationModel] = {
    m.key: m
    for m in (
        UNCOORDINATED,
        PRICE_REACTIVE,
        GRAND_CENTRAL_BLIND,
        GRAND_CENTRAL_OVERRIDE,
        GRAND_CENTRAL_ENVELOPE,
        GRAND_CENTRAL_FULL,
        LAYERED_TOTAL_DSO,
    )
}
"""Coordination models by key."""

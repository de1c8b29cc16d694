"""M0b: DERs answer the day-ahead price of their bus by themselves; the ISO sees each LDA's net demand."""

from federates.coordination.model import DSO_INTERFACE, CoordinationModel, Tier
from federates.core.wiring import Link

PRICE_REACTIVE = CoordinationModel(
    key="price_reactive",
    code="M0b",
    title="Price-reactive: DERs answer the day-ahead price, the ISO sees net demand",
    links=(*DSO_INTERFACE, Link("dso", "prices", "aggregator", "prices")),
    offers_to=Tier.NOBODY,
    dso_role="reactive_demand",
    aggregator_role="price_reactive",
    products=("energy",),
    arbitration="der",
)

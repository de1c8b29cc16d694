"""M1: the ISO dispatches every DER itself and sees no feeder."""

from federates.coordination.model import DSO_INTERFACE, CoordinationModel, Tier
from federates.core.wiring import Link

GRAND_CENTRAL_BLIND = CoordinationModel(
    key="grand_central_blind",
    code="M1",
    title="Grand central, blind: the ISO dispatches DERs and sees no feeder",
    links=(
        *DSO_INTERFACE,
        Link("aggregator", "offers", "iso", "der_offers"),
        Link("aggregator", "day_ahead_offers", "iso", "day_ahead_der_offers"),
        Link("iso", "der_awards", "aggregator", "awards"),
        Link("iso", "day_ahead_der_awards", "aggregator", "day_ahead_awards"),
        Link("iso", "advice", "aggregator", "advised"),
        Link("feeder", "der_meters", "iso", "der_meters"),
    ),
    offers_to=Tier.ISO,
    dso_role="inflexible_demand",
    aggregator_role="offers",
    products=("energy",),
    arbitration="iso",
)

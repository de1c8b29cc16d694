"""M4: the ISO dispatches every DER itself and keeps every feeder's limits: the article's grand central."""

from federates.coordination.grand_central_blind import GRAND_CENTRAL_BLIND
from federates.coordination.model import CoordinationModel
from federates.core.wiring import Link

GRAND_CENTRAL_FULL = CoordinationModel(
    key="grand_central_full",
    code="M4",
    title="Grand central, full sight: the ISO dispatches DERs and keeps every feeder's limits",
    links=(
        *GRAND_CENTRAL_BLIND.links,
        Link("dso", "feeder_models", "iso", "feeder_models"),
        Link("dso", "day_ahead_feeder_models", "iso", "day_ahead_feeder_models"),
    ),
    offers_to=GRAND_CENTRAL_BLIND.offers_to,
    dso_role="feeder_model",
    aggregator_role="offers",
    products=("energy", "feeder_limits"),
    arbitration="iso",
)

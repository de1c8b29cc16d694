"""M3: as M1, and each DSO publishes an envelope for every DER first, which offers keep to."""

from federates.coordination.grand_central_blind import GRAND_CENTRAL_BLIND
from federates.coordination.model import CoordinationModel
from federates.core.wiring import Link

GRAND_CENTRAL_ENVELOPE = CoordinationModel(
    key="grand_central_envelope",
    code="M3",
    title="Grand central inside envelopes: the DSO says how far DERs may go, the ISO dispatches them so far",
    links=(
        *GRAND_CENTRAL_BLIND.links,
        Link("dso", "envelopes", "aggregator", "envelopes"),
        Link("dso", "day_ahead_envelopes", "aggregator", "day_ahead_envelopes"),
    ),
    offers_to=GRAND_CENTRAL_BLIND.offers_to,
    dso_role="envelopes",
    aggregator_role="offers",
    products=("energy",),
    arbitration="iso",
)

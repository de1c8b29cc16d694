"""M2: as M1, and each DSO checks the ISO's dispatch and holds DERs back where its feeders cannot bear it."""

from federates.coordination.grand_central_blind import GRAND_CENTRAL_BLIND
from federates.coordination.model import CoordinationModel, Tier
from federates.core.wiring import Link

GRAND_CENTRAL_OVERRIDE = CoordinationModel(
    key="grand_central_override",
    code="M2",
    title="Grand central with overrides: the ISO dispatches DERs, the DSO cuts what its feeders cannot bear",
    links=(
        *GRAND_CENTRAL_BLIND.links,
        Link("aggregator", "set_points", "dso", "set_points"),
        Link("dso", "limits", "feeder", "limits"),
    ),
    offers_to=Tier.ISO,
    dso_role="override",
    aggregator_role="offers",
    products=("energy",),
    arbitration="dso",
)

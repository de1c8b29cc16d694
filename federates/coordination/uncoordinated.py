"""M0: DERs serve their own site, nobody coordinates; the ISO sees each LDA's net demand."""

from federates.coordination.model import DSO_INTERFACE, CoordinationModel, Tier

UNCOORDINATED = CoordinationModel(
    key="uncoordinated",
    code="M0",
    title="Uncoordinated: DERs serve their own site, the ISO sees net demand",
    links=DSO_INTERFACE,
    offers_to=Tier.NOBODY,
    dso_role="net_demand",
    aggregator_role="self_consumption",
    products=("energy",),
    arbitration="der",
)

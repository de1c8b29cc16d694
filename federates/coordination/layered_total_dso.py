"""M5: the total DSO makes one bid at the T-D interface and turns the award into set-points."""

from federates.coordination.contract import TD_CONTRACT
from federates.coordination.model import DSO_INTERFACE, CoordinationModel, Tier
from federates.core.wiring import Link

LAYERED_TOTAL_DSO = CoordinationModel(
    key="layered_total_dso",
    code="M5",
    title="Layered: a total DSO makes one bid at each T-D interface",
    links=(
        *DSO_INTERFACE,
        Link("iso", "signal", "dso", "signal"),
        Link("aggregator", "offers", "dso", "offers"),
        Link("aggregator", "day_ahead_offers", "dso", "day_ahead_offers"),
        Link("aggregator", "day_ahead_store", "dso", "day_ahead_stores"),
        Link("dso", "day_ahead_store", "iso", "day_ahead_stores"),
        Link("dso", "import_limits", "iso", "import_limits"),
        Link("aggregator", "der_stores", "dso", "der_stores"),
        Link("dso", "value_cuts", "iso", "value_cuts"),
        Link("iso", "import_queries", "dso", "import_queries"),
        Link("dso", "store_plans", "aggregator", "store_plans"),
        Link("dso", "der_awards", "aggregator", "awards"),
        Link("dso", "prices", "aggregator", "prices"),
        Link("dso", "advice", "aggregator", "advised"),
    ),
    offers_to=Tier.DSO,
    dso_role="total",
    aggregator_role="offers",
    products=("energy",),
    arbitration="dso",
    contract=TD_CONTRACT,
)

"""The ports of every kind of federate: what it takes and what it gives.

Engine-free, so that wiring is checked before any process starts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from federates.core.messages import (
    BoundaryPower,
    BoundaryVoltage,
    CustomerMeters,
    DerAwards,
    DerEnvelopes,
    DerLimits,
    DerMeters,
    DerOffers,
    DerState,
    DerStores,
    FeederModel,
    GridState,
    ImportLimits,
    ImportQuery,
    InterfaceAward,
    InterfaceBid,
    IntervalMeters,
    PriceAdvice,
    ReserveSignal,
    SetPoints,
    StorageOffer,
    StorePlan,
    Telemetry,
    UnitDispatch,
    ValueCut,
)
from federates.core.protocol import In, Out

AnyPort = In[object] | Out[object]


@dataclass(frozen=True, slots=True)
class Ports:
    """Base of every kind's port list."""

    def all(self) -> dict[str, AnyPort]:
        """Ports by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class IsoPorts(Ports):
    """Ports of the ISO market."""

    grid_state: In[GridState] = In("grid_state", GridState)
    meters: In[IntervalMeters] = In("meters", IntervalMeters)
    der_meters: In[DerMeters] = In("der_meters", DerMeters, required=False)
    bids: In[InterfaceBid] = In("bids", InterfaceBid)
    day_ahead_bids: In[InterfaceBid] = In("day_ahead_bids", InterfaceBid)
    day_ahead_stores: In[StorageOffer] = In("day_ahead_stores", StorageOffer, required=False)
    import_limits: In[ImportLimits] = In("import_limits", ImportLimits, required=False)
    der_offers: In[DerOffers] = In("der_offers", DerOffers, required=False)
    day_ahead_der_offers: In[DerOffers] = In("day_ahead_der_offers", DerOffers, required=False)
    feeder_models: In[FeederModel] = In("feeder_models", FeederModel, required=False)
    day_ahead_feeder_models: In[FeederModel] = In("day_ahead_feeder_models", FeederModel, required=False)
    value_cuts: In[ValueCut] = In("value_cuts", ValueCut, required=False)
    dispatch: Out[UnitDispatch] = Out("dispatch", UnitDispatch)
    awards: Out[InterfaceAward] = Out("awards", InterfaceAward)
    day_ahead_awards: Out[InterfaceAward] = Out("day_ahead_awards", InterfaceAward)
    advice: Out[PriceAdvice] = Out("advice", PriceAdvice)
    import_queries: Out[ImportQuery] = Out("import_queries", ImportQuery)
    der_awards: Out[DerAwards] = Out("der_awards", DerAwards)
    day_ahead_der_awards: Out[DerAwards] = Out("day_ahead_der_awards", DerAwards)
    signal: Out[ReserveSignal] = Out("signal", ReserveSignal)


@dataclass(frozen=True, slots=True)
class TransmissionPorts(Ports):
    """Ports of the bulk grid."""

    dispatch: In[UnitDispatch] = In("dispatch", UnitDispatch)
    power: In[BoundaryPower] = In("power", BoundaryPower)
    voltage: Out[BoundaryVoltage] = Out("voltage", BoundaryVoltage)
    grid_state: Out[GridState] = Out("grid_state", GridState)
    meters: Out[IntervalMeters] = Out("meters", IntervalMeters)


@dataclass(frozen=True, slots=True)
class FeederPorts(Ports):
    """Ports of the physical LDA."""

    voltage: In[BoundaryVoltage] = In("voltage", BoundaryVoltage)
    set_points: In[SetPoints] = In("set_points", SetPoints)
    limits: In[DerLimits] = In("limits", DerLimits, required=False)
    power: Out[BoundaryPower] = Out("power", BoundaryPower)
    telemetry: Out[Telemetry] = Out("telemetry", Telemetry)
    der_state: Out[DerState] = Out("der_state", DerState)
    der_meters: Out[DerMeters] = Out("der_meters", DerMeters)
    customer_meters: Out[CustomerMeters] = Out("customer_meters", CustomerMeters)


@dataclass(frozen=True, slots=True)
class DsoPorts(Ports):
    """Ports of the DSO."""

    telemetry: In[Telemetry] = In("telemetry", Telemetry)
    customer_meters: In[CustomerMeters] = In("customer_meters", CustomerMeters)
    offers: In[DerOffers] = In("offers", DerOffers, required=False)
    day_ahead_offers: In[DerOffers] = In("day_ahead_offers", DerOffers, required=False)
    awards: In[InterfaceAward] = In("awards", InterfaceAward)
    day_ahead_awards: In[InterfaceAward] = In("day_ahead_awards", InterfaceAward)
    advised: In[PriceAdvice] = In("advised", PriceAdvice, required=False)
    day_ahead_stores: In[StorageOffer] = In("day_ahead_stores", StorageOffer, required=False)
    der_stores: In[DerStores] = In("der_stores", DerStores, required=False)
    import_queries: In[ImportQuery] = In("import_queries", ImportQuery, required=False)
    set_points: In[SetPoints] = In("set_points", SetPoints, required=False)
    signal: In[ReserveSignal] = In("signal", ReserveSignal, required=False)
    bids: Out[InterfaceBid] = Out("bids", InterfaceBid)
    day_ahead_bids: Out[InterfaceBid] = Out("day_ahead_bids", InterfaceBid)
    day_ahead_store: Out[StorageOffer] = Out("day_ahead_store", StorageOffer)
    import_limits: Out[ImportLimits] = Out("import_limits", ImportLimits)
    value_cuts: Out[ValueCut] = Out("value_cuts", ValueCut)
    store_plans: Out[StorePlan] = Out("store_plans", StorePlan)
    der_awards: Out[DerAwards] = Out("der_awards", DerAwards)
    feeder_models: Out[FeederModel] = Out("feeder_models", FeederModel)
    day_ahead_feeder_models: Out[FeederModel] = Out("day_ahead_feeder_models", FeederModel)
    prices: Out[InterfaceAward] = Out("prices", InterfaceAward)
    limits: Out[DerLimits] = Out("limits", DerLimits)
    envelopes: Out[DerEnvelopes] = Out("envelopes", DerEnvelopes)
    day_ahead_envelopes: Out[DerEnvelopes] = Out("day_ahead_envelopes", DerEnvelopes)
    advice: Out[PriceAdvice] = Out("advice", PriceAdvice)


@dataclass(frozen=True, slots=True)
class AggregatorPorts(Ports):
    """Ports of an aggregator."""

    der_state: In[DerState] = In("der_state", DerState)
    awards: In[DerAwards] = In("awards", DerAwards, required=False)
    day_ahead_awards: In[DerAwards] = In("day_ahead_awards", DerAwards, required=False)
    prices: In[InterfaceAward] = In("prices", InterfaceAward, required=False)
    advised: In[PriceAdvice] = In("advised", PriceAdvice, required=False)
    store_plans: In[StorePlan] = In("store_plans", StorePlan, required=False)
    envelopes: In[DerEnvelopes] = In("envelopes", DerEnvelopes, required=False)
    day_ahead_envelopes: In[DerEnvelopes] = In("day_ahead_envelopes", DerEnvelopes, required=False)
    offers: Out[DerOffers] = Out("offers", DerOffers)
    day_ahead_offers: Out[DerOffers] = Out("day_ahead_offers", DerOffers)
    day_ahead_store: Out[StorageOffer] = Out("day_ahead_store", StorageOffer)
    der_stores: Out[DerStores] = Out("der_stores", DerStores)
    set_points: Out[SetPoints] = Out("set_points", SetPoints)


PORTS: dict[str, Ports] = {
    "iso": IsoPorts(),
    "transmission": TransmissionPorts(),
    "feeder": FeederPorts(),
    "dso": DsoPorts(),
    "aggregator": AggregatorPorts(),
}
"""Ports of each kind of federate."""

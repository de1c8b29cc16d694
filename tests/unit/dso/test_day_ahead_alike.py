"""What DSOs bid day-ahead apart from their DERs' choice: the same under every coordination model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federates.aggregator.roles.offers import Offers
from federates.core.arrays import FloatArray
from federates.core.forward import FILE, ForwardPlan
from federates.core.messages import DerOffers, InterfaceBid
from federates.core.protocol import Grant, Inbox, Received
from federates.core.tables import DA_DER
from federates.dso.roles.feeder_model import FeederModelRole
from federates.dso.roles.inflexible_demand import InflexibleDemand
from federates.dso.roles.net_demand import NetDemand
from federates.dso.roles.total import TotalDsoRole
from federates.recording.memory import MemoryRecorder
from tests.build import DAY_HOURS, TINY, context, plan, study

NAME, AGGREGATOR = "dso_lda1", "agg_lda1_supplier"
DAY_AHEAD_S = -2_400 + 54
NO_CHOICE = ("ldas.0.feeders.0.ders.participation=0", "ldas.0.feeders.0.ders.battery=null")
SETS = 5
MAP_SHARE = 1e-5
"""A bid is rounded to 1 W of one set; the map is exact where it is linearised."""


def quantity_mw(
    folder: Path, model: str, role: type[InflexibleDemand | NetDemand | TotalDsoRole]
) -> FloatArray:
    """Least and greatest import bid for each hour, which have to be one, shape (24,). [MW]"""
    plan(folder)
    wanted = study(TINY, f"coordination={model}", *NO_CHOICE)
    arrivals = {}
    if role is TotalDsoRole:
        (sent,) = (
            Offers(context(wanted, AGGREGATOR, folder))
            .offer_day_ahead(Grant(DAY_AHEAD_S - 3, Inbox({}, None)))
            .sent
        )
        assert isinstance(sent.message, DerOffers)
        arrivals["day_ahead_offers"] = {AGGREGATOR: Received(AGGREGATOR, 0, 0, sent.message)}
    seat = context(wanted, NAME, folder)
    (bid,) = role(seat).day_ahead_bid(Grant(DAY_AHEAD_S, Inbox(arrivals, None))).sent
    assert isinstance(bid.message, InterfaceBid)
    ends = np.cumsum(bid.message.counts.astype(np.int64))
    least, greatest = (
        bid.message.import_mw[ends - bid.message.counts.astype(np.int64)],
        bid.message.import_mw[ends - 1],
    )
    assert greatest == pytest.approx(least, abs=1e-4)
    return least


def test_without_a_choice_every_model_bids_the_same_day(tmp_path: Path) -> None:
    """Taps decide on what loads draw: 1.4 % of it where they stood differently."""
    net = quantity_mw(tmp_path / "m0", "uncoordinated", NetDemand)
    assert net.shape == (DAY_HOURS,)
    assert np.ptp(net) > 1.0 * SETS
    for model, role in (("grand_central_blind", InflexibleDemand), ("layered_total_dso", TotalDsoRole)):
        other = quantity_mw(tmp_path / model, model, role)
        np.testing.assert_allclose(other, net, rtol=MAP_SHARE, err_msg=model)


CHEAP_USD_PER_MWH, DEAR_USD_PER_MWH = 10.0, 50.0


def test_full_sight_leaves_apart_from_ders_what_a_total_dso_bids_from(tmp_path: Path) -> None:
    """Batteries charge at midnight, which is cheap: regulators must not be where that would put them.

    Where no limit cuts it, a curve ends with every DER at its floor: M4's quantity less the floors.
    """
    plan(tmp_path)
    known = ForwardPlan.read(tmp_path / FILE)
    price = np.where(np.arange(DAY_HOURS) == 0, CHEAP_USD_PER_MWH, DEAR_USD_PER_MWH)
    even = np.ones_like(known.lmp_usd_per_mwh)
    replace(known, lmp_usd_per_mwh=even * price[None, :, None]).write(tmp_path / FILE)
    full, layered = (study(TINY, f"coordination={m}") for m in ("grand_central_full", "layered_total_dso"))
    day_ahead = FeederModelRole(context(full, NAME, tmp_path)).day_ahead_bid
    quantity = next(s.message for s in day_ahead(Grant(DAY_AHEAD_S, Inbox({}, None))).sent)
    aggregator = Offers(context(layered, AGGREGATOR, tmp_path))
    (sent,) = aggregator.offer_day_ahead(Grant(DAY_AHEAD_S - 3, Inbox({}, None))).sent
    offers = sent.message
    arrivals = {"day_ahead_offers": {AGGREGATOR: Received(AGGREGATOR, 0, 0, offers)}}
    total = TotalDsoRole(context(layered, NAME, tmp_path)).day_ahead_bid
    (curve,) = (s.message for s in total(Grant(DAY_AHEAD_S, Inbox(arrivals, None))).sent)
    assert isinstance(quantity, InterfaceBid)
    assert isinstance(curve, InterfaceBid)
    assert isinstance(offers, DerOffers)
    floor_mw = SETS * offers.floor_mw.reshape(DAY_HOURS, -1).sum(axis=1)
    last = np.cumsum(curve.counts.astype(np.int64)) - 1
    at_floor = np.isclose(curve.import_mw[last], quantity.import_mw - floor_mw, rtol=MAP_SHARE)
    assert at_floor.sum() >= DAY_HOURS // 3


def test_a_dso_that_counts_its_ders_writes_what_it_foresees_of_them(tmp_path: Path) -> None:
    plan(tmp_path)
    seat = context(study(TINY, "coordination=uncoordinated"), NAME, tmp_path)
    assert isinstance(seat.recorder, MemoryRecorder)
    NetDemand(seat).day_ahead_bid(Grant(DAY_AHEAD_S, Inbox({}, None)))
    assert seat.recorder.rows(DA_DER).t_s.size == 3 * DAY_HOURS
    kinds = np.array([name.split("/")[2] for name in seat.recorder.ids(DA_DER)])
    stored_kwh = seat.recorder.column(DA_DER, "stored_kwh")[kinds == "battery"]
    # serving its site all day, it gives what it held
    assert stored_kwh.sum() == pytest.approx(-600.0, rel=0.05)

"""The DSO of M4: around which dispatch its limits stand, and how far they let voltages move."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array

from federates.core.arrays import FloatArray
from federates.core.messages import FeederModel, InterfaceAward
from federates.core.protocol import Grant, Inbox, Received
from federates.core.settings import Study
from federates.dso import total
from federates.dso.local_need import LocalNeed
from federates.dso.roles.feeder_model import FeederModelRole
from federates.dso.roles.kept_energy import KeptEnergy
from federates.dso.roles.seen import conditions
from federates.dso.total import VOLTAGE_RISE_PU
from federates.dso.twin import Twin
from federates.scenario.lda import LdaScenario
from tests.build import DAY_HOURS, TINY, context, plan, study
from tests.unit.dso.test_grand_central_roles import telemetry

NAME, GATE_S, NOON_S = "dso_lda1", -180, 12 * 3_600
SUNNY = (
    "coordination=grand_central_full",
    "horizon.start=2020-03-27T12:00:00",
    "ldas.0.feeders.0.ders.pv.power=5 MW",
    "ldas.0.feeders.0.load_scale=0.4",
    "forecast={kind: perfect}",
)
SHORT_HEAD = ("horizon.duration=10h", "ldas.0.feeders.0.import_limit=3.4 MVA")
SOLD_USD_PER_MWH, UNSOLD_USD_PER_MWH = 30.0, -100.0
"""Prices at which the DSO expects the sun to be taken, and batteries to charge while it is not."""


def published(wanted: Study, folder: Path, price_usd_per_mwh: float) -> FeederModel:
    """What the DSO publishes before noon's first interval, all DERs at rest."""
    plan(folder)
    role = FeederModelRole(context(wanted, NAME, folder))
    prices = InterfaceAward(
        interval_s=-NOON_S,
        length_s=3_600,
        award_mw=np.zeros(DAY_HOURS),
        lmp_usd_per_mwh=np.full(DAY_HOURS, price_usd_per_mwh),
        reserve_mw=np.zeros(0),
    )
    meters = telemetry(LdaScenario(wanted, "lda1"))
    arrivals = {
        "telemetry": {"feeder_lda1": Received("feeder_lda1", GATE_S, GATE_S, meters)},
        "day_ahead_awards": {"iso": Received("iso", GATE_S, GATE_S, prices)},
    }
    _, sent = role.bid(Grant(GATE_S + 52, Inbox(arrivals, None))).sent
    assert isinstance(sent.message, FeederModel)
    return sent.message


def most_injection_kw(scenario: LdaScenario, model: FeederModel) -> FloatArray:
    """The dispatch that injects most of all that the rows allow, shape (ders,). [kW]"""
    entries = (model.coefficient, model.der, np.concatenate(([0], np.cumsum(model.entries))))
    rows = csr_array(entries, shape=(model.upper_mw.size, model.ders))
    hour = scenario.expected(0, GATE_S + 52).ders
    reach = np.stack([hour.least_kw, hour.available_kw], axis=1) / 1_000.0
    sets = scenario.study.lda("lda1").multiplicity
    found = linprog(-np.ones(model.ders), A_ub=rows, b_ub=model.upper_mw / sets, bounds=reach)
    assert found.status == 0
    assert found.slack.min() < 1e-6, "some row binds"
    return np.asarray(1_000.0 * found.x)


LOSS_SHARE = 0.1
"""What losses and loads, which the voltage moves, make of injections at rest."""
NEAR_PU, FAR_PU = 0.004, 0.008
"""What the map may err by around the right dispatch, to which batteries add and from which the voltage margin
keeps, and does around another."""


@pytest.mark.parametrize(
    ("price", "least_pu", "greatest_pu"),
    [(SOLD_USD_PER_MWH, 0.0, NEAR_PU), (UNSOLD_USD_PER_MWH, FAR_PU, np.inf)],
)
def test_limits_are_those_of_the_twin_where_the_dsos_forecast_of_the_dispatch_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, price: float, least_pu: float, greatest_pu: float
) -> None:
    """From rest into full sun the step of voltage binds, that of the import aside.

    Expected, it is met; unexpected, missed.
    """
    monkeypatch.setattr("federates.dso.total.IMPORT_STEP_SHARE", np.inf)
    wanted = study(TINY, *SUNNY)
    scenario = LdaScenario(wanted, "lda1")
    p_kw = most_injection_kw(scenario, published(wanted, tmp_path, price))
    twin, rest = Twin(scenario), np.zeros(p_kw.size)
    twin.set_taps(np.zeros(4))
    twin.set_conditions(conditions(scenario.expected(0, GATE_S + 52), 1.0))
    before, after = (
        np.concatenate([np.sqrt(point.w_pu2) for point in twin.solve(p, rest).points]) for p in (rest, p_kw)
    )
    assert least_pu <= abs((after - before).max() - VOLTAGE_RISE_PU) <= greatest_pu


def test_the_areas_import_moves_by_one_step_of_its_substation(tmp_path: Path) -> None:
    """From rest into full sun; ten times as much is offered."""
    wanted = study(TINY, *SUNNY)
    scenario = LdaScenario(wanted, "lda1")
    p_kw = most_injection_kw(scenario, published(wanted, tmp_path, SOLD_USD_PER_MWH))
    step_kw = 1e3 * total.IMPORT_STEP_SHARE * scenario.substation_mva
    assert scenario.expected(0, GATE_S + 52).ders.available_kw.sum() > 8.0 * step_kw
    # a DER that injects saves what its map says of losses beside
    assert p_kw.sum() == pytest.approx(step_kw, rel=LOSS_SHARE)


def test_batteries_keep_energy_for_the_evening_at_the_head(tmp_path: Path) -> None:
    """The head may draw less than the evening's demand; nearly all that batteries hold now will be needed.

    The DSO's rows hold each of them below what leaves it that much, as a total DSO's own offers do.
    """
    wanted = study(TINY, *SUNNY[:2], *SHORT_HEAD)
    scenario = LdaScenario(wanted, "lda1")
    model = published(wanted, tmp_path, SOLD_USD_PER_MWH)
    need, fleet = LocalNeed(scenario, total.HEAD_SHARE), scenario.fleet
    kept_kw = KeptEnergy(scenario, need, None, scenario.study.clock).most_kw(
        GATE_S + 52, 0, 300, fleet.initial_kwh
    )
    held = kept_kw < fleet.power_kw
    assert (kept_kw[held] > 0.0).all()
    assert held.any()
    single = np.repeat(model.entries, model.entries) == 1
    row = np.repeat(np.arange(model.entries.size), model.entries)
    upper_kw = np.full(model.ders, np.inf)
    np.minimum.at(upper_kw, model.der[single], 1e3 * model.upper_mw[row[single]] / model.coefficient[single])
    sets = scenario.study.lda("lda1").multiplicity
    np.testing.assert_allclose(upper_kw[held] / sets, kept_kw[held])

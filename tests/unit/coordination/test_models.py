"""Every coordination model is wired whole, with roles that exist, and says by its wires who talks to whom."""

from __future__ import annotations

import pytest

from federates.aggregator.federate import ROLES as AGGREGATOR_ROLES
from federates.coordination.catalog import MODELS
from federates.coordination.model import CoordinationModel, Tier
from federates.core.context import seatings
from federates.core.ports import PORTS
from federates.core.protocol import Out
from federates.core.settings import Study
from federates.core.wiring import PHYSICAL_LINKS, expand
from federates.dso.federate import ROLES as DSO_ROLES
from tests.build import study

every_model = pytest.mark.parametrize("model", MODELS.values(), ids=lambda m: m.code)


def test_keys_and_codes_are_unique_and_known_to_the_settings() -> None:
    assert [m.key for m in MODELS.values()] == list(MODELS)
    assert len({m.code for m in MODELS.values()}) == len(MODELS)
    allowed = Study.model_json_schema()["properties"]["coordination"]["enum"]
    assert set(allowed) == set(MODELS)


@every_model
def test_its_wires_fit(model: CoordinationModel) -> None:
    wires = expand(model.all_links, seatings(study()))
    assert len({w.key for w in wires}) == len(wires)
    assert all(isinstance(PORTS[link.from_kind].all()[link.out], Out) for link in model.all_links)


@every_model
def test_its_roles_exist(model: CoordinationModel) -> None:
    assert model.dso_role in DSO_ROLES
    assert model.aggregator_role in AGGREGATOR_ROLES


@every_model
def test_the_grid_itself_is_wired_alike(model: CoordinationModel) -> None:
    assert model.all_links[: len(PHYSICAL_LINKS)] == PHYSICAL_LINKS


@every_model
def test_offers_go_where_the_record_says(model: CoordinationModel) -> None:
    to = {link.to_kind for link in model.links if (link.from_kind, link.out) == ("aggregator", "offers")}
    assert to == {Tier.NOBODY: set(), Tier.DSO: {"dso"}, Tier.ISO: {"iso"}}[model.offers_to]


def test_only_grand_central_models_pass_the_dso_by() -> None:
    past = {
        model.code: sum({link.from_kind, link.to_kind} == {"iso", "aggregator"} for link in model.links)
        for model in MODELS.values()
    }
    assert past == {"M0": 0, "M0b": 0, "M1": 5, "M2": 5, "M3": 5, "M4": 5, "M5": 0}

"""What the total DSO and the ISO may tell each other is listed; anything else is refused when it is wired."""

from __future__ import annotations

from dataclasses import replace

import pytest

from federates.coordination.catalog import MODELS
from federates.coordination.contract import DOWN, TD_CONTRACT, UP, Contract
from federates.core import messages
from federates.core.errors import WiringError
from federates.core.ports import PORTS
from federates.core.wiring import Link

M5 = MODELS["layered_total_dso"]


def test_the_layered_model_has_the_contract_and_its_links_keep_it() -> None:
    assert M5.contract is TD_CONTRACT
    crossing = {
        PORTS[link.from_kind].all()[link.out].message.__name__
        for link in M5.links
        if "iso" in {link.from_kind, link.to_kind}
    }
    assert crossing == set(UP) | set(DOWN)


@pytest.mark.parametrize(
    ("link", "what"),
    [
        (Link("feeder", "der_meters", "iso", "der_meters"), "feeder to iso may go nothing"),
        (Link("aggregator", "offers", "iso", "der_offers"), "brings DerOffers"),
        (Link("iso", "der_awards", "aggregator", "awards"), "brings DerAwards"),
        (Link("dso", "feeder_models", "iso", "feeder_models"), "brings FeederModel; from dso to iso may go"),
    ],
)
def test_a_link_that_brings_more_is_refused_by_name(link: Link, what: str) -> None:
    with pytest.raises(WiringError, match="layered_total_dso breaks its T-D contract") as caught:
        replace(M5, links=(*M5.links, link))
    assert what in str(caught.value)
    assert "contract.py" in str(caught.value)


def test_what_stays_inside_the_area_is_nobodys_business() -> None:
    inside = Link("aggregator", "set_points", "dso", "set_points")
    assert inside in replace(M5, links=(*M5.links, inside)).links


def test_a_field_that_is_not_listed_is_refused() -> None:
    """A bid that would name its DERs: the list, as it is, knows one field less."""
    bid = {name: per for name, per in UP["InterfaceBid"].items() if name != "counts"}
    shorter = Contract(allowed={**TD_CONTRACT.allowed, ("dso", "iso"): {"InterfaceBid": bid}})
    with pytest.raises(WiringError, match=r"dso\.bids > iso\.bids: InterfaceBid\.counts is not on the list"):
        replace(M5, contract=shorter)


def test_no_listed_field_can_hold_a_name() -> None:
    """Numbers only: a message has no room for an identity, and no listed number is one of a DER's."""
    for kinds in TD_CONTRACT.allowed.values():
        for kind, listed in kinds.items():
            types = {name: str(type_) for name, type_ in vars(messages)[kind].__annotations__.items()}
            assert set(types) == set(listed)
            assert set(types.values()) <= {"int", "float", "bool", "FloatArray", "IntArray"}


def test_models_that_show_more_have_no_contract() -> None:
    without = {code for code, m in ((m.code, m) for m in MODELS.values()) if m.contract is None}
    assert without == {"M0", "M0b", "M1", "M2", "M3", "M4"}
    for model in MODELS.values():
        shown = TD_CONTRACT.faults(model.links)
        assert bool(shown) == (model.code in {"M1", "M2", "M3", "M4"})

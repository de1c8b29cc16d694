"""Who sits in a federation, in which order, and what a federate knows of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from federates.core.context import seatings
from federates.core.errors import MissingInputError
from federates.core.settings import Study, federate_names
from tests.build import context, study


def two_owners() -> Study:
    document = study().model_dump(mode="json")
    document["ldas"][0]["aggregators"] = [{"name": "third_party", "serves": ["solar/battery"]}]
    return Study.model_validate(document)


def test_federates_sit_bulk_first_and_then_lda_by_lda() -> None:
    seats = seatings(two_owners())
    assert [s.name for s in seats] == [
        "iso", "transmission",
        "feeder_lda1", "dso_lda1", "agg_lda1_supplier", "agg_lda1_third_party",
        "feeder_lda2", "dso_lda2", "agg_lda2_supplier",
    ]  # fmt: skip
    assert tuple(s.name for s in seats) == federate_names(two_owners())
    assert [s.place for s in seats if s.kind == "dso"] == [0, 1]


def test_a_federate_knows_its_lda_its_owner_and_its_receivers(tmp_path: Path) -> None:
    wanted = two_owners()
    mine = context(wanted, "agg_lda1_third_party", tmp_path)
    assert (mine.name, mine.lda.name, mine.owner) == ("agg_lda1_third_party", "lda1", "third_party")
    dso = context(wanted, "dso_lda1", tmp_path)
    assert dso.receivers("der_awards") == ("agg_lda1_supplier", "agg_lda1_third_party")
    assert dso.receivers("bids") == ("iso",)
    assert dso.owner_of("agg_lda2_supplier") == "supplier"
    assert dso.lda_of("agg_lda2_supplier") == "lda2"


def test_the_bulk_system_belongs_to_no_lda(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="iso belongs to no LDA"):
        _ = context(study(), "iso", tmp_path).lda


def test_a_run_without_a_forward_plan_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no forward plan"):
        context(study(), "iso", tmp_path).forward()

"""The idle study: DERs away, the same commitment, and nothing else changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from federates.core.errors import ConfigError
from federates.core.settings import GivenCommitment
from runner.idle import idle_sets
from runner.study import load_study
from tests.build import TINY

MANAGED = "ldas.1.feeders.0.ders.ev.charging=managed"
GENERATOR = "ldas.0.feeders.0.ders.generator={power: 100 kW}"


def test_an_idle_study_has_no_flexibility_but_its_sun(tmp_path: Path) -> None:
    commitment = tmp_path / "commitment.csv"
    commitment.write_text("day,hour\n")
    sets = ["market.commitment={kind: solve}", MANAGED, GENERATOR]
    busy = load_study(TINY, sets).study
    idle = load_study(TINY, [*sets, *idle_sets(busy, commitment)]).study
    for lda, before in zip(idle.ldas, busy.ldas, strict=True):
        ders, had = lda.feeders[0].ders, before.feeders[0].ders
        assert had.battery is not None
        assert (ders.battery, ders.flexible, ders.generator) == (None, None, None)
        assert ders.pv == had.pv
    ev = idle.ldas[1].feeders[0].ders.ev
    assert ev is not None
    assert (ev.charging, ev.count) == ("on_arrival", 120)
    assert idle.coordination == "grand_central_blind"
    assert isinstance(idle.market.commitment, GivenCommitment)
    assert idle.market.commitment.path == commitment.resolve()
    assert idle.horizon == busy.horizon


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("ldas.0.feeders.0.ders.hvac={count: 5, mode: heat}", "hvac"),
        ("ldas.0.feeders.0.ders.participation=0.5", "DERs outside the market"),
    ],
)
def test_a_study_without_an_idle_state_is_refused(tmp_path: Path, change: str, what: str) -> None:
    with pytest.raises(ConfigError, match=f"lda1/solar has {what}, whose idle state"):
        idle_sets(load_study(TINY, [change]).study, tmp_path / "commitment.csv")

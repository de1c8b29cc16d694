"""Every shipped overlay lies over every shipped study."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.check import planned
from runner.shipped import shipped_configs, shipped_studies
from runner.study import load_study

ALREADY = {("tier_bypass", "perfect_foresight"), ("null_no_constraint", "perfect_foresight")}
"""Studies that are what an overlay would make of them."""
OVERLAYS = sorted((shipped_configs() / "overlays").glob("*.yaml"))


@pytest.mark.parametrize("study", sorted(shipped_studies()))
@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_an_overlay_changes_a_study_that_stays_valid(overlay: Path, study: str, tmp_path: Path) -> None:
    ground = shipped_studies()[study]
    top = tmp_path / "top.yaml"
    top.write_text(f"include: ['{ground}', '{overlay}']\n")
    loaded = load_study(top)
    as_it_is = (study, overlay.stem) in ALREADY
    assert (loaded.config_hash == load_study(ground).config_hash) == as_it_is
    assert planned(loaded, "loopback").spans

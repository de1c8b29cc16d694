"""The command that compares: which models, which runs, and what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from federates.core.errors import ConfigError
from federates.core.exit_codes import ExitCode
from runner.check import planned
from runner.cli import _code
from runner.compare import Race, folder_of, sharing
from runner.entrants import entrants, every_model
from runner.faults import StudyError
from runner.manifest import read_run
from runner.progress import standing
from runner.study import load_study
from tests.build import TINY
from tests.unit.runner_post.compared_runs import chosen_run
from tests.unit.runner_post.run_folders import run_folder


def test_models_are_named_by_code_or_key_a_bid_after_a_slash_and_rounds_after_an_at_sign() -> None:
    found = entrants(["M0", "layered_total_dso", "M5/fixed_quantity", "M5/interval_curve:8@3", "M1@2"])
    layered = "coordination=layered_total_dso"
    assert [e.sets for e in found] == [
        ("coordination=uncoordinated",),
        (layered,),
        (layered, "market.bid={kind: fixed_quantity}"),
        (layered, "market.bid={kind: interval_curve, blocks: 8}", "market.day_ahead_rounds=3"),
        ("coordination=grand_central_blind", "market.day_ahead_rounds=2"),
    ]


def test_a_study_names_the_models_that_it_is_compared_under(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"include: {TINY}\ncompare: [M4, M5@2]\n")
    loaded = load_study(path)
    assert [e.code for e in entrants(loaded.study.compare)] == ["M4", "M5@2"]
    assert planned(loaded, "loopback").spans
    path.write_text(f"include: {TINY}\ncompare: [M4, M7]\n")
    with pytest.raises(StudyError, match="unknown model 'M7'"):
        planned(load_study(path), "loopback")


def test_every_model_is_compared_where_none_is_named() -> None:
    assert {"M0", "M1", "M4", "M5"} <= {e.code for e in entrants(every_model())}


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (["M0", "M99"], "unknown model 'M99'"),
        (["M0", "uncoordinated"], "is named twice"),
        (["M5/interval_curve:"], "names no model"),
    ],
)
def test_models_that_cannot_be_run_are_refused(named: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        entrants(named)


def test_a_model_that_failed_is_named_and_the_others_can_be_compared() -> None:
    over = {"M0": Path("r/a"), "M4": Path("r/b")}
    race = Race(waiting=[], run_dirs=over, failures={"M5": "dso_lda1 ended"})
    assert race.told() == "M5: dso_lda1 ended; the others are whole: tandem compare r/a r/b"


def test_runs_side_by_side_share_the_cores_unless_the_study_says_otherwise() -> None:
    loaded = load_study(TINY)
    told = {(2, 7): 1, (8, 2): 4, (8, 3): 2, (1, 2): 1}
    for (cores, runs), hosts in told.items():
        assert sharing(loaded, cores, runs) == (f"federation.hosts={hosts}",)
    assert sharing(load_study(TINY, ("federation.hosts=2",)), 8, 2) == ()


def test_a_run_is_found_beside_folders_that_cannot_be_read(tmp_path: Path) -> None:
    # names that sort before and after its own
    for name, text in (("a", '{"format_version": 1}'), ("c", '{"study": "sma'), ("d", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    (tmp_path / "e" / "run.json").mkdir(parents=True)
    run_dir = run_folder(tmp_path / "b")
    run = read_run(run_dir)
    started = datetime.fromisoformat(run.started)
    assert folder_of(run.process_id, tmp_path, started) == run_dir
    assert folder_of(run.process_id + 1, tmp_path, started) is None
    assert folder_of(run.process_id, tmp_path, datetime(2026, 1, 2, tzinfo=UTC)) is None


def test_how_runs_stand_is_one_line_with_the_time_left() -> None:
    # half of one and none of the other: a quarter took 60 s, three quarters are left
    assert standing({"M0": 0.5, "M5": 0.0}, 60.0) == "M0  50 %   M5   0 %   0:03:00 left"
    assert standing({"M0": 1.0, "M5": 1.0}, 60.0) == "M0 100 %   M5 100 %"


def test_runs_are_compared_by_their_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [
        str(chosen_run(tmp_path / name, code, cost_usd=cost))
        for name, code, cost in (("a", "M0", 900.0), ("b", "M5", 950.0))
    ]
    assert _code(["compare", *runs, "--json"]) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "done"
    assert found["models"]["M5"]["cost_realised_usd"] == pytest.approx(950.0)
    folder = Path(found["out_dir"])
    assert folder.parent == tmp_path / "compare"
    assert json.loads((folder / "verdicts.json").read_text()) == found["verdicts"]
    assert _code(["compare", *runs, "--out", str(tmp_path / "chosen")]) == ExitCode.DONE
    assert (tmp_path / "chosen" / "compare.html").exists()
    assert "M5 costs less than every other run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((str(TINY), str(TINY)), ExitCode.USAGE),
        ((str(TINY), "--models", "M5"), ExitCode.CONFIG),
        ((str(TINY), "--models", "M0,M7"), ExitCode.CONFIG),
        ((str(TINY), "--models", "M0,M5/no_such_bid"), ExitCode.CONFIG),
        ((str(TINY.parent), "--models", "M0,M5"), ExitCode.USAGE),
        ((str(TINY.parent), str(TINY.parent)), ExitCode.CONFIG),
    ],
)
def test_what_does_not_compare_is_refused(
    arguments: tuple[str, ...], code: ExitCode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _code(["compare", *arguments]) == code
    assert not list(tmp_path.iterdir())

"""``tandem clear``: published prices through the command, the keys for programs, faults with their place."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federates.cases.pjm5 import read_pjm5
from federates.cases.reader import read_market_file
from federates.core.errors import ConfigError
from federates.core.exit_codes import ExitCode
from federates.tools.clear import run
from runner.cli import CLEAR_KEYS, _code
from runner.market_tables import MOST_ROWS, cleared_text, shortfalls
from runner.shipped import shipped_configs

PJM5 = shipped_configs() / "cases" / "pjm5.m"
PUBLISHED_LMP = {"A": 16.977, "B": 26.385, "C": 30.000, "D": 39.943, "E": 10.000}
"""F. Li and R. Bo, IEEE PES General Meeting 2010. [$/MWh]"""
PRINTED = 1e-3
DESIGN_KEYS = {
    *("status", "objective_usd_per_h", "lmp_usd_per_mwh", "energy_usd_per_mwh", "congestion_usd_per_mwh"),
    *("loss_usd_per_mwh", "dispatch_mw", "binding"),
}


def cleared(path: Path, blocks: int = 10, *, hard_limits: bool = False, losses: bool = False) -> Any:
    return run({"path": str(path), "blocks": blocks, "hard_limits": hard_limits, "losses": losses})


def changed(folder: Path, old: str, new: str) -> Path:
    text = PJM5.read_text()
    assert old in text
    path = folder / "changed.m"
    path.write_text(text.replace(old, new))
    return path


def test_the_command_gives_the_published_cost_and_prices(capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(["clear", str(PJM5), "--json"]) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    assert set(found) >= DESIGN_KEYS
    assert set(found) == {"status", "exit_reason", *CLEAR_KEYS}
    assert found["objective_usd_per_h"] == pytest.approx(17_479.90, abs=0.01)
    assert found["lmp_usd_per_mwh"] == pytest.approx(PUBLISHED_LMP, abs=PRINTED)
    assert found["dispatch_mw"] == pytest.approx(
        {"A_G1": 40.0, "A_G2": 170.0, "C_G1": 323.495, "D_G1": 0.0, "E_G1": 466.505}, abs=PRINTED
    )
    assert found["binding"] == pytest.approx({"D-E": 62.322}, abs=PRINTED)
    assert found["penalty_priced"] is False
    for bus, lmp in found["lmp_usd_per_mwh"].items():
        parts = (found[f"{part}_usd_per_mwh"][bus] for part in ("energy", "congestion", "loss"))
        assert sum(parts) == pytest.approx(lmp, abs=1e-9)


def test_the_tables_for_people_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(["clear", "pjm5"]) == ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    assert any("17,479.90 $/h" in line for line in lines)
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    assert rows["D"][2] == "39.943"
    assert rows["E_G1"][2] == "466.505"
    assert rows["D-E"][1:] == ["-240.000", "240.0", "62.322"]


def test_the_shipped_file_and_the_case_of_the_studies_are_one_system() -> None:
    file, built = read_market_file(PJM5), read_pjm5()
    assert file.buses.ids == built.buses.ids
    assert file.branches.ids == built.branches.ids
    assert file.reference_bus == built.reference_bus
    for group, names in (
        ("buses", ("base_kv", "load_mw", "load_mvar")),
        ("branches", ("from_bus", "to_bus", "r_pu", "x_pu", "b_pu", "rating_mw")),
        (
            "units",
            ("bus", "p_min_mw", "p_max_mw", "q_min_mvar", "q_max_mvar", "block_mw", "block_usd_per_mwh"),
        ),
    ):
        for name in names:
            np.testing.assert_array_equal(
                getattr(getattr(file, group), name), getattr(getattr(built, group), name), err_msg=name
            )


def test_a_pandapower_network_of_the_same_system_has_the_same_prices(tmp_path: Path) -> None:
    import pandapower
    from pandapower.networks import case5

    path = tmp_path / "case5.json"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pandapower.to_json(case5(), str(path))
    answer = cleared(path)["answer"]
    assert answer["objective_usd_per_h"] == pytest.approx(17_479.90, abs=0.01)
    assert sorted(answer["lmp_usd_per_mwh"].values()) == pytest.approx(
        sorted(PUBLISHED_LMP.values()), abs=PRINTED
    )


def test_a_unit_out_of_service_gives_nothing_and_a_least_output_is_kept(tmp_path: Path) -> None:
    # Alta off, Sundance (dearest, 40 $/MWh) at least at 20 MW
    path = changed(tmp_path, "100       1    40     0;", "100       0    40     0;")
    path.write_text(path.read_text().replace("100       1   200     0;", "100       1   200    20;"))
    dispatch = cleared(path)["answer"]["dispatch_mw"]
    assert list(dispatch) == ["A_G1", "C_G1", "D_G1", "E_G1"]
    assert dispatch["A_G1"] == pytest.approx(170.0)
    assert dispatch["D_G1"] >= 20.0
    assert sum(dispatch.values()) == pytest.approx(1_000.0, abs=1e-6)


def test_more_blocks_come_closer_to_a_quadratic_cost_from_above(tmp_path: Path) -> None:
    # Brighton at 0.02 P^2; chords lie above the curve, so that more of them never cost more
    path = changed(tmp_path, "2    0    0    2    10    0;", "2    0    0    3    0.02    10    0;")
    path.write_text(
        "\n".join(
            line.replace(" 0;", " 0 0;") if line.strip().startswith("2    0    0    2") else line
            for line in path.read_text().splitlines()
        )
    )
    cost = [cleared(path, blocks)["answer"]["objective_usd_per_h"] for blocks in (3, 30, 300)]
    assert cost[0] > cost[1] + 1.0
    assert cost[1] > cost[2]
    assert cost[1] - cost[2] < 0.02 * (cost[0] - cost[2])


def test_load_that_cannot_be_served_is_told_and_priced_by_penalty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # 1,600 MW of load on 1,530 MW of capacity
    path = changed(tmp_path, "4    3   400  131.47", "4    3  1000  131.47")
    assert _code(["clear", str(path), "--json"]) == ExitCode.DONE
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert found["unserved_mw"] >= 70.0
    assert found["penalty_priced"] is True
    assert f"warning: {found['unserved_mw']:,.3f} MW of load not served" in told.err


def test_a_rating_gives_way_at_its_penalty_unless_limits_are_hard(tmp_path: Path) -> None:
    # D-E at 230 MW and Solitude at 9,000 $/MWh: each MW less on D-E replaces Brighton by dearer units, which
    # costs more than the line's penalty of 500 $/MWh; a dispatch within the limits exists all the same
    path = changed(tmp_path, "0.0297  0.00674   240", "0.0297  0.00674   230")
    path.write_text(path.read_text().replace("2    30    0;", "2  9000    0;"))
    soft, hard = (cleared(path, hard_limits=hard)["answer"] for hard in (False, True))
    assert soft["overload_mw"] > 1.0
    assert soft["penalty_priced"] is True
    assert hard["overload_mw"] == pytest.approx(0.0, abs=1e-6)
    assert hard["unserved_mw"] == pytest.approx(0.0, abs=1e-6)
    assert max(hard["lmp_usd_per_mwh"].values()) > 3_500.0


def test_losses_are_drawn_and_priced_where_asked() -> None:
    plain, lossy = (cleared(PJM5, losses=losses)["answer"] for losses in (False, True))
    assert plain["loss_mw"] == 0.0
    assert lossy["loss_mw"] > 1.0
    assert sum(lossy["dispatch_mw"].values()) == pytest.approx(1_000.0 + lossy["loss_mw"], abs=1e-6)
    assert lossy["objective_usd_per_h"] > plain["objective_usd_per_h"]
    assert max(abs(x) for x in lossy["loss_usd_per_mwh"].values()) > 0.1
    for bus, lmp in lossy["lmp_usd_per_mwh"].items():
        parts = (lossy[f"{part}_usd_per_mwh"][bus] for part in ("energy", "congestion", "loss"))
        assert sum(parts) == pytest.approx(lmp, abs=1e-9)
    assert f"losses of {lossy['loss_mw']:.1f} MW" in cleared_text(cleared(PJM5, losses=True))


def test_a_case_without_nominal_voltages_is_cleared_all_the_same(tmp_path: Path) -> None:
    path = changed(tmp_path, " 230 ", "   0 ")
    assert cleared(path)["answer"]["objective_usd_per_h"] == pytest.approx(17_479.90, abs=0.01)


def test_a_fault_of_the_file_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(tmp_path, "2    0    0    2    40    0;", "3    0    0    2    40    0;")
    line = next(k for k, text in enumerate(path.read_text().splitlines(), 1) if "3    0    0    2" in text)
    assert _code(["clear", str(path), "--json"]) == ExitCode.CONFIG
    told = capsys.readouterr()
    assert f"{path}:{line}: cost model 3" in told.err
    assert json.loads(told.out)["lmp_usd_per_mwh"] is None


def test_a_name_that_tells_no_format_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"grid\.raw: the name tells no format; give a MATPOWER case"):
        cleared(Path("grid.raw"))


def test_long_tables_keep_the_least_and_the_greatest() -> None:
    found = cleared(PJM5)
    row = found["buses"][0]
    prices = [(37 * k) % 101 for k in range(101)]
    found["buses"] = [{**row, "bus": f"bus{p}", "lmp_usd_per_mwh": float(p)} for p in prices]
    first = [line.split()[0] for line in cleared_text(found).splitlines() if line.strip()]
    kept = {word for word in first if word.removeprefix("bus").isdecimal()}
    assert kept == {f"bus{p}" for p in (*range(MOST_ROWS // 2), *range(101 - MOST_ROWS // 2, 101))}


def test_nothing_broken_is_no_warning() -> None:
    assert not shortfalls(cleared(PJM5)["answer"])

"""The pandapower reader on a network built here."""

from __future__ import annotations

import math
from pathlib import Path

import pandapower
import pytest

from federates.cases.pandapower_json import read_pandapower
from federates.core.errors import ConfigError, MissingInputError


def small_network(*, with_cost: bool = True) -> pandapower.pandapowerNet:
    """Two voltage levels, a line, a transformer, and a bus behind a closed switch."""
    net = pandapower.create_empty_network(sn_mva=100.0)
    for name, kv in (("north", 110.0), ("south", 110.0), ("town", 20.0), ("stub", 20.0)):
        pandapower.create_bus(net, vn_kv=kv, name=name)
    pandapower.create_switch(net, 2, 3, et="b")
    pandapower.create_line_from_parameters(
        net, 0, 1, length_km=10.0, r_ohm_per_km=0.121, x_ohm_per_km=0.242, c_nf_per_km=0.0, max_i_ka=0.5,
        max_loading_percent=80.0,
    )  # fmt: skip
    pandapower.create_transformer_from_parameters(
        net, 1, 2, sn_mva=40.0, vn_hv_kv=110.0, vn_lv_kv=20.0, vkr_percent=0.0, vk_percent=10.0,
        pfe_kw=0.0, i0_percent=0.0,
    )  # fmt: skip
    pandapower.create_load(net, 3, p_mw=30.0, q_mvar=5.0)
    slack = pandapower.create_ext_grid(
        net, 0, vm_pu=1.01, min_p_mw=0.0, max_p_mw=100.0, min_q_mvar=-50.0, max_q_mvar=50.0
    )
    gen = pandapower.create_gen(
        net, 1, p_mw=10.0, vm_pu=1.02, min_p_mw=5.0, max_p_mw=25.0, min_q_mvar=-9.0, max_q_mvar=9.0
    )
    if with_cost:
        pandapower.create_poly_cost(net, slack, "ext_grid", cp1_eur_per_mw=30.0)
        pandapower.create_pwl_cost(net, gen, "gen", [[5.0, 15.0, 10.0], [15.0, 25.0, 20.0]])
    return net


def saved(tmp_path: Path, net: pandapower.pandapowerNet) -> Path:
    path = tmp_path / "small.json"
    pandapower.to_json(net, str(path))
    return path


def test_impedances_ratings_and_names_follow_from_the_equipment(tmp_path: Path) -> None:
    case = read_pandapower(saved(tmp_path, small_network()))
    assert case.buses.ids == ("north", "south", "town")  # "stub" is the same node as "town"
    assert case.buses.load_mw.tolist() == [0.0, 0.0, 30.0]
    assert case.branches.ids == ("north-south", "south-town")
    # 110 kV on 100 MVA is 121 ohm: 1.21 and 2.42 ohm. The transformer has 10 % on 40 MVA.
    assert case.branches.r_pu.tolist() == pytest.approx([0.01, 0.0], abs=1e-9)
    assert case.branches.x_pu.tolist() == pytest.approx([0.02, 0.25], rel=1e-9)
    assert case.branches.is_transformer.tolist() == [False, True]
    assert case.branches.rating_mw[0] == pytest.approx(0.8 * math.sqrt(3) * 110.0 * 0.5)
    assert case.buses.ids[case.reference_bus] == "north"


def test_costs_of_both_forms_arrive(tmp_path: Path) -> None:
    units = read_pandapower(saved(tmp_path, small_network())).units
    by_bus = {units.ids[k]: k for k in range(2)}
    slack, gen = by_bus["north_G1"], by_bus["south_G1"]
    assert units.block_usd_per_mwh[slack, 0] == pytest.approx(30.0)
    assert units.block_usd_per_mwh[gen, :2].tolist() == pytest.approx([10.0, 20.0])
    assert units.block_mw[gen, :2].tolist() == pytest.approx([10.0, 10.0], abs=1e-6)
    assert units.v_set_pu[gen] == 1.02
    assert units.regulates.all()


def test_a_network_without_costs_or_capacity_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no poly_cost and no pwl_cost"):
        read_pandapower(saved(tmp_path, small_network(with_cost=False)))
    net = small_network()
    net.ext_grid["max_p_mw"] = math.nan
    with pytest.raises(ConfigError, match="max_p_mw"):
        read_pandapower(saved(tmp_path, net))


def test_files_that_are_no_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"none\.json"):
        read_pandapower(tmp_path / "none.json")
    path = tmp_path / "list.json"
    path.write_text("[1, 2]")
    with pytest.raises(ConfigError, match="not a pandapower network"):
        read_pandapower(path)

"""A user's own grid: the shipped study with other paths and bus names, and faults with their line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandapower
import pandapower.networks
import pytest

from federates.scenario.lda import LdaScenario
from runner.check import check
from runner.faults import StudyError
from runner.post.load import load
from runner.post.run_tables import RunTables
from tests.build import TINY
from tests.federation.study_runs import run, study_of

pytestmark = pytest.mark.federation

SETS = ("horizon.duration='30 min'", "federation.hosts=1")
INTERVALS = 6
MINUTES = 30
COUPLING_PU = 1e-6
"""Residual at which a step is settled, as the study has it."""
MASTER = """\
! A substation with a tap changer, a line regulator, three-, two- and one-phase laterals.
clear
set defaultbasefrequency=60
new circuit.own bus1=hv basekv=69 pu=1.02 angle=30 mvasc3=2000 mvasc1=1500
new transformer.sub windings=2 buses=(hv mv) conns=(delta wye) kvs=(69 12.47) kvas=(7500 7500) xhl=8
~ %loadloss=1 wdg=2 maxtap=1.1 mintap=0.9 numtaps=32
new regcontrol.sub transformer=sub winding=2 vreg=122 band=2 ptratio=60 delay=30
redirect parts/codes.dss
new line.trunk bus1=mv bus2=a linecode=three length=1.5 units=mi normamps=400
new transformer.reg1 phases=1 buses=(a.1 b.1) kvs=(7.2 7.2) kvas=(2000 2000) xhl=0.01 %loadloss=0.001
new transformer.reg2 like=reg1 buses=(a.2 b.2)
new transformer.reg3 like=reg1 buses=(a.3 b.3)
new regcontrol.reg1 transformer=reg1 winding=2 vreg=122 band=2 ptratio=60 delay=60
new regcontrol.reg2 transformer=reg2 winding=2 vreg=122 band=2 ptratio=60 delay=60
new regcontrol.reg3 transformer=reg3 winding=2 vreg=122 band=2 ptratio=60 delay=60
new line.far bus1=b bus2=c linecode=three length=2 units=mi normamps=400
new line.two bus1=c.1.3 bus2=d.1.3 linecode=two length=1 units=mi normamps=200
new line.one bus1=c.2 bus2=e.2 linecode=one length=1.2 units=mi normamps=200
new transformer.service buses=(c f) conns=(wye wye) kvs=(12.47 0.48) kvas=(500 500) xhl=4 %loadloss=1
new capacitor.bank bus1=c phases=3 kv=12.47 kvar=300
new load.town bus1=a phases=3 kv=12.47 kw=900 kvar=300
new load.hall bus1=f phases=3 kv=0.48 kw=300 kvar=100 vminpu=0.7
new load.mill bus1=d.1.3 phases=1 conn=delta kv=12.47 kw=250 kvar=90 vminpu=0.7
new load.hill bus1=d.1 phases=1 kv=7.2 kw=180 kvar=60 vminpu=0.7
new load.farm bus1=e.2 phases=1 kv=7.2 kw=330 kvar=110 model=5 vminpu=0.7
new energymeter.head element=transformer.sub terminal=1
set voltagebases=[69, 12.47, 0.48]
calcvoltagebases
solve mode=snapshot
"""
CODES = """\
new linecode.three nphases=3 units=mi
~ rmatrix=(0.3465 | 0.1560 0.3375 | 0.1580 0.1535 0.3414)
~ xmatrix=(1.0179 | 0.5017 1.0478 | 0.4236 0.3849 1.0348)
new linecode.two nphases=2 units=mi rmatrix=(1.3238 | 0.2066 1.3294) xmatrix=(1.3569 | 0.4591 1.3471)
new linecode.one nphases=1 units=mi rmatrix=(1.3292) xmatrix=(1.3475)
"""
THREE_BUSES = """\
function mpc = three
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [
  1 3 0   0  0 0 1 1 0 230 1 1.1 0.9;
  2 1 150 40 0 0 1 1 0 230 1 1.1 0.9;
  3 1 120 30 0 0 1 1 0 230 1 1.1 0.9;
];
mpc.gen = [
  1 200 0 200 -200 1.02 100 1 300 0;
  3 70  0 100 -100 1.01 100 1 150 0;
];
mpc.branch = [
  1 2 0.01 0.08 0.02 200 0 0 0 0 1 -360 360;
  2 3 0.01 0.08 0.02 200 0 0 0 0 1 -360 360;
  1 3 0.01 0.08 0.02 200 0 0 0 0 1 -360 360;
];
mpc.gencost = [
  2 0 0 2 20 0;
  2 0 0 2 35 0;
];
mpc.bus_name = {'Hill'; 'Mill'; 'Port'};
"""
TABLE = "{kind: table, path: ../feeders/ieee13}"


def own_master(folder: Path, *changes: tuple[str, str]) -> Path:
    """The master file and its part in a folder, the master's text changed at some places."""
    text = MASTER
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / "parts").mkdir(exist_ok=True)
    (folder / "parts" / "codes.dss").write_text(CODES)
    (folder / "own.dss").write_text(text)
    return folder / "own.dss"


def own_study(folder: Path, *changes: tuple[str, str]) -> Path:
    """The smallest shipped study in a folder of its own, changed at some places."""
    text = TINY.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "study.yaml"
    path.write_text(text.replace("../feeders/ieee13", "ieee13"))
    return path


def with_master(folder: Path, *changes: tuple[str, str]) -> Path:
    """The study with the master file as the feeder of its first LDA."""
    return own_study(folder, (TABLE, "{kind: opendss, path: own.dss}"), *changes)


def ran_to_its_end(path: Path, out: Path) -> RunTables:
    """Tables of a run that came to its end, every minute solved and every interval cleared."""
    tables = RunTables(run(path, out, *SETS).run_dir)
    assert np.unique(tables.t_s("clearing")).size == INTERVALS
    assert np.unique(tables.t_s("head")).size == MINUTES
    for residual in ("residual_v_pu", "residual_s_pu"):
        assert tables.column("system", residual).max() <= COUPLING_PU
    return tables


def fault_of(path: Path, *sets: str) -> str:
    """The one fault of a study."""
    with pytest.raises(StudyError) as refused:
        check(path, sets)
    (fault,) = refused.value.faults
    return str(fault)


def place_of(path: Path, text: str) -> str:
    """File, line and column of a text that a file holds once."""
    before, _, after = path.read_text().partition(text)
    assert text not in before + after
    return f"{path}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


# -- transmission ---------------------------------------------------------------------------------------


def with_matpower(folder: Path, *changes: tuple[str, str]) -> Path:
    """The study on a MATPOWER file's grid."""
    (folder / "three.m").write_text(THREE_BUSES)
    grid = (
        ("kind: pjm5", "kind: matpower\n  path: three.m"),
        ("bus: B", "bus: Mill"),
        ("bus: C", "bus: Port"),
    )
    return own_study(folder, *grid, *changes)


def with_pandapower(folder: Path, network: pandapower.pandapowerNet, buses: tuple[str, str]) -> Path:
    """The study on a pandapower network's grid."""
    pandapower.to_json(network, str(folder / "net.json"))
    grid = (
        ("kind: pjm5", "kind: pandapower\n  path: net.json"),
        ("bus: B", f"bus: '{buses[0]}'"),
        ("bus: C", f"bus: '{buses[1]}'"),
    )
    return own_study(folder, *grid)


def test_the_study_runs_on_a_matpower_file(tmp_path: Path) -> None:
    tables = ran_to_its_end(with_matpower(tmp_path), tmp_path / "out")
    assert set(tables.ids("bus")[0]) == {"Hill", "Mill", "Port"}


def test_the_study_runs_on_a_pandapower_network(tmp_path: Path) -> None:
    net = pandapower.networks.case9()
    tables = ran_to_its_end(with_pandapower(tmp_path, net, ("5", "9")), tmp_path / "out")
    assert len(tables.ids("bus")[0]) == len(net.bus)


def test_units_without_commitment_data_stay_on(tmp_path: Path) -> None:
    path = with_matpower(tmp_path, ("commitment: {kind: all_on}", "commitment: {kind: solve}"))
    commitment = ran_to_its_end(path, tmp_path / "out").run_dir / "commitment.csv"
    header, *rows = commitment.read_text().splitlines()
    assert header == "day,hour,Hill_G1,Port_G1"
    assert all(row.endswith(",1,1") for row in rows)


# -- a master file --------------------------------------------------------------------------------------


def test_the_study_runs_on_an_opendss_master_file(tmp_path: Path) -> None:
    own_master(tmp_path)
    path = with_master(tmp_path)
    tables = ran_to_its_end(path, tmp_path / "out")
    study = study_of(tables.run_dir)
    scenario = LdaScenario(study, "lda1")
    assert scenario.model.load_ids == ("town", "hall", "mill", "hill", "farm")
    assert set(scenario.fleet.bus) <= {"a", "f", "d", "e"}
    assert scenario.substation_mva == 7.5
    # the published 1960 kW, scaled, at the shape of the hour, less sun: five simulated sets at the interface
    ldas, place = tables.owners("head")
    own = tables.column("head", "p_mw")[place == ldas.index("lda1")]
    assert 2.0 < own.mean() < 5 * 1.96 * 0.9
    assert sorted(tables.ids("feeder")[0]) == ["lda1/solar1", "lda2/urban1"]


def test_ders_of_a_table_stand_on_a_master_file(tmp_path: Path) -> None:
    """A roof between two phases, a field on a bus without a load, and one row of every other kind."""
    own_master(tmp_path)
    (tmp_path / "ders.csv").write_text(
        "name,kind,bus,phases,kw,kwh,kva,owner,aggregator,profile,settings\n"
        "roof,pv,d,13,60,,66,ann,,south,\n"
        "field,pv,B,123,400,,,bob,,south,\n"
        "store,battery,f,123,80,160,,cem,,,efficiency=90 %\n"
        "car,ev,e,2,11,60,,dee,,,v2g=true\n"
        "shop,flexible,a,123,50,,,eva,,shop,value_of_use=1000\n"
        "house,hvac,e,2,12,,,fay,,,mode=heat; count=2\n"
        "tank,water_heater,e,2,9,,,fay,,,count=2\n"
        "mill,process,d,13,60,120,,gus,,,window_end=20 h\n"
        "plant,generator,a,123,100,,,hal,,,\n"
    )
    (tmp_path / "sun.csv").write_text("time,south,shop\n2020-03-27T00:00,0.5,0.8\n2020-03-27T23:00,0.5,0.8\n")
    model = "{kind: opendss, path: own.dss}\n        der_table: ders.csv\n        der_profiles: sun.csv"
    path = own_study(tmp_path, (TABLE, model))
    tables = ran_to_its_end(path, tmp_path / "out")
    ids, place = tables.ids("der")
    p_kw = tables.column("der", "p_kw")
    given = {name: p_kw[place == ids.index(f"lda1/solar1_{name}")] for name in ("roof", "field", "shop")}
    for name, most_kw in (("roof", 30.0), ("field", 200.0)):
        assert given[name].size == INTERVALS
        assert given[name].max() == pytest.approx(most_kw, rel=1e-6)
    # what it would draw, or as much of it as was expected
    assert given["shop"].min() == pytest.approx(-0.8 * 50.0)
    assert given["shop"].max() < -0.95 * 0.8 * 50.0
    # two rooms, of 2 kWh/K and 3 K each, begin in the middle of their band and cool
    warmth = tables.column("der", "soc_kwh")[place == ids.index("lda1/solar1_house")]
    assert 0.0 < warmth.min() < warmth[0] < 0.5 * 2 * 2.0 * 3.0
    stated = load(tables.run_dir, "der_unit")
    owners = dict(zip(stated["id"].to_pylist(), stated["owner"].to_pylist(), strict=True))
    assert owners["lda1/solar1_mill/supplier"] == "gus"
    assert set(owners.values()) == {"", "ann", "bob", "cem", "dee", "eva", "fay", "gus", "hal"}


# -- faults ---------------------------------------------------------------------------------------------


def test_a_wrong_path_gets_its_line(tmp_path: Path) -> None:
    path = with_master(tmp_path)
    assert fault_of(path).startswith(f"{place_of(path, 'own.dss')}: ldas[0].feeders[0].model.path")
    path = with_matpower(tmp_path, ("three.m", "there.m"))
    assert fault_of(path).startswith(f"{place_of(path, 'there.m')}: transmission.path")


def test_a_wrong_path_given_for_one_run_is_looked_for_in_the_working_folder(tmp_path: Path) -> None:
    path = own_study(tmp_path, ("path: ../feeders/ieee13", "path: ieee13"))
    fault = fault_of(path, "transmission={kind: matpower, path: there/grid.m}")
    assert "transmission.path: 'there/grid.m' does not exist (looked for there/grid.m)" in fault
    assert fault.endswith("paths are relative to the working folder")


def test_a_wrong_bus_gets_its_line(tmp_path: Path) -> None:
    own_master(tmp_path)
    path = own_study(tmp_path, (TABLE, "{kind: opendss, path: own.dss, head_bus: mvv}"))
    assert fault_of(path).startswith(f"{place_of(path, 'mvv')}: ldas[0].feeders[0].model.head_bus: ")
    path = with_matpower(tmp_path, ("bus: Mill", "bus: Mil"))
    assert fault_of(path).startswith(f"{place_of(path, 'Mil')}: ldas[0].bus: no bus 'Mil' in three; did you")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("load.farm bus1=e.2", "load.farm bus1=e.3", "phase 3 of bus 'e' is not fed (phases fed there: 2)"),
        ("load.hill bus1=d.1", "load.hill bus1=nowhere.1", "phase 1 of bus 'nowhere' is not fed"),
        ("bus1=c.2 bus2=e.2", "bus1=d.2 bus2=e.2", "phase 2 of bus 'd' is not fed (phases fed there: 1, 3)"),
        ("kw=330 kvar=110", "kw=330 kvra=110", "'kvra' is no property of a load"),
        ("linecode=three length=2", "linecode=four length=2", "four"),
        ("calcvoltagebases", "show voltages", "starts an editor"),
    ],
)
def test_a_fault_in_a_master_file_gets_both_lines(tmp_path: Path, old: str, new: str, what: str) -> None:
    master = own_master(tmp_path, (old, new))
    number = next(k for k, t in enumerate(master.read_text().splitlines(), start=1) if new in t)
    path = with_master(tmp_path)
    with pytest.raises(StudyError) as refused:
        check(path)
    fault = str(refused.value.faults[0])
    assert fault.startswith(f"{place_of(path, 'own.dss')}: ldas[0].feeders[0].model.path: ")
    assert f"{master}:{number}: " in "\n".join(map(str, refused.value.faults))
    assert what in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "key", "what"),
    [
        ("count: 1", "count: 2", "count", "stands once"),
        ("load_scale: 0.9", "line_length_scale: 2", "line_length_scale", "does not apply"),
        ("load_scale: 0.9", "regulators: {line_drop_compensation: false}", "regulators", "does not apply"),
    ],
)
def test_what_does_not_apply_to_a_master_file_is_a_fault_at_its_key(
    tmp_path: Path, old: str, new: str, key: str, what: str
) -> None:
    own_master(tmp_path)
    path = with_master(tmp_path, (old, new))
    fault = fault_of(path)
    assert f"ldas[0].feeders[0].{key}" in fault
    assert what in fault


def test_a_master_file_is_an_areas_only_feeder(tmp_path: Path) -> None:
    own_master(tmp_path)
    second = "      - {name: more, seed_id: 5, model: {kind: synthetic, nodes: 100}}\n  - name: lda2"
    assert "only feeder of lda1" in fault_of(with_master(tmp_path, ("  - name: lda2", second)))

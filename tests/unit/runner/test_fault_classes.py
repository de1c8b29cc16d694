"""One test per class of fault in a study file: its line and column, its remedy, and no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from federates.core.exit_codes import ExitCode
from runner.cli import _code
from tests.unit.runner.texts import VALID, changed, written

AGGREGATORS = (
    "    aggregators:\n      - {name: north, serves: [solar/pv]}\n      - {name: south, serves: [%s]}\n"
)
SECOND_LDA = "  - name: lda2\n"
EVENT = "events:\n  - {kind: link_loss, at: 600, duration: 300, sender: %s, receiver: %s}\nldas:\n"
CAPACITY = "{price: 300, target: 20 MW, shortfall_price: 200, duration: %s}"
CALL = "{kind: reserve_call, product: %s, at: %s, duration: 10 min}"

FAULTS = {
    "unknown key": (
        [("  step: 60 s", "  §stepp: 60 s")],
        "horizon.stepp: unknown key 'stepp'",
        "did you mean 'step'?",
    ),
    "missing key": (
        [("  start: 2020-03-27T17:00:00\n", ""), ("horizon:", "§horizon:")],
        "horizon.start: key 'start' is missing",
        "add it: First instant",
    ),
    "wrong unit": (
        [("step: 60 s", "step: §5 MW")],
        "horizon.step: unit 'MW' is a unit of power",
        "a time is expected, such as '5 s'",
    ),
    "wrong type": (
        [("nodes: 100", "nodes: §many")],
        "ldas[1].feeders[0].model.nodes: a whole number is expected, not 'many'",
        "",
    ),
    "number for text": (
        [("bus: C", "bus: §3")],
        "ldas[1].bus: text is expected, not 3",
        "put it in quotes: '3'",
    ),
    "unknown word": (
        [("coordination: layered_total_dso", "coordination: §layered_dso")],
        (
            "coordination: 'uncoordinated', 'price_reactive', 'grand_central_blind', "
            "'grand_central_override', 'grand_central_envelope', 'grand_central_full' or "
            "'layered_total_dso' is expected"
        ),
        "did you mean 'layered_total_dso'?",
    ),
    "unknown kind": (
        [("kind: pjm5", "kind: §pjm")],
        "transmission.kind: unknown kind 'pjm'",
        "did you mean 'pjm5'?",
    ),
    "doubled key": (
        [("  step: 60 s", "  step: 60 s\n  §step: 120 s")],
        "horizon.step: key 'step' is given twice (first at line 7)",
        "keep one of them",
    ),
    "YAML 1.1 boolean": (
        [("transmission:", "record: {nodes: §yes}\ntransmission:")],
        "record.nodes: true or false is expected, not 'yes'",
        "write true",
    ),
    "YAML 1.1 sexagesimal": (
        [("step: 60 s", "step: §1:00")],
        "horizon.step: '1:00' is no time",
        "write a number or '5 s'",
    ),
    "YAML 1.1 octal": (
        # ten in YAML 1.2, eight in YAML 1.1: both too few, and the text says which was read
        [("nodes: 100", "nodes: §010")],
        "ldas[1].feeders[0].model.nodes: 10 is too small",
        "the least is 100",
    ),
    "tab indentation": (
        [("  step: 60 s", "§\tstep: 60 s")],
        "this is not YAML",
        "indent with spaces",
    ),
    "missing file": (
        [("path: ieee13", "path: §feeders/ieee31")],
        "ldas[0].feeders[0].model.path: 'feeders/ieee31' does not exist",
        "paths are relative to the folder of",
    ),
    "missing include": (
        [("schema_version: 1", "include: [§ground.yaml]\nschema_version: 1")],
        "include[0]: the included file",
        "names are relative to the folder of",
    ),
    "unknown bus": (
        [("bus: C", "bus: §Z")],
        "ldas[1].bus: no bus 'Z'",
        "",
    ),
    "bad wiring": (
        [("ldas:\n", EVENT % ("iso", "§feeder_lda1"))],
        "events[0].receiver: no coordination link goes from iso to feeder_lda1",
        "iso sends to dso_lda1, dso_lda2",
    ),
    "unknown federate": (
        [("ldas:\n", EVENT % ("§dso_lda3", "iso"))],
        "events[0].sender: unknown federate 'dso_lda3'",
        "federates: iso, transmission, feeder_lda1",
    ),
    "horizon not a multiple": (
        [("duration: 1 h", "duration: §62 min")],
        "horizon.duration: duration 3720 s is not a multiple of market_interval 300 s",
        "use 3600 s",
    ),
    "number out of bounds": (
        [("nodes: 100", "nodes: §99")],
        "ldas[1].feeders[0].model.nodes: 99 is too small",
        "the least is 100",
    ),
    "quantity out of bounds": (
        [("power: 2.0 MW", "power: §-2.0 MW")],
        "ldas[0].feeders[0].ders.pv.power: -2000 is too small",
        "the least power here is 0",
    ),
    "not a number": (
        [("power: 2.0 MW", "power: §.nan")],
        "ldas[0].feeders[0].ders.pv.power: a finite power is expected",
        "",
    ),
    "two LDAs on one bus": (
        [("bus: C", "bus: §B")],
        "ldas[1].bus: two LDAs are on bus 'B' (lda1, lda2)",
        "an LDA is one LMP node",
    ),
    "DER in two aggregators": (
        [(SECOND_LDA, AGGREGATORS % "§solar/pv" + SECOND_LDA)],
        "ldas[0].aggregators[1].serves[0]: DERs 'solar/pv' of lda1 are in two aggregators",
        "take them out of one",
    ),
    "unknown aggregator": (
        [("power: 2.0 MW", "power: 2.0 MW, aggregator: §west")],
        "ldas[0].feeders[0].ders.pv.aggregator: unknown aggregator 'west'",
        "aggregators of lda1: supplier",
    ),
    "gate lead too long": (
        [("  step: 60 s", "  step: 60 s\n  gate_lead: §10 min")],
        "horizon.gate_lead: gate_lead 600 s is too long",
        "at most 540 s",
    ),
    "more day-ahead rounds than steps": (
        [
            ("  step: 60 s", "  step: 2 min\n  market_interval: 10 min"),
            ("market:\n", "market:\n  day_ahead_rounds: §16\n"),
        ],
        "market.day_ahead_rounds: 16 day-ahead rounds, one a step of 120 s",
        "at most 15 fit",
    ),
    "the same energy sold twice": (
        [("market:\n", "market:\n  bid: {kind: virtual_storage}\n  dso_reserves: §true\n")],
        "market.dso_reserves: a store beside the curves and reserve from the curves would sell",
        "set it to false",
    ),
    "rounds within rounds": (
        [("market:\n", "market:\n  bid: {kind: exact_cuts}\n  day_ahead_rounds: §3\n")],
        "market.day_ahead_rounds: exact_cuts has rounds of its own",
        "set it to 1",
    ),
    "the cost of a day and reactive power": (
        [
            ("schema_version: 1\n", "schema_version: 1\nder_q: dso\n"),
            ("market:\n", "market:\n  §bid: {kind: exact_cuts}\n"),
        ],
        "market.bid: the cost of a day is stated with reactive power held",
        "use another der_q",
    ),
    "reserve offered to a market that buys none": (
        [("market:\n", "market:\n  reserves: {kind: none}\n  dso_reserves: §true\n")],
        "market.dso_reserves: dso_reserves offers reserve to a market that buys none",
        "choose other reserves",
    ),
    "reserve and reactive power of the same DERs": (
        [
            ("schema_version: 1\n", "schema_version: 1\nder_q: dso\n"),
            ("market:\n", "market:\n  dso_reserves: §true\n"),
        ],
        "market.dso_reserves: called states are found without the reactive power that der_q dso asks for",
        "set it to false, or use another der_q",
    ),
    "capacity and reactive power of the same DERs": (
        [
            ("schema_version: 1\n", "schema_version: 1\nder_q: dso\n"),
            ("market:\n", f"market:\n  §capacity: {CAPACITY % '4 h'}\n"),
        ],
        "market.capacity: capacity is found without the reactive power that der_q dso asks for",
        "leave it out",
    ),
    "capacity beside a store of the same batteries": (
        [("market:\n", f"market:\n  bid: {{kind: virtual_storage}}\n  §capacity: {CAPACITY % '4 h'}\n")],
        "market.capacity: a store beside the curves and capacity would sell the same energy twice",
        "leave capacity out",
    ),
    "a commitment beyond its day": (
        [("market:\n", f"market:\n  capacity: {CAPACITY % '§8 h'}\n")],
        "market.capacity.duration: the commitment goes beyond its day",
        "let it end by 24 h",
    ),
    "a call of capacity that nobody buys": (
        [("ldas:\n", f"events:\n  - {CALL % ('§capacity', '10 min')}\nldas:\n")],
        "events[0].product: the event calls capacity, which the market does not buy",
        "give market.capacity",
    ),
    "a call of capacity within an interval": (
        [
            ("market:\n", f"market:\n  capacity: {CAPACITY % '4 h'}\n"),
            ("ldas:\n", f"events:\n  - {CALL % ('capacity', '§7 min')}\nldas:\n"),
        ],
        "events[0].at: capacity goes by market intervals of 300 s",
        "must be multiples of it",
    ),
    "a call of capacity beyond its commitment": (
        [
            ("market:\n", f"market:\n  capacity: {CAPACITY % '15 min'}\n"),
            ("ldas:\n", f"events:\n  - {CALL % ('capacity', '§10 min')}\nldas:\n"),
        ],
        "events[0].at: the call goes beyond the commitment of its day",
        "see market.capacity",
    ),
    "a call of capacity without notice": (
        [
            ("market:\n", f"market:\n  capacity: {CAPACITY % '4 h'}\n"),
            ("ldas:\n", f"events:\n  - {CALL % ('capacity', '§0 s')}\nldas:\n"),
        ],
        "events[0].at: a call is announced before the gate of its first interval",
        "at the earliest at 300 s",
    ),
    "no day-ahead for the second day": (
        [("start: 2020-03-27T17:00:00", "start: §2020-03-27T13:00:00"), ("duration: 1 h", "duration: 12 h")],
        "horizon.start: the day-ahead market of the second day would close before the study begins",
        "start before 13:00 or end by midnight",
    ),
    "federation too long": (
        [
            ("start: 2020-03-27T17:00:00", "start: 2020-03-27"),
            ("duration: 1 h", "duration: 5 d"),
            ("ldas:\n", "federation: {chain: §whole}\nldas:\n"),
        ],
        "federation.chain: one federation would have up to",
        "set federation.chain to 'day'",
    ),
    "newer form": (
        [("schema_version: 1", "schema_version: §2")],
        "schema_version: this study is made for a newer version",
        "update Tandem",
    ),
    "merge key": (
        [("  step: 60 s", "  §<<: {step: 60 s}")],
        "horizon: merge keys ('<<') are not part of YAML 1.2",
        "use 'include'",
    ),
    "dangerous tag": (
        [("name: trial", "name: §!!python/object/apply:os.getcwd []")],
        "name: the tag 'tag:yaml.org,2002:python/object/apply:os.getcwd' is not allowed",
        "a study is plain values",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_place_and_remedy(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, what, remedy = FAULTS[fault]
    path, place = written(tmp_path, changed(*changes))
    code = _code(["check", str(path)])
    told = capsys.readouterr()
    assert code == ExitCode.CONFIG
    lines = [line for line in told.err.splitlines() if line.startswith(f"{path}:")]
    assert len(lines) == 1, told.err
    assert lines[0].startswith(f"{path}:{place}: "), told.err
    assert what in lines[0]
    assert remedy in lines[0]
    assert "^" in told.err
    assert "Traceback" not in told.err
    assert not told.out


def test_the_study_of_these_tests_is_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = written(tmp_path, VALID)
    assert _code(["check", str(path)]) == ExitCode.DONE, capsys.readouterr().err


def test_an_include_loop_names_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, "include: [b.yaml]\n", "a.yaml")
    _, place = written(tmp_path, "include: [§a.yaml]\n", "b.yaml")
    code = _code(["check", str(tmp_path / "a.yaml")])
    told = capsys.readouterr().err
    assert code == ExitCode.CONFIG
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    assert f"{b}:{place}: include[0]: an include loop: {a} includes {b} includes {a}; remove one" in told
    assert "Traceback" not in told


def test_a_study_that_is_not_there_is_named_with_its_neighbour(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, VALID)
    code = _code(["check", str(tmp_path / "stdy.yaml")])
    told = capsys.readouterr().err
    assert code == ExitCode.CONFIG
    assert "stdy.yaml: the file cannot be read: no such file or directory; did you mean 'study.yaml'?" in told


def test_all_faults_of_a_study_are_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = written(
        tmp_path,
        changed(
            ("step: 60 s", "step: 5 MW\n  step: 60 s"),
            ("kind: pjm5", "kind: !python/name:os.system pjm"),
            ("seed_id: 11", "seed: 11"),
            ("nodes: 100", "nodes: 0.5"),
        ),
    )
    code = _code(["check", str(path), "--set", "ldas.0.bus=4", "--set", "nonsense"])
    told = capsys.readouterr().err
    assert code == ExitCode.CONFIG
    for expected in (
        f"{path}:7:9: horizon.step: unit 'MW'",
        f"{path}:8:3: horizon.step: key 'step' is given twice",
        f"{path}:10:9: transmission.kind: the tag",
        f"{path}:19:9: ldas[0].feeders[0].seed: unknown key 'seed'; did you mean 'seed_id'?",
        f"{path}:17:9: ldas[0].feeders[0].seed_id: key 'seed_id' is missing",
        f"{path}:27:41: ldas[1].feeders[0].model.nodes: a whole number is expected, not 0.5",
        "--set ldas.0.bus=4: ldas[0].bus: text is expected, not 4",
        "--set nonsense: no 'key=value'",
        "8 faults; nothing was started",
    ):
        assert expected in told, told


def test_faults_are_in_the_one_json_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, place = written(tmp_path, changed(("bus: C", "bus: §B")))
    assert _code(["run", str(path), "--json", "--out", str(tmp_path / "out")]) == ExitCode.CONFIG
    answer = json.loads(capsys.readouterr().out)
    assert answer["status"] == "config_error"
    assert answer["run_dir"] is None
    (fault,) = answer["faults"]
    assert f"{fault['line']}:{fault['column']}" == place
    assert fault["path"] == "ldas[1].bus"
    assert not (tmp_path / "out").exists()

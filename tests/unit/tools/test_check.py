"""Only the data can tell these faults; each is named with the key to blame and what there is instead."""

from __future__ import annotations

import pytest

from federates.core.settings import Study
from federates.tools.check import run
from federates.tools.doctor import run as doctor
from tests.build import DUCK_DAY, RTS_DAY, TINY, study


def faults(wanted: Study) -> list[tuple[str, str]]:
    found = run({"study": wanted.model_dump(mode="json")})
    return [(fault["path"], fault["what"]) for fault in found["faults"]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        (TINY, {"buses": 5, "units": 5, "ldas": 2, "simulated_feeders": 2}),
        (RTS_DAY, {"buses": 73, "ldas": 4, "simulated_feeders": 20}),
        (DUCK_DAY, {"buses": 73, "ldas": 4, "simulated_feeders": 8}),
    ],
)
def test_the_shipped_studies_have_no_fault(path: object, counts: dict[str, int]) -> None:
    found = run({"study": study(path).model_dump(mode="json")})  # type: ignore[arg-type]
    assert found["faults"] == []
    assert counts.items() <= found["counts"].items()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "path", "what"),
    [
        ("ldas.0.bus=BB", "ldas.0.bus", "no bus 'BB' in"),
        ("ldas.0.bus='59'", "ldas.0.bus", "no bus '59' in pjm5; its 5 buses are called 'A', 'B', 'C' and so"),
        ("ldas.1.multiplicity=900", "ldas.1.multiplicity", "more than bus C has"),
        (
            "events=[{kind: unit_trip, at: 60, duration: 60, unit: Solitud}]",
            "events.0.unit",
            "no unit 'Solitud' in",
        ),
        ("transmission.rating_factors={A-X: 0.7}", "transmission.rating_factors.A-X", "A-X"),
        (
            "ldas.0.feeders.0.ders.pv.profile=118_RTPV_1",
            "ldas.0.feeders.0.ders.pv.profile",
            "no unit '118_RTPV_1' in pjm5; without a profile the sun is that of a clear sky",
        ),
        (
            "ldas.0.feeders.0.regulators.v_set={reg9: 122}",
            "ldas.0.feeders.0.regulators.v_set.reg9",
            "no regulator 'reg9'",
        ),
        ("horizon.start=2031-01-01", "horizon.start", "2031"),
    ],
)
def test_a_fault_is_named_with_its_key(change: str, path: str, what: str) -> None:
    ((where, text),) = faults(study(TINY, change))
    assert where == path
    assert what in text


def test_several_faults_are_named_at_once() -> None:
    wrong = study(TINY, "ldas.0.bus=BB", "ldas.1.bus=CC", "ldas.1.feeders.0.regulators.v_set={reg9: 122}")
    assert {path for path, _ in faults(wrong)} == {
        "ldas.0.bus",
        "ldas.1.bus",
        "ldas.1.feeders.0.regulators.v_set.reg9",
    }


def test_a_misspelt_name_gets_its_likely_meaning() -> None:
    trip = "events=[{kind: unit_trip, at: 60, duration: 60, unit: Solitud}]"
    ((_, text),) = faults(study(TINY, trip))
    assert "did you mean 'Solitude'" in text


def test_every_engine_works_here() -> None:
    found = doctor({})
    assert found["ok"], found
    assert {line["engine"] for line in found["engines"]} == {  # type: ignore[attr-defined]
        "HELICS", "OpenDSS", "HiGHS", "pandapower", "RTS-GMLC data",
    }  # fmt: skip

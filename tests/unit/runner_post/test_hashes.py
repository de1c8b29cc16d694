"""A finished run is verified from its files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from federates.core.errors import MissingInputError
from federates.core.tables import BUS, HEAD, INTERFACE
from runner.manifest import Done, write_done
from runner.post.hashes import table_hashes, verify
from tests.unit.runner_post.run_folders import record


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    record(tmp_path, BUS, [(0, "x")], {"v_pu": [1.0]})
    record(tmp_path, INTERFACE, [(0, "a")], {"v_pu": [1.0]})
    write_done(tmp_path, Done(ended="", table_hashes=table_hashes(tmp_path), wall_s={}))
    return tmp_path


def test_an_untouched_run_holds(finished: Path) -> None:
    found = verify(finished)
    assert found.holds
    assert found.equal == ("bus", "interface")


def test_a_changed_value_is_found(finished: Path) -> None:
    record(finished, BUS, [(0, "x")], {"v_pu": [1.0 + 2**-52]})
    found = verify(finished)
    assert not found.holds
    assert (found.equal, found.different) == (("interface",), ("bus",))


def test_a_lost_table_is_found(finished: Path) -> None:
    for path in (finished / "tables" / "bus").iterdir():
        path.unlink()
    found = verify(finished)
    assert not found.holds
    assert (found.equal, found.missing) == (("interface",), ("bus",))


def test_an_added_table_is_found(finished: Path) -> None:
    record(finished, HEAD, [(0, "a")], {"v_pu": [1.0]})
    found = verify(finished)
    assert not found.holds
    assert found.added == ("head",)


def test_an_added_row_is_found(finished: Path) -> None:
    record(finished, INTERFACE, [(60, "a")], {"v_pu": [1.0]}, federate="another")
    assert verify(finished).different == ("interface",)


def test_a_run_that_did_not_finish_cannot_be_verified(tmp_path: Path) -> None:
    record(tmp_path, BUS, [(0, "x")], {"v_pu": [1.0]})
    with pytest.raises(MissingInputError, match="did not finish"):
        verify(tmp_path)

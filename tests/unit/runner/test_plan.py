"""A federation never has more instants than HELICS grants; ports are claimed by one run at a time."""

from __future__ import annotations

import socket

import pytest

from federates.core.errors import ConfigError
from federates.core.settings import federate_names
from federates.core.time import DAY_S
from runner.plan import LAST_PORT, MAX_INSTANTS, SLOT, claimed_ports, make_plan
from tests.federation.toy import study


def test_a_week_on_helics_is_a_chain_of_days_each_below_the_limit() -> None:
    plan = make_plan(study(duration=7 * DAY_S), "helics")
    assert len(plan.spans) == 7
    assert max(plan.instants_count) <= MAX_INSTANTS
    assert sum(plan.instants_count) > MAX_INSTANTS
    assert [s.begin_s for s in plan.spans[1:]] == [s.end_s for s in plan.spans[:-1]]


def test_more_instants_than_helics_grants_are_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match=r"set federation\.chain to 'day'"):
        make_plan(study(duration=2 * DAY_S, chain="whole"), "helics")


def test_loopback_has_no_limit_and_is_whole_unless_told_otherwise() -> None:
    assert len(make_plan(study(duration=7 * DAY_S), "loopback").spans) == 1
    assert len(make_plan(study(duration=7 * DAY_S, chain="day"), "loopback").spans) == 7


@pytest.mark.parametrize("hosts", [1, 2, 5])
def test_every_federate_has_one_host_and_an_lda_is_never_split(hosts: int) -> None:
    wanted = study(ldas=5, hosts=hosts)
    plan = make_plan(wanted, "helics")
    seated = [name for host in plan.hosts for name in host.federates]
    assert sorted(seated) == sorted(federate_names(wanted))
    assert [h.federates for h in plan.hosts[:2]] == [("iso",), ("transmission",)]
    assert len(plan.hosts) == 2 + hosts
    host_of = {name: host.name for host in plan.hosts for name in host.federates}
    for seat in plan.topology.seatings:
        if seat.lda is not None:
            assert host_of[seat.name] == host_of[f"feeder_{seat.lda}"]


def test_more_hosts_than_ldas_are_not_started() -> None:
    assert len(make_plan(study(ldas=2, hosts=64), "helics").hosts) == 4


def test_two_claims_never_overlap_and_both_are_released() -> None:
    with claimed_ports(4) as first, claimed_ports(4) as second:
        assert abs(first - second) >= SLOT
        assert max(first, second) + SLOT <= LAST_PORT
    with claimed_ports(4) as again:
        assert again == first


def test_a_block_with_a_taken_port_is_passed_over() -> None:
    with claimed_ports(4) as wanted:
        pass
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", wanted + 7))
        other.listen()
        with claimed_ports(4) as port:
            assert port != wanted

"""Which messages are lost hangs on seed, wire and instant, and on nothing else."""

from __future__ import annotations

from federates.core.wiring import Wire
from federates.transport.impairment import Impairment, LossWindow

WIRE = Wire("dso_a", "bids", "iso", "bids")
BACK = Wire("iso", "awards", "dso_a", "awards")


def lost(share: float, seed: int, wire: Wire = WIRE) -> list[int]:
    window = LossWindow(sender="dso_a", receiver="iso", from_s=100, until_s=1_100, share=share)
    impairment = Impairment([window], seed)
    return [t for t in range(1_200) if impairment.loses(wire, t)]


def test_a_lost_link_loses_all_from_its_beginning_until_its_end() -> None:
    assert lost(1.0, 1) == list(range(100, 1_100))


def test_the_way_back_is_another_link() -> None:
    assert lost(1.0, 1, BACK) == []


def test_a_share_is_lost_by_seed() -> None:
    some = lost(0.3, 1)
    # 1000 draws at 0.3: five standard deviations are 72
    assert abs(len(some) - 300) < 72
    assert lost(0.3, 1) == some
    assert lost(0.3, 2) != some


def test_a_greater_share_loses_more_of_the_same_messages() -> None:
    assert set(lost(0.3, 1)) < set(lost(0.6, 1))

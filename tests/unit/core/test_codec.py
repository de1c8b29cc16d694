"""What is sent is what arrives, bit for bit; anything else is refused with the message's name."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from federates.core import messages
from federates.core.codec import decode, encode
from federates.core.errors import CodecError
from federates.core.messages import BoundaryPower, BoundaryVoltage, GridState, InterfaceAward, InterfaceBid

KINDS = [k for k in vars(messages).values() if isinstance(k, type) and k.__module__ == messages.__name__]
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
I64 = st.integers(-(2**63), 2**63 - 1)
VALUES = {
    "float": FINITE,
    "int": I64,
    "bool": st.booleans(),
    "FloatArray": hnp.arrays(np.float64, st.integers(0, 40), elements=FINITE),
    "IntArray": hnp.arrays(np.int64, st.integers(0, 40)),
}
VOLTAGE = BoundaryVoltage(v_pu=1.02, angle_deg=-3.5, converged=True)
GRID = GridState(
    unit_output_mw=np.array([1.0, 2.0]),
    bus_load_mw=np.array([3.0]),
    losses_mw=0.5,
    interchange_mw=np.zeros(1),
)


@st.composite
def any_message(draw: st.DrawFn) -> object:
    kind = draw(st.sampled_from(KINDS))
    return kind(**{f.name: draw(VALUES[str(f.type)]) for f in fields(kind)})


@given(message=any_message(), sent_s=I64)
def test_every_message_comes_back_bit_for_bit(message: object, sent_s: int) -> None:
    data = encode(message, sent_s)
    when, back = decode(data, type(message))
    assert when == sent_s
    assert type(back) is type(message)
    assert encode(back, sent_s) == data
    for field in fields(type(message)):  # type: ignore[arg-type]
        sent, got = getattr(message, field.name), getattr(back, field.name)
        assert np.array_equal(sent, got)
        if isinstance(sent, np.ndarray):
            assert got.dtype == sent.dtype


@given(message=any_message(), data=st.data())
def test_a_message_cut_anywhere_is_refused(message: object, data: st.DataObject) -> None:
    whole = encode(message, 60)
    at = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(CodecError):
        decode(whole[:at], type(message))
    with pytest.raises(CodecError, match="too many"):
        decode(whole + b"\0", type(message))


def test_a_message_of_another_type_is_refused_by_both_names() -> None:
    with pytest.raises(CodecError, match="expected GridState, got BoundaryVoltage"):
        decode(encode(VOLTAGE, 0), GridState)
    with pytest.raises(CodecError, match="expected GridState, got unknown bytes"):
        decode(b"TDM2" + encode(GRID, 0)[4:], GridState)


def test_messages_with_equal_fields_are_told_apart() -> None:
    layouts = {kind: encode_tag(kind) for kind in KINDS}
    assert len(set(layouts.values())) == len(KINDS) > 10


def encode_tag(kind: type[object]) -> bytes:
    zero = {
        "float": 0.0,
        "int": 0,
        "bool": False,
        "FloatArray": np.zeros(0),
        "IntArray": np.zeros(0, np.int64),
    }
    return encode(kind(**{f.name: zero[str(f.type)] for f in fields(kind)}), 0)[4:8]  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_sent(bad: float) -> None:
    with pytest.raises(CodecError, match=r"BoundaryVoltage sent at 304 s: .*not finite"):
        encode(BoundaryVoltage(v_pu=bad, angle_deg=0.0, converged=False), 304)
    power = BoundaryPower(p_mw=np.array([1.0, bad, 1.0]), q_mvar=np.zeros(3))
    with pytest.raises(CodecError, match=r"BoundaryPower sent at 304 s: .*not finite"):
        encode(power, 304)


def test_an_array_of_two_dimensions_is_never_sent() -> None:
    with pytest.raises(CodecError, match="one dimension, not 2"):
        encode(BoundaryPower(p_mw=np.zeros((3, 1)), q_mvar=np.zeros(3)), 0)


def test_an_array_that_claims_more_than_came_is_refused() -> None:
    data = bytearray(encode(GRID, 0))
    data[16:20] = (10**6).to_bytes(4, "little")
    with pytest.raises(CodecError, match="1000000 values runs past"):
        decode(bytes(data), GridState)


def test_a_message_too_long_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("federates.core.codec.MAX_BYTES", 1_000)
    award = InterfaceAward(interval_s=0, length_s=300, award_mw=np.zeros(100), lmp_usd_per_mwh=np.zeros(100))
    with pytest.raises(CodecError, match="1000 may be sent"):
        encode(award, 0)


def test_what_arrives_cannot_be_changed_by_its_reader() -> None:
    bid = InterfaceBid(
        interval_s=0,
        length_s=300,
        counts=np.array([1]),
        import_mw=np.array([1.0]),
        price_usd_per_mwh=np.zeros(1),
    )
    _, back = decode(encode(bid, 0), InterfaceBid)
    with pytest.raises(ValueError, match="read-only"):
        back.import_mw[0] = 2.0

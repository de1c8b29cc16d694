"""Messages as bytes: a small header and raw little-endian values; the same bytes on every transport.

Layout: magic ``TDM1``; schema tag (u32, CRC of the message's name and field types); sent_s (i64); then every
field in order: float as f64, int as i64, bool as i64, an array as u32 length and raw f64 or i64.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import TypeVar, cast

import numpy as np

from federates.core import messages
from federates.core.errors import CodecError
from federates.core.time import SimTime

MAGIC = b"TDM1"
MAX_BYTES = 64 * 1024 * 1024
_HEADER = struct.Struct("<4sIq")
_F64 = struct.Struct("<d")
_I64 = struct.Struct("<q")
_U32 = struct.Struct("<I")
M = TypeVar("M")


def _put_array(value: object, dtype: str) -> bytes:
    array = np.ascontiguousarray(cast("np.ndarray[tuple[int, ...], np.dtype[np.float64]]", value), dtype)
    if array.ndim != 1:
        raise CodecError(f"an array on the wire has one dimension, not {array.ndim}")
    if dtype == "<f8" and not np.isfinite(array).all():
        raise CodecError("a value that is not finite may not be sent")
    return _U32.pack(array.size) + array.tobytes()


def _take_array(data: memoryview, at: int, dtype: str) -> tuple[object, int]:
    (size,) = _U32.unpack_from(data, at)
    end = at + 4 + 8 * size
    if end > len(data):
        raise CodecError(f"an array of {size} values runs past the message's end")
    return np.frombuffer(data[at + 4 : end], dtype), end


def _put_float(value: object) -> bytes:
    number = float(cast("float", value))
    if not np.isfinite(number):
        raise CodecError("a value that is not finite may not be sent")
    return _F64.pack(number)


_Put = Callable[[object], bytes]
_Take = Callable[[memoryview, int], tuple[object, int]]
_FIELDS: dict[str, tuple[_Put, _Take]] = {
    "float": (_put_float, lambda d, at: (_F64.unpack_from(d, at)[0], at + 8)),
    "int": (lambda v: _I64.pack(cast("int", v)), lambda d, at: (_I64.unpack_from(d, at)[0], at + 8)),
    "bool": (lambda v: _I64.pack(bool(v)), lambda d, at: (bool(_I64.unpack_from(d, at)[0]), at + 8)),
    "FloatArray": (lambda v: _put_array(v, "<f8"), lambda d, at: _take_array(d, at, "<f8")),
    "IntArray": (lambda v: _put_array(v, "<i8"), lambda d, at: _take_array(d, at, "<i8")),
}


_Layout = tuple[int, tuple[tuple[str, _Put, _Take], ...]]
_LAYOUTS: dict[type[object], _Layout] = {}


def _layout(kind: type[object]) -> _Layout:
    known = _LAYOUTS.get(kind)
    if known is not None:
        return known
    spec = [(f.name, str(f.type)) for f in fields(kind)]  # type: ignore[arg-type]
    tag = zlib.crc32(repr((kind.__name__, spec)).encode())
    layout = tag, tuple((name, *_FIELDS[type_]) for name, type_ in spec)
    _LAYOUTS[kind] = layout
    return layout


@cache
def _kinds() -> dict[int, type[object]]:
    kinds = [k for k in vars(messages).values() if isinstance(k, type) and k.__module__ == messages.__name__]
    return {_layout(k)[0]: k for k in kinds}


def encode(message: object, sent_s: SimTime) -> bytes:
    """Bytes of a message sent at ``sent_s``.

    Raises
    ------
    CodecError
        If a value is not finite, an array has more than one dimension, or the message is too long.
    """
    tag, layout = _layout(type(message))
    try:
        body = b"".join(put(getattr(message, name)) for name, put, _ in layout)
    except CodecError as error:
        raise CodecError(f"{type(message).__name__} sent at {sent_s} s: {error}") from error
    if len(body) > MAX_BYTES:
        raise CodecError(
            f"{type(message).__name__} sent at {sent_s} s has {len(body)} bytes; {MAX_BYTES} may be sent"
        )
    return _HEADER.pack(MAGIC, tag, sent_s) + body


def decode(data: bytes, expected: type[M]) -> tuple[SimTime, M]:
    """Instant of sending and message, which must be of the expected type.

    Raises
    ------
    CodecError
        If the bytes are not one whole message of that type.
    """
    if len(data) < _HEADER.size or len(data) > MAX_BYTES + _HEADER.size:
        raise CodecError(f"{len(data)} bytes are no {expected.__name__}")
    magic, tag, sent_s = _HEADER.unpack_from(data)
    want, layout = _layout(expected)
    if magic != MAGIC or tag != want:
        got = _kinds().get(tag) if magic == MAGIC else None
        raise CodecError(f"expected {expected.__name__}, got {got.__name__ if got else 'unknown bytes'}")
    view, at, values = memoryview(data), _HEADER.size, {}
    try:
        for name, _, take in layout:
            values[name], at = take(view, at)
    except struct.error as error:
        raise CodecError(f"{expected.__name__} sent at {sent_s} s is cut short") from error
    if at != len(data):
        raise CodecError(f"{expected.__name__} sent at {sent_s} s has {len(data) - at} bytes too many")
    return sent_s, expected(**values)

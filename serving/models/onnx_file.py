"""Reads an ONNX file with the standard library alone: nodes, constants and metadata of its graph.

An ONNX file is a protocol buffer: a sequence of fields, each with a number and a wire type (varint
0, 64 bits 1, length-delimited 2, 32 bits 5). Only the fields that `training.models.onnx_export`
writes are read. Any error in the file surfaces as ValueError, IndexError, KeyError or TypeError;
scorers turn it into a `ScorerError`.
"""

from __future__ import annotations

import re
import sys
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GRAPH, _METADATA = 7, 14
_NODE, _INITIALIZER = 1, 5
_INPUT, _OP_TYPE, _ATTRIBUTE = 1, 4, 5
_NAME, _INTEGER, _TENSOR, _INTEGERS = 1, 3, 5, 8
_STRINGS, _TENSOR_NAME, _RAW = 6, 8, 9
_ONE: Final = re.compile(rb"\x40([\x80-\xff]*[\x00-\x7f])")
_MANY: Final = re.compile(rb"(?:\x40[\x80-\xff]*[\x00-\x7f])+")
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
_CONTINUES: Final = 0x80


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """The graph of an ONNX file.

    Attributes:
        nodes: In the order of the file.
        constants: Tensors by name.
        metadata: Properties of the model.
    """

    nodes: Sequence[OnnxNode]
    constants: dict[str, memoryview]
    metadata: dict[str, str]


def read_graph(model: bytes) -> OnnxGraph:
    """Return the graph of an ONNX file."""
    whole = memoryview(model)
    (graph,) = _values(whole, _GRAPH)
    return OnnxGraph(
        [OnnxNode(each) for each in _values(graph, _NODE)],
        {_text(tensor, _TENSOR_NAME): tensor for tensor in _values(graph, _INITIALIZER)},
        {_text(each, 1): _text(each, 2) for each in _values(whole, _METADATA)},
    )


class OnnxNode:
    """One node of the graph: its operator (`kind`), its inputs and its attributes."""

    def __init__(self, body: memoryview) -> None:
        self.kind = _text(body, _OP_TYPE)
        self.inputs = [bytes(each).decode() for each in _values(body, _INPUT)]
        self._attributes = {_text(each, _NAME): each for each in _values(body, _ATTRIBUTE)}

    def integers(self, name: str) -> Sequence[int]:
        """Return a list of integers."""
        return _integers(self._attributes[name])

    def integer(self, name: str) -> int:
        """Return one integer."""
        fields = _fields(self._attributes[name])
        return next((_varint(bytes(value)) for field, _, value in fields if field == _INTEGER), 0)

    def tensor(self, name: str) -> memoryview:
        """Return a tensor."""
        (found,) = _values(self._attributes[name], _TENSOR)
        return found


def array_of(tensor: memoryview, kind: str) -> array[float]:
    """Return the values of a tensor of doubles (`d`) or 64-bit integers (`q`)."""
    found: array[float] = array(kind)
    for raw in _values(tensor, _RAW):
        found.frombytes(raw)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def strings_of(tensor: memoryview) -> list[str]:
    """Return the values of a tensor of strings."""
    return [bytes(each).decode() for each in _values(tensor, _STRINGS)]


def raw_of(tensor: memoryview) -> bytes:
    """Return the raw bytes of a tensor, which has exactly one such field."""
    (raw,) = _values(tensor, _RAW)
    return bytes(raw)


def _text(message: memoryview, number: int) -> str:
    """Return the first string of a field; stops at the first."""
    return next((bytes(each).decode() for each in _each_value(message, number)), "")


def _integers(attribute: memoryview) -> Sequence[int]:
    """Return the integers of an attribute, tens of thousands, without a Python step for each."""
    body = bytes(attribute)
    start = 2 + body[1]  # the name comes first
    run = _MANY.match(body, start)
    if body[0] != _NAME << 3 | _BYTES or run is None:
        raise ValueError("its lists of integers have another encoding")
    found = run.group()
    if max(found[1::2], default=0) < _CONTINUES and found[::2] == b"\x40" * (len(found) // 2):
        return found[1::2]
    return [each[0] if len(each) == 1 else _varint(each) for each in _ONE.findall(found)]


def _varint(encoded: bytes) -> int:
    value = 0
    for at, byte in enumerate(encoded):
        value |= (byte & 0x7F) << 7 * at
    return value


def _values(message: memoryview, number: int) -> list[memoryview]:
    """Return the byte strings of a field."""
    return list(_each_value(message, number))


def _each_value(message: memoryview, number: int) -> Iterator[memoryview]:
    return (value for field, kind, value in _fields(message) if (field, kind) == (number, _BYTES))


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield number, wire type and value of each field."""
    at, end = 0, len(message)
    while at < end:
        key, at = _number_at(message, at)
        kind = key & 7
        if kind == _VARINT:
            start = at
            _, at = _number_at(message, at)
        elif kind == _BYTES:
            length, start = _number_at(message, at)
            at = start + length
        elif kind in {_DOUBLE, _FLOAT}:
            start = at
            at += 8 if kind == _DOUBLE else 4
        else:
            raise ValueError(f"it has a field of wire type {kind}")
        if at > end:
            raise ValueError("it is truncated")
        yield key >> 3, kind, message[start:at]


def _number_at(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte, at = message[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < _CONTINUES:
            return value, at
        shift += 7

"""The closed format of what crosses: None, numbers, text, lists, tuples, dicts, tensors, and descriptions of modules.

A message is one JSON text and the raw bytes of its tensors. Reading one makes builtin values and plain tensors, and
never runs anything that the sender chose: nothing is unpickled, no name is looked up.
"""

import json
import struct

import torch

MOST_BYTES = 64 * 2**20  # of one message; the lessons' largest has 0.7 MB
MOST_TEXT = 2**20  # bytes of its JSON: read, these take up to fifty times as much
MOST_DIMENSIONS = 16
FLOATS, WHOLE = ("float32", "float64", "float16", "bfloat16"), ("int64", "int32", "int16", "int8", "uint8", "bool")
DTYPES = (*FLOATS, *WHOLE, "complex64", "complex128")


class Garbled(Exception):
    """A message that is not in the format, or a value that the format has no place for."""


class Thing:
    """Something that stays on its own side, as a description: a dict of plain values. `kind` says of what."""

    def __init__(self, kind, facts):
        self.kind, self.facts = kind, facts


def pack(value):
    """The bytes of `value`. Raises `Garbled` for a value of any other type, or one nested too deeply."""
    blobs = []
    try:
        text = json.dumps(_plain(value, blobs)).encode()
    except (RecursionError, ValueError) as error:
        raise Garbled(f"this value can't be sent: {error}") from error
    if len(text) > MOST_TEXT:
        most = f"at most {MOST_TEXT / 2**20:.0f} MB can be sent"
        raise Garbled(f"this value takes {len(text) / 2**20:.0f} MB as text; {most}")
    head = struct.pack(f"<II{len(blobs)}Q", len(text), len(blobs), *map(len, blobs))
    whole = b"".join([head, text, *blobs])
    if len(whole) > MOST_BYTES:
        raise Garbled(f"this value takes {len(whole) / 2**20:.0f} MB; at most {MOST_BYTES / 2**20:.0f} MB can be sent")
    return whole


def unpack(data):
    """The value in `data`; `Garbled` where it is not a message."""
    try:
        length, count = struct.unpack_from("<II", data)
        sizes = struct.unpack_from(f"<{count}Q", data, 8)
        start = 8 + 8 * count
        if start + length + sum(sizes) != len(data):
            raise Garbled("the lengths do not add up")
        if length > MOST_TEXT:
            raise Garbled(f"its text takes {length / 2**20:.0f} MB")
        blobs, place = [], start + length
        for size in sizes:
            blobs.append(data[place : place + size])
            place += size
        return _value(json.loads(data[start : start + length]), blobs)
    except Garbled:
        raise
    except Exception as error:
        raise Garbled(f"{type(error).__name__}: {error}") from error


def _plain(value, blobs):
    """`value` as JSON's types; a list is [mark, ...]."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return ["f", value.hex()]
    if type(value) is complex:
        return ["c", value.real.hex(), value.imag.hex()]
    if type(value) in (list, tuple, torch.Size):
        return ["l" if type(value) is list else "t", *(_plain(v, blobs) for v in value)]
    if type(value) is dict:
        return ["d", *([_plain(k, blobs), _plain(v, blobs)] for k, v in value.items())]
    if type(value) in (torch.Tensor, torch.nn.Parameter):
        name = str(value.dtype).removeprefix("torch.")
        if name not in DTYPES or value.layout != torch.strided or value.device.type == "meta":
            raise Garbled(f"a {value.layout} tensor of {value.dtype} can't be sent")
        flat = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
        flat = flat.as_strided((flat.numel(),), (1,))  # one number of a slice counts as contiguous, whatever its stride
        blobs.append(flat.view(torch.uint8).numpy().tobytes())
        return ["x", name, list(value.shape), value.requires_grad, len(blobs) - 1]
    if type(value) is Thing:
        return ["o", value.kind, _plain(value.facts, blobs)]
    raise Garbled(f"a `{type(value).__name__}` can't be sent")


def _value(coded, blobs):
    if coded is None or type(coded) in (bool, int, str):
        return coded
    mark, *rest = coded
    if mark == "f":
        return float.fromhex(*rest)
    if mark == "c":
        return complex(*map(float.fromhex, rest))
    if mark == "l":
        return [_value(v, blobs) for v in rest]
    if mark == "t":
        return tuple(_value(v, blobs) for v in rest)
    if mark == "d":
        return {_value(k, blobs): _value(v, blobs) for k, v in rest}
    if mark == "x":
        return _tensor(*rest, blobs)
    if mark == "o":
        kind, facts = rest
        if type(kind) is not str or not (type(facts) is list and facts and facts[0] == "d"):
            raise Garbled("a thing without facts")
        return Thing(kind, _value(facts, blobs))
    raise Garbled(f"an unknown mark {mark!r}")


def _tensor(name, shape, wants_gradient, place, blobs):
    if name not in DTYPES or len(shape) > MOST_DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
        raise Garbled(f"no tensor: {name!r} of shape {shape!r}")
    dtype, raw = getattr(torch, name), blobs[place]
    count = 1
    for n in shape:
        count *= n
    if count * dtype.itemsize != len(raw):
        raise Garbled(f"a {name} tensor of shape {shape} does not take {len(raw)} bytes")
    if dtype == torch.bool and set(raw) - {0, 1}:
        raise Garbled("a truth value that is neither")
    flat = torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)
    made = flat.reshape(shape)
    return made.requires_grad_() if wants_gradient is True and (dtype.is_floating_point or dtype.is_complex) else made

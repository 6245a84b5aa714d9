"""Streams by the examples of docs/file_formats.md, by brute force, and damaged."""

import numpy as np
import pytest

from btc_llm.codebooks import linear_code
from btc_llm.group_map import decode_group_map, decode_rice_map
from btc_llm.index_coding import decode_indices, index_shape, index_width, radix_group_bytes
from btc_llm.streams import StreamError, decode_fields


def raw(text):
    return np.frombuffer(bytes.fromhex(text), dtype=np.uint8)


def fail_at(byte, text, decode, *arguments):
    with pytest.raises(StreamError, match=text) as caught:
        decode(*arguments)
    assert caught.value.byte == byte


def pack_bits(values, width):
    """Rows of fields, each row padded to bytes."""
    bits = (np.asarray(values)[..., None] >> np.arange(width)) & 1
    flat = bits.reshape(len(values), -1).astype(np.uint8)
    return np.packbits(flat, axis=1, bitorder="little")


def encode_rice(rows, parameter):
    """Bytes of all rows and of each, written bit by bit from the definition."""
    stream, sizes = b"", []
    for row in rows:
        bits, after = [], 0
        for entry in np.flatnonzero(row):
            gap = entry - after
            bits += [1] * (gap >> parameter) + [0]
            bits += [(gap >> k) & 1 for k in range(parameter)]
            after = entry + 1
        bits += [1] * (-len(bits) % 8)
        packed = np.packbits(np.array(bits, dtype=np.uint8), bitorder="little").tobytes()
        stream += packed
        sizes.append(len(packed))
    return np.frombuffer(stream, dtype=np.uint8), np.array(sizes)


def test_fixed_indices_as_documented():
    index = decode_indices(raw("05802500").reshape(1, 4), "fixed", 1, 2, 7131, 7131)
    assert index.tolist() == [[5, 300]]


def test_radix_indices_as_documented():
    index = decode_indices(raw("0345f560 5cf02d00"), "radix", 1, 5, 7131, 7131)
    assert index.tolist() == [[1, 2, 3, 4, 5]]


def test_levels_as_documented():
    assert decode_fields(raw("c501").reshape(1, 2), 3, 3).tolist() == [[5, 0, 7]]


@pytest.mark.parametrize("text, groups, entries", [
    ("c8", 3, [2, 0, 1, 1, 2]), ("9301", 4, [3, 0, 1, 2, 1])])
def test_group_maps_as_documented(text, groups, entries):
    found = decode_group_map(raw(text).reshape(1, -1), len(entries), groups)
    assert found.tolist() == [entries]


def test_rice_map_as_documented():
    row = decode_rice_map(raw("c6fd"), np.array([2]), 2, 32)[0]
    assert np.flatnonzero(row).tolist() == [3, 4, 20]


def test_linear_code_as_documented():
    words = linear_code()
    assert len(words) == 1 << 16
    assert words[1] == 0x30001
    assert np.array_equal(words & 0xFFFF, np.arange(1 << 16))


@pytest.mark.parametrize("width", range(1, 25))
def test_fields_of_every_width(width):
    values = np.random.default_rng(width).integers(0, 1 << width, (3, 11))
    assert np.array_equal(decode_fields(pack_bits(values, width), 11, width), values)


@pytest.mark.parametrize("size", [1, 2, 256, 257, 776, 7131, 7132, 21618, 1 << 16, 1 << 20])
@pytest.mark.parametrize("coding", ["fixed", "radix"])
def test_indices_of_every_size(coding, size):
    rng = np.random.default_rng(size)
    index = rng.integers(0, size, (4, 7))
    index[0, :5] = size - 1
    if coding == "fixed":
        stream = pack_bits(index, index_width(size))
    else:
        digits = [int(d) for d in index.reshape(-1)]
        digits += [0] * (-len(digits) % 5)
        groups = [sum(d * size ** k for k, d in enumerate(digits[i:i + 5]))
                  for i in range(0, len(digits), 5)]
        stream = np.frombuffer(b"".join(g.to_bytes(radix_group_bytes(size), "little")
                                        for g in groups), dtype=np.uint8)
    assert stream.shape == index_shape(coding, 4, 7, size)
    assert np.array_equal(decode_indices(stream, coding, 4, 7, size, size), index)


@pytest.mark.parametrize("groups", [2, 3, 4])
@pytest.mark.parametrize("entries", [1, 8, 13, 40])
def test_group_maps_of_every_width(groups, entries):
    per_byte = {2: 8, 3: 5, 4: 4}[groups]
    group = np.random.default_rng(entries).integers(0, groups, (3, entries))
    padded = np.pad(group, ((0, 0), (0, -entries % per_byte)))
    digits = padded.reshape(3, -1, per_byte)
    stream = (digits * groups ** np.arange(per_byte)).sum(axis=2).astype(np.uint8)
    assert np.array_equal(decode_group_map(stream, entries, groups), group)


@pytest.mark.parametrize("parameter", [0, 1, 3, 15])
@pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 1.0])
def test_rice_maps(parameter, share):
    rows = (np.random.default_rng(parameter).random((9, 300)) < share).astype(np.uint8)
    rows[4] = 0  # a row without a byte
    stream, sizes = encode_rice(rows, parameter)
    assert np.array_equal(decode_rice_map(stream, sizes, parameter, 300), rows)


def test_rice_maps_of_many_bytes_are_decoded_in_parts(monkeypatch):
    monkeypatch.setattr("btc_llm.group_map._CHUNK_BYTES", 50)
    monkeypatch.setattr("btc_llm.group_map._SIDE_BY_SIDE", 3)
    rows = (np.random.default_rng(1).random((40, 300)) < 0.1).astype(np.uint8)
    stream, sizes = encode_rice(rows, 3)
    assert np.array_equal(decode_rice_map(stream, sizes, 3, 300), rows)
    last = int(sizes[:-1].sum())
    ones = np.full(2, 0xFF, dtype=np.uint8)
    fail_at(last, "more than 7 pad bits", decode_rice_map, np.append(stream[:last], ones),
            np.append(sizes[:-1], 2), 3, 300)


def test_an_index_without_a_codeword_is_refused():
    fail_at(1, "index 300, expected < 300", decode_indices, raw("05802500").reshape(1, 4), "fixed",
            1, 2, 7131, 300)
    fail_at(0, "index 5, expected < 5", decode_indices, raw("0345f5605cf02d00"), "radix", 1, 5,
            7131, 5)


def test_pad_bits_are_refused():
    fail_at(3, "pad bits of row 0", decode_indices, raw("05802504").reshape(1, 4), "fixed", 1, 2,
            7131, 7131)
    fail_at(3, "pad bits of row 1", decode_fields, raw("c501c503").reshape(2, 2), 3, 3)


def test_values_and_digits_that_no_writer_makes_are_refused():
    fail_at(0, "value of a group too large", decode_indices, raw("ffffffffffffffff"), "radix", 1,
            1, 7131, 7131)
    fail_at(8, "unused digits", decode_indices, raw("0000000000000000 db1b000000000000"), "radix",
            1, 6, 7131, 7131)
    fail_at(1, "byte value 243", decode_group_map, raw("c8f3").reshape(2, 1), 5, 3)
    fail_at(0, "byte value 200", decode_group_map, raw("c8").reshape(1, 1), 4, 3)


def test_rice_codes_that_do_not_end_are_refused():
    fail_at(0, "ends inside a code", decode_rice_map, raw("7f"), np.array([1]), 2, 32)
    fail_at(0, "more than 7 pad bits", decode_rice_map, raw("ff"), np.array([1]), 2, 32)
    fail_at(0, "entry 20, expected < 20", decode_rice_map, raw("c6fd"), np.array([2]), 2, 20)
    # The same in the second of two rows.
    fail_at(2, "ends inside a code", decode_rice_map, raw("c6fd7f"), np.array([2, 1]), 2, 32)

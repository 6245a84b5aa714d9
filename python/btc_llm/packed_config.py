"""`quantization_config` of a packed model's config.json: how all its tensors decode."""

from __future__ import annotations

from dataclasses import dataclass

from btc_llm.checked_json import check_version, is_whole
from btc_llm.errors import FormatError

QUANT_METHOD = "btc"
FORMAT_NAME = "btc-packed"
FORMAT_VERSION = "1.0"
KEY = "quantization_config"

_MAX_INTEGER = 1 << 24
_MAX_CODEBOOK = 1 << 20
_LINEAR_CODE = (20, 1 << 16)  # vector_length, codebook_size of codec linear_20_16
_TRANSFORM = {"dtype": "F16", "online": ["qkv", "o", "gate_up", "down"],
              "merged": ["sign", "v_head"]}
_BITS = ("nominal_bits", "sign_bits", "stored_bits", "model_bits")


@dataclass(frozen=True)
class PackedFormat:
    """Everything a reader needs, equal for all Linears of a model; docs/file_formats.md."""

    codec: str = "none"  # none, codebook, linear_20_16, uniform
    vector_length: int = 0
    codebook_size: int = 0
    scope: str = ""  # linear, block, model, block_group; with codec codebook
    index_coding: str = ""  # fixed, radix
    level_bits: int = 0  # with codec uniform
    masked: bool = False
    groups: int = 1
    rice_group_map: bool = False
    panel: int = 0  # 0: whole row
    int8_scales: bool = False
    mean: bool = False
    column_scale: bool = False
    group_column_scale: bool = False
    group_ratio: bool = False
    column_mean: bool = False
    salient: bool = False
    salient_groups: int = 1
    transform: bool = False


class _Fields:
    """Hands out the fields of an object and refuses what nobody asked for."""

    def __init__(self, fields, origin: str):
        if not isinstance(fields, dict):
            raise FormatError(f"{origin}: expected an object")
        self.fields = fields
        self.origin = origin
        self.asked: set[str] = set()

    def at(self, key: str):
        self.asked.add(key)
        if key not in self.fields:
            raise FormatError(f"{self.origin}: {key} is missing")
        return self.fields[key]

    def has(self, key: str) -> bool:
        return key in self.fields

    def fail(self, key: str, expected: str):
        raise FormatError(f"{self.origin}: {key}: got {self.fields[key]!r}, expected {expected}")

    def choice(self, key: str, *allowed):
        value = self.at(key)
        if not any(value is one or (isinstance(value, str) and value == one) for one in allowed):
            self.fail(key, "one of " + ", ".join(str(one) for one in allowed))
        return value

    def integer(self, key: str, limit: int) -> int:
        value = self.at(key)
        if not is_whole(value) or value > limit:
            self.fail(key, f"0..{limit}")
        return value

    def flag(self, key: str) -> bool:
        return self.choice(key, False, True)

    def optional_flag(self, key: str) -> bool:
        return self.has(key) and self.flag(key)

    def number(self, key: str) -> float:
        value = self.at(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.fail(key, "a number")
        return value

    def refuse_unknown(self) -> None:
        for key in self.fields:
            if key not in self.asked:
                raise FormatError(f'{self.origin}: unknown key "{key}"')


def read_packed_format(config: dict, origin: str) -> PackedFormat:
    """The format that the `quantization_config` of a config.json describes.

    Raises FormatError for an absent, unknown or contradictory key, another method or version.
    """
    if KEY not in config:
        raise FormatError(f"{origin}: {KEY} is missing: not a packed model")
    return read_quantization_config(config[KEY], f"{origin}: {KEY}")


def read_quantization_config(fields: dict, origin: str) -> PackedFormat:
    """The same from the value of the key."""
    reader = _Fields(fields, origin)
    reader.choice("quant_method", QUANT_METHOD)
    reader.choice("format", FORMAT_NAME)
    check_version(reader.at("format_version"), FORMAT_VERSION, origin)
    packed = _read_format(reader)
    _check_format(packed, origin)
    names = reader.at("not_quantized")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        reader.fail("not_quantized", "a list of names")
    bits = _Fields(reader.at("bits"), f"{origin}.bits")
    for key in _BITS:
        bits.number(key)
    bits.refuse_unknown()
    reader.refuse_unknown()
    return packed


def _read_codec(reader: _Fields) -> dict:
    codec = reader.choice("codec", "none", "codebook", "linear_20_16", "uniform")
    found: dict = {"codec": codec}
    if codec == "uniform":
        found["level_bits"] = reader.integer("level_bits", 8)
    elif codec != "none":
        found["vector_length"] = reader.integer("vector_length", 24)
        found["codebook_size"] = reader.integer("codebook_size", _MAX_INTEGER)
        found["index_coding"] = reader.choice("index_coding", "fixed", "radix")
        if codec == "codebook":
            found["scope"] = reader.choice("scope", "linear", "block", "model", "block_group")
    return found


def _read_format(reader: _Fields) -> PackedFormat:
    found = _read_codec(reader)
    masked = reader.choice("layout", "dense", "masked") == "masked"
    column_scale = reader.choice("column_scale", False, True, "group")
    reader.choice("residual", "coded" if masked else "raw")
    if reader.has("transform") and reader.at("transform") != _TRANSFORM:
        reader.fail("transform", str(_TRANSFORM))
    return PackedFormat(
        **found,
        masked=masked,
        groups=reader.integer("split_points", 3) + 1,
        rice_group_map=reader.choice("group_map", "dense", "rice") == "rice",
        panel=reader.integer("panel", _MAX_INTEGER),
        int8_scales=reader.choice("scale_dtype", "F16", "I8") == "I8",
        mean=reader.flag("mean"),
        column_scale=column_scale is not False,
        group_column_scale=column_scale == "group",
        group_ratio=reader.optional_flag("group_ratio"),
        column_mean=reader.optional_flag("column_mean"),
        salient=reader.flag("salient"),
        salient_groups=reader.integer("salient_groups", 4),
        transform=reader.has("transform"),
    )


def _check_format(f: PackedFormat, origin: str) -> None:
    """The fields against each other."""

    def require(holds: bool, text: str) -> None:
        if not holds:
            raise FormatError(f"{origin}: {text}")

    v = f.vector_length
    plain = f.groups == 1 and not f.salient and not f.mean
    learned = f.codec == "codebook"
    if f.codec in ("codebook", "linear_20_16"):
        require(4 <= v <= 24, f"vector_length {v}, expected 4..24")
        limit = min(_MAX_CODEBOOK, 1 << v)
        require(1 <= f.codebook_size <= limit,
                f"codebook_size {f.codebook_size}, expected 1..{limit}")
    require(f.codec != "linear_20_16" or (v, f.codebook_size) == _LINEAR_CODE,
            f"codec linear_20_16 with vector_length {v} and codebook_size {f.codebook_size}, "
            "expected 20 and 65536")
    require(f.codec != "uniform" or 2 <= f.level_bits <= 8,
            f"level_bits {f.level_bits}, expected 2..8")
    require(f.codec != "uniform" or (plain and not f.column_scale),
            "uniform levels with groups, salient columns, means or column scales")
    require(not f.column_mean or (plain and f.column_scale),
            "column means with groups, salient columns or means, or without column scales")
    require(f.salient_groups == 1 or
            (f.salient and f.salient_groups == f.groups and not f.rice_group_map),
            f"{f.salient_groups} salient groups, expected 1, or {f.groups} where there are salient "
            "columns and a dense map")
    require(not f.masked or (learned and f.panel > 0),
            "layout masked, expected dense without a codebook or panels")
    require(f.scope != "block_group" or (f.panel > 0 and (f.masked or f.panel % v == 0)),
            f"codebooks of each panel, panel {f.panel}, expected a multiple of vector_length {v}")
    require(not f.group_ratio or (f.groups > 1 and not f.mean),
            f"ratios of {f.groups} groups, expected at least 2, without means")
    require(not f.int8_scales or (f.group_ratio and not f.salient),
            "8-bit scales without ratios of groups, or with salient columns")
    require(not f.rice_group_map or f.groups == 2,
            f"a Rice-coded group map with {f.groups} groups, expected 2")

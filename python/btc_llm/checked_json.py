"""JSON of files that may be damaged: what a plain parser lets through is refused."""

from __future__ import annotations

import json
import re

from btc_llm.errors import FormatError


def parse_object(text: bytes | str, origin: str) -> dict:
    """One JSON object in UTF-8, without a name that occurs twice or a number that is not finite.

    `origin` begins the message of the FormatError.
    """

    def unique(pairs):
        entries = dict(pairs)
        if len(entries) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise FormatError(f'{origin}: "{twice}" occurs twice in an object')
        return entries

    def refuse(constant):
        raise FormatError(f"{origin}: {constant} is not JSON")

    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except FormatError:
        raise
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise FormatError(f"{origin}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise FormatError(f"{origin}: expected a JSON object")
    return value


def is_whole(value) -> bool:
    """Whether a value is a number 0, 1, 2, ..."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def check_version(found, ours: str, origin: str) -> None:
    """A reader takes every minor version of its own major one."""
    major = ours.split(".")[0]
    if not isinstance(found, str) or re.fullmatch(major + r"\.[0-9]+", found) is None:
        raise FormatError(f'{origin}: version "{found}", expected {major}.x: '
                          "written by another version of the program")

"""`manifest.json`: which files a packed model has, how large they are, and their SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from btc_llm.checked_json import check_version, is_whole, parse_object
from btc_llm.errors import FormatError

MANIFEST_NAME = "manifest.json"
_SCHEMA = "btc.manifest"
_VERSION = "1.0"
_BUFFER_BYTES = 1 << 22


@dataclass(frozen=True)
class ManifestFile:
    """A file beside the manifest."""

    name: str
    bytes: int
    sha256: str


def read_manifest(directory: Path) -> dict[str, ManifestFile]:
    """The files by name; the size of each is checked. Raises FormatError."""
    path = directory / MANIFEST_NAME
    if not path.is_file():
        raise FormatError(f"{path}: missing, so the directory is not a complete packed model")
    manifest = parse_object(path.read_bytes(), MANIFEST_NAME)
    if manifest.get("schema") != _SCHEMA:
        raise FormatError(f"{MANIFEST_NAME}: schema is not {_SCHEMA}")
    check_version(manifest.get("version"), _VERSION, MANIFEST_NAME)
    entries = manifest.get("files")
    if not isinstance(entries, list):
        raise FormatError(f"{MANIFEST_NAME}: files missing or not a list")
    files = [_read_entry(entry) for entry in entries]
    names = [file.name for file in files]
    if names != sorted(set(names)):
        raise FormatError(f"{MANIFEST_NAME}: files are out of order or named twice")
    for file in files:
        _check_size(directory / file.name, file)
    return {file.name: file for file in files}


def check_hash(directory: Path, file: ManifestFile) -> None:
    """Raises FormatError if the bytes of a file are not those that were written."""
    sha256 = hashlib.sha256()
    with open(directory / file.name, "rb") as stream:
        while chunk := stream.read(_BUFFER_BYTES):
            sha256.update(chunk)
    if sha256.hexdigest() != file.sha256:
        raise FormatError(f"{directory / file.name}: SHA-256 is {sha256.hexdigest()}, expected "
                          f"{file.sha256}")


def _read_entry(entry) -> ManifestFile:
    name, size, sha256 = (entry.get(key) if isinstance(entry, dict) else None
                          for key in ("name", "bytes", "sha256"))
    if not isinstance(name, str) or not isinstance(sha256, str) or not is_whole(size):
        raise FormatError(f"{MANIFEST_NAME}: files: expected name, bytes and sha256, got {entry}")
    if not name or name[0] == "." or any(c in name for c in "/\\\0"):
        raise FormatError(f'{MANIFEST_NAME}: "{name}" is not the name of a file')
    return ManifestFile(name, size, sha256)


def _check_size(path: Path, file: ManifestFile) -> None:
    if not path.is_file():
        raise FormatError(f"{path}: missing, expected a file of {file.bytes} bytes")
    size = path.stat().st_size
    if size != file.bytes:
        raise FormatError(f"{path}: got {size} bytes, expected {file.bytes}")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of artifacts and their manifest, trusted in nothing until size, SHA-256 and form are right."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from tokenlink.files.json_file import read_json
from tokenlink.files.places import shipped
from tokenlink.files.settings import shortened
from tokenlink.files.writing import write_text

DEFAULT_DIR = shipped("artifacts")
FILES = ("weights.safetensors", "config.json", "metrics.json")
MAX_WEIGHTS_BYTES = 2**30
MAX_JSON_BYTES = 2**20
_SHA256 = re.compile("[0-9a-f]{64}")
_ADAPTIVE, _TOKCODE = "adaptive", "tokcode"  # what the names of those systems' artifacts begin with
MARKS = ("codes_sha256", "tokenizer_sha256", "vocabulary_sha256")


class ArtifactError(Exception):
    """Weights cannot be used; the message says which and what to do."""


class ArtifactMissingError(ArtifactError):
    """A file of the artifact, or its entry in the manifest, is not there."""


class ArtifactTruncatedError(ArtifactError):
    """A file is shorter than the manifest says."""


class ArtifactHashError(ArtifactError):
    """A file's SHA-256, or its size, differs from the manifest."""


class ArtifactContentError(ArtifactError):
    """The manifest, the description or the tensors do not fit the model."""


class VocabSizeError(ArtifactError):
    """The weights are for another codebook size."""


def _training_of(name):
    """The command that makes an artifact."""
    system, _, part = name.partition("_")
    return f"./twist train {({_ADAPTIVE: system, _TOKCODE: f'{system} {part}'}).get(system, name)}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as hexadecimal text."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def write_json(path: Path, content: dict) -> None:
    """Write JSON so that a reader sees either the old or the new file."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def read_manifest(root: Path = DEFAULT_DIR) -> dict:
    """The manifest: {artifact name: {file name: {"bytes": int, "sha256": str}}}; ArtifactError for any other form."""
    path = Path(root) / "manifest.json"
    manifest = _read(path, f"no manifest at {path}: fetch the artifacts or train them")
    for name, entry in manifest.items():
        if not isinstance(entry, dict):
            raise ArtifactContentError(f"{path}: {name[:80]} is {shortened(entry)}, expected a mapping of files")
        for file, known in entry.items():
            _check_entry(f"{path}: {name[:80]}/{file[:80]}", file, known)
    return manifest


def _check_entry(where, file, known):
    if not isinstance(known, dict) or set(known) != {"bytes", "sha256"}:
        raise ArtifactContentError(f"{where} is {shortened(known)}, expected bytes and sha256")
    size, digest, most = known["bytes"], known["sha256"], most_bytes(file)
    if type(size) is not int or not 0 <= size <= most:
        raise ArtifactContentError(f"{where}: bytes is {shortened(size)}, expected 0 to {most}")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise ArtifactContentError(f"{where}: sha256 is {shortened(digest)}, expected 64 hexadecimal digits")


def most_bytes(file: str) -> int:
    """Largest size of a file of this name."""
    return MAX_JSON_BYTES if file.endswith(".json") else MAX_WEIGHTS_BYTES


def verify(name: str, root: Path = DEFAULT_DIR) -> None:
    """Compare every file of an artifact with the manifest; raises an `ArtifactError` by name of the fault."""
    root = Path(root)
    manifest, entry = root / "manifest.json", read_manifest(root).get(name)
    if entry is None:
        raise ArtifactMissingError(f"{name} is not in {manifest}: train it with `{_training_of(name)}`")
    for file in FILES:
        if file not in entry:
            raise ArtifactMissingError(f"{name}/{file} is not in {manifest}: fetch both again, nothing vouches for it")
    for file, known in entry.items():
        if file not in FILES:
            raise ArtifactContentError(f"{manifest}: {name}/{file[:80]} is no file of an artifact")
        _verify_file(root / name / file, name, known)


def _verify_file(path, name, known):
    if not path.is_file():
        raise ArtifactMissingError(f"{path} is missing: fetch it again or run `{_training_of(name)}`")
    size = path.stat().st_size
    if size < known["bytes"]:
        raise ArtifactTruncatedError(f"{path} has {size} of {known['bytes']} bytes: fetch it again")
    if size > known["bytes"]:
        raise ArtifactHashError(f"{path} has {size} bytes, the manifest says {known['bytes']}: fetch it again")
    if sha256_of(path) != known["sha256"]:
        raise ArtifactHashError(f"{path} does not match the SHA-256 of the manifest: fetch it again")


def read_description(name: str, root: Path = DEFAULT_DIR) -> dict:
    """Configuration, training command and data origin of an artifact; ArtifactError where they cannot be read."""
    path = Path(root) / name / "config.json"
    content = _read(path, f"{path} is missing: fetch it again or run `{_training_of(name)}`")
    for mark in MARKS:
        value = content.get(mark)
        if value is not None and not (isinstance(value, str) and _SHA256.fullmatch(value)):
            raise ArtifactContentError(f"{path}: {mark} is {shortened(value)}, expected 64 hexadecimal digits")
    return content


def read_metrics(name: str, root: Path = DEFAULT_DIR) -> dict:
    """The metrics stored beside the weights; ArtifactError where they cannot be read."""
    path = Path(root) / name / "metrics.json"
    return _read(path, f"{path} is missing: fetch it again or run `{_training_of(name)}`")


def _read(path, missing):
    try:
        return read_json(path, MAX_JSON_BYTES)
    except FileNotFoundError:
        raise ArtifactMissingError(missing) from None
    except ValueError as error:
        raise ArtifactContentError(str(error)) from None

# SPDX-License-Identifier: GPL-3.0-or-later
"""Trained weights on disk: safetensors, a JSON description, and one manifest with sizes and SHA-256 of every file.

    artifacts/manifest.json
    artifacts/<name>/weights.safetensors
    artifacts/<name>/config.json           model configuration, training command, data origin
    artifacts/<name>/metrics.json          measured on held-out data; the expected values of later checks
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tokenlink.models.completion import Completion, CompletionConfig
from tokenlink.models.head import HeadConfig, TrafficHead
from tokenlink.models.tokenizer import Tokenizer, TokenizerConfig

DEFAULT_DIR = Path(__file__).resolve().parents[3] / "artifacts"
MODELS = {
    "tokenizer": (Tokenizer, TokenizerConfig),
    "completion": (Completion, CompletionConfig),
    "head": (TrafficHead, HeadConfig),
}
FILES = ("weights.safetensors", "config.json", "metrics.json")


class ArtifactError(Exception):
    """Weights cannot be used; the message says which and what to do."""


class ArtifactMissingError(ArtifactError):
    """A file of the artifact, or its entry in the manifest, is not there."""


class ArtifactTruncatedError(ArtifactError):
    """A file is shorter than the manifest says."""


class ArtifactHashError(ArtifactError):
    """A file's SHA-256 differs from the manifest."""


class ArtifactContentError(ArtifactError):
    """The description or the tensors do not fit the model."""


class VocabSizeError(ArtifactError):
    """The weights are for another codebook size."""


@dataclass(frozen=True)
class Check:
    """Result of checking one artifact: `message` is empty when `ok`."""

    name: str
    ok: bool
    message: str = ""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as hexadecimal text."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def codes_sha256(tokenizer: Tokenizer) -> str:
    """SHA-256 of all that decides which tokens a picture gets; another decoder leaves it as it is."""
    digest = hashlib.sha256()
    for key, value in sorted(tokenizer.state_dict().items()):
        if not key.startswith("decoder."):
            digest.update(key.encode())
            digest.update(value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def write_json(path: Path, content: dict) -> None:
    """Write JSON so that a reader sees either the old or the new file."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    os.replace(temporary, path)


def read_manifest(root: Path = DEFAULT_DIR) -> dict:
    """The manifest: {artifact name: {file name: {"bytes": int, "sha256": str}}}."""
    path = Path(root) / "manifest.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise ArtifactMissingError(f"no manifest at {path}: fetch the artifacts or train them") from None
    except ValueError as error:
        raise ArtifactContentError(f"{path} is not JSON: {error}") from None


def save_artifact(
    name: str, model: torch.nn.Module, description: dict, metrics: dict, root: Path = DEFAULT_DIR
) -> Path:
    """Write weights, description and metrics, and enter them in the manifest.

    Parameters
    ----------
    name : str
        "tokenizer", "completion" or "head".
    model : Module
        The model with a `config_dict()`.
    description : dict
        Training command, data origin and whatever else says where the weights come from.
    metrics : dict
        Measured values.
    root : Path
        Folder of the artifacts.

    Returns
    -------
    Path
        The artifact's folder.
    """
    root = Path(root)
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    description = description | _token_origin(name, model, root)
    temporary = folder / "weights.safetensors.part"
    save_file({key: value.contiguous().clone() for key, value in model.state_dict().items()}, temporary)
    os.replace(temporary, folder / "weights.safetensors")
    write_json(folder / "config.json", {"model": name, "config": model.config_dict(), **description})
    write_json(folder / "metrics.json", metrics)
    manifest = read_manifest(root) if (root / "manifest.json").exists() else {}
    manifest[name] = {
        file: {"bytes": (folder / file).stat().st_size, "sha256": sha256_of(folder / file)} for file in FILES
    }
    write_json(root / "manifest.json", manifest)
    return folder


def _token_origin(name, model, root):
    """What ties models to the tokens they were trained on: the tokenizer's own mark, or that of the one beside."""
    if name == "tokenizer":
        return {"codes_sha256": codes_sha256(model)}
    beside = Path(root) / "tokenizer" / "config.json"
    mark = json.loads(beside.read_text()).get("codes_sha256") if beside.is_file() else None
    return {"tokenizer_sha256": mark} if mark else {}


def verify(name: str, root: Path = DEFAULT_DIR) -> None:
    """Compare every file of an artifact with the manifest; raises an `ArtifactError` by name of the fault."""
    root = Path(root)
    entry = read_manifest(root).get(name)
    if entry is None:
        raise ArtifactMissingError(f"{name} is not in {root / 'manifest.json'}: train it with `./twist train {name}`")
    for file, expected in entry.items():
        path = root / name / file
        if not path.is_file():
            raise ArtifactMissingError(f"{path} is missing: fetch it again or run `./twist train {name}`")
        size = path.stat().st_size
        if size < expected["bytes"]:
            raise ArtifactTruncatedError(f"{path} has {size} of {expected['bytes']} bytes: fetch it again")
        if sha256_of(path) != expected["sha256"]:
            raise ArtifactHashError(f"{path} does not match the SHA-256 of the manifest: fetch it again")


def load(name: str, root: Path = DEFAULT_DIR, vocab_size: int | None = None) -> torch.nn.Module:
    """Verify an artifact and build its model, in evaluation mode.

    Parameters
    ----------
    name : str
        "tokenizer", "completion" or "head".
    root : Path
        Folder of the artifacts.
    vocab_size : int, optional
        Codebook size the caller works with; another one is refused.

    Returns
    -------
    Module
        The model with its weights.
    """
    verify(name, root)
    folder = Path(root) / name
    model_class, config_class = MODELS[name]
    try:
        config = config_class(**json.loads((folder / "config.json").read_text())["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactContentError(f"{folder / 'config.json'} does not describe a {name}: {error}") from None
    if vocab_size is not None and config.vocab_size != vocab_size:
        raise VocabSizeError(f"{name} has {config.vocab_size} codes, {vocab_size} are expected")
    model = model_class(config)
    try:
        model.load_state_dict(load_file(folder / "weights.safetensors"))
    except (RuntimeError, SafetensorError) as error:
        raise ArtifactContentError(f"weights of {name} do not fit its configuration: {error}") from None
    return model.eval()


def read_description(name: str, root: Path = DEFAULT_DIR) -> dict:
    """Configuration, training command and data origin of an artifact."""
    return json.loads((Path(root) / name / "config.json").read_text())


def read_metrics(name: str, root: Path = DEFAULT_DIR) -> dict:
    """The metrics stored beside the weights."""
    return json.loads((Path(root) / name / "metrics.json").read_text())


def check_all(root: Path = DEFAULT_DIR) -> list[Check]:
    """Check every model's artifact without building it; never raises for a bad artifact."""
    checks = []
    for name in MODELS:
        try:
            verify(name, root)
            checks.append(Check(name, True))
        except ArtifactError as error:
            checks.append(Check(name, False, str(error)))
    return checks

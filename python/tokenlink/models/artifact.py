# SPDX-License-Identifier: GPL-3.0-or-later
"""Trained weights on disk: safetensors, a JSON description, and one manifest with sizes and SHA-256 of every file.

    artifacts/manifest.json
    artifacts/<name>/weights.safetensors
    artifacts/<name>/config.json           model configuration, training command, data origin
    artifacts/<name>/metrics.json          measured on held-out data; the expected values of later checks
"""

import hashlib
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

from tokenlink.files.settings import shortened
from tokenlink.files.writing import write_bytes
from tokenlink.models.artifact_files import (
    DEFAULT_DIR,
    FILES,
    ArtifactContentError,
    ArtifactError,
    ArtifactHashError,
    ArtifactMissingError,
    ArtifactTruncatedError,
    VocabSizeError,
    read_description,
    read_manifest,
    read_metrics,
    sha256_of,
    verify,
    write_json,
)
from tokenlink.models.twist.tokenizer import Tokenizer

__all__ = [
    "DEFAULT_DIR", "FILES", "MODELS", "OPTIONAL", "ArtifactContentError", "ArtifactError", "ArtifactHashError",
    "ArtifactMissingError", "ArtifactTruncatedError", "Check", "VocabSizeError", "check_all", "codes_sha256", "load",
    "present", "read_description", "read_manifest", "read_metrics", "save_artifact", "sha256_of", "verify",
    "write_json",
]  # fmt: skip
#: class of the model and of its configuration, by their places below this folder; imported when asked for
MODELS = {
    "tokenizer": ("twist.tokenizer.Tokenizer", "twist.tokenizer.TokenizerConfig"),
    "completion": ("twist.completion.Completion", "twist.completion.CompletionConfig"),
    "head": ("twist.head.TrafficHead", "twist.head.HeadConfig"),
    "predictor": ("twist.predictor.Predictor", "twist.predictor.PredictorConfig"),
    "adaptive": ("adaptive.djscc.AdaptiveDJSCC", "adaptive.adaptive_vit.AdaptiveConfig"),
    "adaptive_noiseless": ("adaptive.djscc.AdaptiveDJSCC", "adaptive.adaptive_vit.AdaptiveConfig"),
    "adaptive_scenes": ("adaptive.djscc.AdaptiveDJSCC", "adaptive.adaptive_vit.AdaptiveConfig"),
    "adaptive_vit_ae": ("adaptive.baselines.ViTAutoencoder", "adaptive.adaptive_vit.AdaptiveConfig"),
    "adaptive_vit_ae_noiseless": ("adaptive.baselines.ViTAutoencoder", "adaptive.adaptive_vit.AdaptiveConfig"),
    "adaptive_mnv3": ("adaptive.baselines.MobileDJSCC", "adaptive.baselines.MobileConfig"),
    "adaptive_mnv3_noiseless": ("adaptive.baselines.MobileDJSCC", "adaptive.baselines.MobileConfig"),
    "adaptive_mnv3_cnn": ("adaptive.baselines.MobileDJSCC", "adaptive.baselines.MobileConfig"),
    "adaptive_mnv3_cnn_noiseless": ("adaptive.baselines.MobileDJSCC", "adaptive.baselines.MobileConfig"),
    "tokcode_vocabulary": ("tokcode.vocabulary.Vocabulary", "tokcode.vocabulary.VocabularyConfig"),
    "tokcode_foundation": ("tokcode.t5.TextT5", "tokcode.t5.TextT5Config"),
    "tokcode_sentences": ("tokcode.sentence_encoder.SentenceEncoder", "tokcode.sentence_encoder.SentenceConfig"),
    "tokcode_encoder": ("tokcode.t5.TokenEncoder", "tokcode.t5.TextT5Config"),
}
#: of a twin of road scenes
OF_TWIST = ("tokenizer", "completion", "head", "predictor")
#: models that need not be there: what a twin can do without, and other systems
OPTIONAL = ("predictor", *(name for name in MODELS if name not in OF_TWIST))
_KINDS = {torch.float32: "F32", torch.int64: "I64", torch.bool: "BOOL", torch.uint8: "U8"}
_WIDENED = {"F16": "F32"}  # kinds in files that become others when they are loaded
#: largest values in a configuration: of what is built one after the other, of every other whole number, of letters, of
#: a file that is kept as a tensor
MAX_BLOCKS, MAX_SIZE, MAX_TEXT, MAX_BYTES = 64, 2**15, 40, 2**23


@dataclass(frozen=True)
class Check:
    """Result of checking one artifact: `message` is empty when `ok`."""

    name: str
    ok: bool
    message: str = ""


def codes_sha256(tokenizer: Tokenizer) -> str:
    """SHA-256 of all that decides which tokens a picture gets; another decoder leaves it as it is."""
    digest = hashlib.sha256()
    for key, value in sorted(tokenizer.state_dict().items()):
        if not key.startswith("decoder."):
            digest.update(key.encode())
            digest.update(value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def save_artifact(
    name: str, model: torch.nn.Module, description: dict, metrics: dict, root: Path = DEFAULT_DIR, half: bool = False
) -> Path:
    """Write weights, description and metrics, and enter them in the manifest.

    Parameters
    ----------
    name : str
        one of MODELS
    model : Module
        The model with a `config_dict()`.
    description : dict
        Training command, data origin and whatever else says where the weights come from.
    metrics : dict
        Measured values.
    root : Path
        Folder of the artifacts.
    half : bool
        Weights as float16, where metrics have shown that nothing is lost by it.

    Returns
    -------
    Path
        The artifact's folder.

    Raises
    ------
    ArtifactContentError
        A weight is not finite; nothing is written.
    """
    root = Path(root)
    folder = root / name
    tensors = {key: value.contiguous().clone() for key, value in model.state_dict().items()}
    if half:
        tensors = {key: value.half() if value.is_floating_point() else value for key, value in tensors.items()}
    _check_finite(name, tensors)
    folder.mkdir(parents=True, exist_ok=True)
    description = description | _token_origin(name, model, root)
    write_bytes(folder / "weights.safetensors", save(tensors))
    write_json(folder / "config.json", {"model": name, "config": model.config_dict(), **description})
    write_json(folder / "metrics.json", metrics)
    manifest = read_manifest(root) if (root / "manifest.json").exists() else {}
    manifest[name] = {
        file: {"bytes": (folder / file).stat().st_size, "sha256": sha256_of(folder / file)} for file in FILES
    }
    write_json(root / "manifest.json", manifest)
    return folder


def present(root: Path = DEFAULT_DIR) -> tuple[str, ...]:
    """Names of the models a twin needs, the tokenizer first, and of its optional ones that the manifest names."""
    manifest = read_manifest(root)
    return tuple(name for name in OF_TWIST if name in manifest or name not in OPTIONAL)


def _token_origin(name, model, root):
    """What ties models to the tokens they were trained on: the tokenizer's own mark, or that of the one beside."""
    if name not in OF_TWIST:
        return {}
    if name == "tokenizer":
        return {"codes_sha256": codes_sha256(model)}
    there = (Path(root) / "tokenizer" / "config.json").is_file()
    mark = read_description("tokenizer", root).get("codes_sha256") if there else None
    return {"tokenizer_sha256": mark} if mark else {}


def load(name: str, root: Path = DEFAULT_DIR, vocab_size: int | None = None) -> torch.nn.Module:
    """Verify an artifact and build its model, in evaluation mode.

    Parameters
    ----------
    name : str
        one of MODELS
    root : Path
        Folder of the artifacts.
    vocab_size : int, optional
        Codebook size the caller works with; another one is refused.

    Returns
    -------
    Module
        The model with its weights.

    Raises
    ------
    ArtifactError
        By name of the fault: a file or its entry in the manifest is missing or wrong, a size is out of bounds, the
        configuration does not fit the weights, or a weight is not finite.
    """
    verify(name, root)
    model_class, _ = classes_of(name)
    config, weights = read_config(name, root), Path(root) / name / "weights.safetensors"
    if vocab_size is not None and config.vocab_size != vocab_size:
        raise VocabSizeError(f"{name} has {config.vocab_size} codes, {vocab_size} are expected")
    try:
        with torch.device("meta"):  # shapes without memory: nothing is built that the file does not hold
            _check_shapes(model_class(config), weights)
        tensors = load_file(weights)
        _check_finite(name, tensors)
        model = model_class(config)
        model.load_state_dict(tensors)
    except ArtifactError:
        raise
    except Exception as error:  # whatever a library makes of sizes that do not go together
        raise ArtifactContentError(f"weights of {name} do not fit its configuration: {shortened(error)}") from None
    return model.eval()


def classes_of(name: str) -> tuple[type, type]:
    """Class of a model, and of its configuration."""
    parts = [place.rpartition(".") for place in MODELS[name]]
    return tuple(getattr(import_module(f"tokenlink.models.{home}"), each) for home, _, each in parts)


def read_config(name: str, root: Path = DEFAULT_DIR):
    """Configuration of a model, every value of its type and within bounds; ArtifactError names one that is not."""
    path, config_class = Path(root) / name / "config.json", classes_of(name)[1]
    raw = read_description(name, root).get("config")
    if not isinstance(raw, dict):
        raise ArtifactContentError(f"{path} does not describe a {name}: config is {shortened(raw)}")
    known = {entry.name: entry.type for entry in fields(config_class)}
    for field, value in raw.items():
        if field not in known:
            raise ArtifactContentError(f"{path} does not describe a {name}: {field[:80]} is unknown")
        fits, legal = _fits(field, known[field], value)
        if not fits:
            raise ArtifactContentError(f"{path}: {field} is {shortened(value)}, expected {legal}")
    try:
        return config_class(**raw)
    except ValueError as error:
        raise ArtifactContentError(f"{path}: {error}") from None


def _fits(field, kind, value):
    """Whether a value of a configuration is of its type and within bounds, and what would be."""
    if kind is str:
        return isinstance(value, str) and len(value) <= MAX_TEXT, f"a text of up to {MAX_TEXT} letters"
    if kind is int:
        low, high = (0, MAX_BLOCKS) if "blocks" in field or "layers" in field else (1, MAX_SIZE)
        high = MAX_BYTES if field == "n_bytes" else high
        return type(value) is int and low <= value <= high, f"a whole number in {low}..{high}"
    return type(value) in (int, float) and abs(value) <= MAX_SIZE, f"a number within {MAX_SIZE}"


def _check_shapes(model, path):
    """Compare types and sizes of a model without memory with the header of its weights."""
    expected = {key: [_KINDS[value.dtype], *value.shape] for key, value in model.state_dict().items()}
    with safe_open(path, "pt") as file:
        there = {key: file.get_slice(key) for key in file.keys()}
        kinds = {key: part.get_dtype() for key, part in there.items()}
        found = {key: [_WIDENED.get(kinds[key], kinds[key]), *part.get_shape()] for key, part in there.items()}
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    if wrong:
        key = wrong[0]
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        reason = f"{key[:80]} is {shortened(found.get(key))} there, {shortened(expected.get(key))} by the configuration"
        raise ArtifactContentError(f"{path} and its configuration do not fit: {reason}{more}")


def _check_finite(name, tensors):
    wrong = {key: int((~torch.isfinite(value)).sum()) for key, value in tensors.items()}
    wrong = {key: count for key, count in wrong.items() if count}
    if wrong:
        key = min(wrong)
        raise ArtifactContentError(
            f"weights of {name} are not finite: {wrong[key]} of {tensors[key].numel()} numbers of {key}, in "
            f"{len(wrong)} of {len(tensors)} tensors; fetch them again or train them"
        )


def check_all(root: Path = DEFAULT_DIR) -> list[Check]:
    """Check every model's artifact without building it; never raises for a bad artifact.

    An optional model that is neither in the folder nor in the manifest is left out.
    """
    checks = []
    try:
        wanted = {*present(root), *read_manifest(root)}
    except ArtifactError:  # every check says what is wrong with the manifest
        wanted = {*MODELS} - {*OPTIONAL}
    for name in (name for name in MODELS if name in wanted or (Path(root) / name).exists()):
        try:
            verify(name, root)
            checks.append(Check(name, True))
        except ArtifactError as error:
            checks.append(Check(name, False, str(error)))
    return checks

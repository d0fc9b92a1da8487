# SPDX-License-Identifier: GPL-3.0-or-later
"""Artifacts: round trip, and every way in which they can be bad."""

import json

import pytest

torch = pytest.importorskip("torch")

from tokenlink.models import artifact  # noqa: E402
from tokenlink.models.twist.head import HeadConfig, TrafficHead  # noqa: E402
from tokenlink.models.twist.tokenizer import Tokenizer, TokenizerConfig  # noqa: E402


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = TrafficHead(HeadConfig(dim_embedding=16, dim=8, blocks=1))
    artifact.save_artifact("head", model, {"command": "test"}, {"f1_avg": 0.5}, tmp_path)
    return tmp_path, model.eval()


def test_round_trip(saved):
    root, model = saved
    loaded = artifact.load("head", root, vocab_size=1024)
    embeddings = torch.randn(1, 256, 16)
    assert torch.equal(loaded(embeddings).density, model(embeddings).density)
    assert artifact.read_metrics("head", root) == {"f1_avg": 0.5}


@pytest.mark.parametrize("file", artifact.FILES)
def test_missing_file(saved, file):
    (saved[0] / "head" / file).unlink()
    with pytest.raises(artifact.ArtifactMissingError, match="missing"):
        artifact.load("head", saved[0])


def test_missing_manifest_and_entry(saved, tmp_path_factory):
    with pytest.raises(artifact.ArtifactMissingError, match="manifest"):
        artifact.load("head", tmp_path_factory.mktemp("empty"))
    with pytest.raises(artifact.ArtifactMissingError, match="train"):
        artifact.load("tokenizer", saved[0])


def test_truncated_weights(saved):
    path = saved[0] / "head" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(artifact.ArtifactTruncatedError, match="bytes"):
        artifact.load("head", saved[0])


def test_wrong_hash(saved):
    path = saved[0] / "head" / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(artifact.ArtifactHashError, match="SHA-256"):
        artifact.load("head", saved[0])


def test_wrong_vocab_size(saved):
    with pytest.raises(artifact.VocabSizeError, match="1024 codes, 512"):
        artifact.load("head", saved[0], vocab_size=512)


def test_config_of_another_model(saved):
    folder = saved[0] / "head"
    content = json.loads((folder / "config.json").read_text())
    content["config"]["dim"] = 12
    artifact.write_json(folder / "config.json", content)
    manifest = artifact.read_manifest(saved[0])
    manifest["head"]["config.json"] = {
        "bytes": (folder / "config.json").stat().st_size,
        "sha256": artifact.sha256_of(folder / "config.json"),
    }
    artifact.write_json(saved[0] / "manifest.json", manifest)
    with pytest.raises(artifact.ArtifactContentError, match="do not fit"):
        artifact.load("head", saved[0])


def test_check_all_names_the_fault(saved):
    checks = {check.name: check for check in artifact.check_all(saved[0])}
    assert checks["head"].ok and not checks["tokenizer"].ok and "train" in checks["tokenizer"].message


def test_models_carry_the_mark_of_their_tokenizer(tmp_path):
    torch.manual_seed(0)
    tokenizer = Tokenizer(TokenizerConfig(vocab_size=16, height=32, width=32))
    artifact.save_artifact("tokenizer", tokenizer, {}, {}, tmp_path)
    artifact.save_artifact("head", TrafficHead(HeadConfig(dim_embedding=16, dim=8, blocks=1)), {}, {}, tmp_path)
    mark = artifact.read_description("tokenizer", tmp_path)["codes_sha256"]
    assert artifact.read_description("head", tmp_path)["tokenizer_sha256"] == mark
    assert artifact.codes_sha256(artifact.load("tokenizer", tmp_path)) == mark
    with torch.no_grad():
        next(tokenizer.decoder.parameters()).add_(1)
        assert artifact.codes_sha256(tokenizer) == mark
        next(tokenizer.encoder.parameters()).add_(1)
        assert artifact.codes_sha256(tokenizer) != mark

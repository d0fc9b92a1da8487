# SPDX-License-Identifier: GPL-3.0-or-later
"""Artifacts somebody spoiled, with a manifest that vouches for them: every one is refused as an ArtifactError."""

import json
import resource

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from tokenlink.models import artifact  # noqa: E402
from tokenlink.models.twist.head import HeadConfig, TrafficHead  # noqa: E402
from tokenlink.models.twist.tokenizer import Tokenizer, TokenizerConfig  # noqa: E402

CONFIG = HeadConfig(dim_embedding=16, dim=8, blocks=1)


@pytest.fixture
def root(tmp_path):
    torch.manual_seed(0)
    artifact.save_artifact("head", TrafficHead(CONFIG), {"command": "test"}, {"f1_avg": 0.5}, tmp_path)
    return tmp_path


def vouch(root, name="head"):
    """Enter the files as they are now in the manifest."""
    folder = root / name
    entry = {
        file: {"bytes": (folder / file).stat().st_size, "sha256": artifact.sha256_of(folder / file)}
        for file in artifact.FILES
    }
    (root / "manifest.json").write_text(json.dumps({name: entry}))


def refused(root):
    """What is said of a bad artifact; any other exception than ArtifactError fails the test."""
    with pytest.raises(artifact.ArtifactError) as caught:
        artifact.load("head", root)
    assert len(str(caught.value)) < 700 and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("file", artifact.FILES)
def test_a_file_that_the_manifest_leaves_out_is_not_used(root, file):
    manifest = json.loads((root / "manifest.json").read_text())
    del manifest["head"][file]
    (root / "manifest.json").write_text(json.dumps(manifest))
    assert f"head/{file} is not in {root / 'manifest.json'}" in refused(root)
    assert file in {each.name: each for each in artifact.check_all(root)}["head"].message


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_neither_used_nor_written(root, number):
    path = root / "head" / "weights.safetensors"
    tensors = load_file(path)
    key = sorted(tensors)[0]
    tensors[key].view(-1)[-1] = number
    save_file(tensors, path)
    vouch(root)
    size = tensors[key].numel()
    assert f"not finite: 1 of {size} numbers of {key}, in 1 of {len(tensors)} tensors" in refused(root)
    model = TrafficHead(CONFIG)
    model.load_state_dict(tensors)
    with pytest.raises(artifact.ArtifactContentError, match="not finite"):
        artifact.save_artifact("head", model, {}, {}, root / "other")
    assert not (root / "other").exists()


@pytest.mark.parametrize("text, said", [
    ("[]", "it holds a list, expected a mapping"),
    ("{", "manifest.json is not usable JSON"),
    ("\udce9", "manifest.json is not usable JSON"),
    ("[" * 100_000, "manifest.json is not usable JSON: it is too deep"),
    ('{"head": ' + "9" * 5000 + "}", "manifest.json"),
    ('{"head": NaN}', "NaN is no number"),
    (" " * (2**20 + 1), "it has more than 1048576 bytes"),
    ('{"head": 3}', "head is 3, expected a mapping of files"),
    ('{"head": {"config.json": 3}}', "head/config.json is 3, expected bytes and sha256"),
    ('{"head": {"config.json": {"bytes": "1", "sha256": "x"}}}', "bytes is '1', expected 0 to 1048576"),
    ('{"head": {"config.json": {"bytes": -1, "sha256": "x"}}}', "bytes is -1, expected 0 to 1048576"),
    ('{"head": {"weights.safetensors": {"bytes": 1099511627776, "sha256": "x"}}}', "expected 0 to 1073741824"),
    ('{"head": {"config.json": {"bytes": 1, "sha256": "x"}}}', "sha256 is 'x', expected 64 hexadecimal digits"),
], ids=lambda text: text[:12])  # fmt: skip
def test_malformed_manifests(root, text, said):
    (root / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert said in refused(root)


def test_a_manifest_names_no_files_elsewhere(root):
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["head"]["../../secret"] = manifest["head"]["config.json"]
    (root / "manifest.json").write_text(json.dumps(manifest))
    assert "head/../../secret is no file of an artifact" in refused(root)


@pytest.mark.parametrize("change, said", [
    ({"config": None}, "config is None"),
    ({"config": [1]}, "config is [1]"),
    ({"config": {"dim": "8"}}, "dim is '8', expected a whole number in 1..32768"),
    ({"config": {"dim": True}}, "dim is True"),
    ({"config": {"dim": 2**40}}, "dim is 1099511627776, expected a whole number in 1..32768"),
    ({"config": {"blocks": 10**9}}, "blocks is 1000000000, expected a whole number in 0..64"),
    ({"config": {"surprise": 1}}, "surprise is unknown"),
    ({"config": {"dim": 0}}, "dim is 0, expected a whole number in 1..32768"),
    ({"tokenizer_sha256": 3}, "tokenizer_sha256 is 3, expected 64 hexadecimal digits"),
])  # fmt: skip
def test_malformed_descriptions(root, change, said):
    path = root / "head" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    vouch(root)
    assert said in refused(root)


@pytest.mark.parametrize("design", ["bottleneck", "none", 3, "x" * 1000])
def test_words_of_a_configuration_are_read_and_checked(tmp_path, design):
    config = TokenizerConfig(vocab_size=16, height=32, width=32, design="bottleneck", blocks_stem=1)
    artifact.save_artifact("tokenizer", Tokenizer(config), {}, {}, tmp_path)
    path = tmp_path / "tokenizer" / "config.json"
    content = json.loads(path.read_text())
    content["config"]["design"] = design
    path.write_text(json.dumps(content))
    vouch(tmp_path, "tokenizer")
    if design == "bottleneck":
        assert artifact.load("tokenizer", tmp_path).config == config
    else:
        with pytest.raises(artifact.ArtifactContentError, match="config.json: design is .*, expected"):
            artifact.load("tokenizer", tmp_path)


def test_sizes_are_compared_before_memory_is_taken(root):
    """32,768 squared numbers of a matrix would be 4 GiB, and there is one in each of 64 blocks."""
    path = root / "head" / "config.json"
    content = json.loads(path.read_text())
    content["config"] |= {"dim": 2**15, "dim_embedding": 2**15, "blocks": 64}
    path.write_text(json.dumps(content))
    vouch(root)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "weights.safetensors and its configuration do not fit" in refused(root)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_weights_of_another_type_are_refused(root):
    path = root / "head" / "weights.safetensors"
    save_file({key: value.double() for key, value in load_file(path).items()}, path)
    vouch(root)
    assert "there, ['F32', 8] by the configuration" in refused(root)


@pytest.mark.parametrize("file", ["config.json", "metrics.json"])
def test_descriptions_read_alone_are_checked_too(root, file):
    read = {"config.json": artifact.read_description, "metrics.json": artifact.read_metrics}[file]
    (root / "head" / file).write_text("[1]")
    with pytest.raises(artifact.ArtifactContentError, match=f"{file} is not usable JSON: it holds a list"):
        read("head", root)
    (root / "head" / file).unlink()
    with pytest.raises(artifact.ArtifactMissingError, match=f"{file} is missing"):
        read("head", root)


def test_fuzzed_files_are_loaded_or_refused(root):
    """300 artifacts with up to 3 wrong bytes in one file, half of them vouched for by the manifest, seed 4."""
    rng, outcomes = np.random.default_rng(4), {"loaded": 0, "refused": 0}
    files = ["head/config.json", "head/weights.safetensors", "manifest.json"]
    whole = {file: (root / file).read_bytes() for file in files}
    for number in range(300):
        file = files[number % 3]
        raw = bytearray(whole[file])
        for _ in range(rng.integers(1, 4)):
            at = rng.integers(min(len(raw), 700))  # of the weights the header, where their form is
            if rng.random() < 0.3:
                raw[at : at + rng.integers(1, 9)] = b""
            else:
                raw[at] = rng.choice([rng.integers(256), *b'{}[]:,"0123456789-.eE'])
        (root / file).write_bytes(raw)
        if number % 2 and file != "manifest.json":
            vouch(root)
        try:
            assert not artifact.load("head", root).training
            outcomes["loaded"] += 1
        except artifact.ArtifactError as error:
            assert len(str(error)) < 700
            outcomes["refused"] += 1
        for each, content in whole.items():
            (root / each).write_bytes(content)
    assert outcomes["refused"] > 200, outcomes

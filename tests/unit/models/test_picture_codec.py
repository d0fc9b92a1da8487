# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of the adaptive system: the batch path of training against them, weights on disk, and bad input."""

import json
import warnings

import numpy as np
import pytest
import torch

from tokenlink.link.token_ratios import RATIOS, n_sent, symbols_per_token
from tokenlink.models import artifact
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig, as_input
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC, Air
from tokenlink.models.adaptive.picture_codec import AdaptiveCodec, load_codec


@pytest.fixture(scope="module")
def codec():
    """Untrained, but with a threshold that rises where the budget falls, so that it drops tokens."""
    made = AdaptiveCodec.untrained(seed=4)
    with torch.no_grad():
        for gate in made.model.vit.gates:
            gate.weight.normal_(std=3.0, generator=torch.Generator().manual_seed(1))
            gate.bias.fill_(0.5)
        for threshold in made.model.vit.thresholds:
            threshold.bias.fill_(0.0)
    return made


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)


@pytest.mark.parametrize("ratio", RATIOS)
def test_both_ends_are_what_training_sees(codec, picture, ratio):
    """Without noise, with a gain: logits of the two ends equal those of the model's masked pass over a batch."""
    sent = codec.encode(picture, 0.5, ratio)
    assert sent.symbols.shape == (n_sent(sent.kept), symbols_per_token(ratio)) and sent.symbols.dtype == np.complex64
    assert np.mean(np.abs(sent.symbols) ** 2) == pytest.approx(1, rel=1e-5)
    assert sent.kept_by_block[0].all() and np.array_equal(sent.kept_by_block[-1], sent.kept)
    gain = np.complex64(0.3 - 0.8j)
    logits = codec.decode(gain * sent.symbols.ravel(), gain, 0.0, sent.kept, ratio)
    batch = as_input(torch.from_numpy(picture.transpose(2, 0, 1)[None].copy()))
    with torch.no_grad():
        expected, _ = codec.model(batch, torch.tensor([0.5]), [ratio], Air(torch.tensor([gain]), torch.zeros(1)))
    np.testing.assert_allclose(logits, expected[0], rtol=1e-3, atol=1e-4)


def test_lost_symbols_count_as_nothing(codec, picture):
    """What arrives in a symbol without gain changes no logit."""
    sent = codec.encode(picture, 0.5, 0.1)
    gain = np.ones(sent.symbols.shape, np.complex64)
    gain[1] = 0
    altered = np.where(gain == 0, 7.0, sent.symbols).astype(np.complex64)
    found = [codec.decode(each, gain, 0.1, sent.kept, 0.1) for each in (sent.symbols, altered)]
    assert np.array_equal(*found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"picture": np.zeros((96, 128, 3), np.uint8)}, r"picture is uint8 of shape \(96, 128, 3\), expected uint8 of"),
        ({"picture": np.zeros((128, 128, 3), np.float32)}, "picture is float32 of shape"),
        ({"picture": np.zeros((128, 128), np.uint8)}, "picture is uint8 of shape"),
        ({"picture": None}, "picture is NoneType of shape"),
        ({"alpha": 0.0}, "alpha is 0.0, expected a number above 0 and at most 1"),
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"alpha": float("nan")}, "alpha is nan"),
        ({"ratio": 0.3}, "ratio r is 0.3, expected one of 0.005, 0.1, 0.15, 0.25, 0.5"),
    ],
)
def test_what_cannot_be_encoded_is_named(codec, picture, change, message):
    with pytest.raises(ValueError, match=message):
        codec.encode(**{"picture": picture, "alpha": 0.5, "ratio": 0.1} | change)


def received(n=3, ratio=0.1):
    kept = np.zeros(64, bool)
    kept[:n] = True
    symbols = np.ones((n + 1, symbols_per_token(ratio)), np.complex64)
    return {"symbols": symbols, "channel_gain": 1.0, "n0": 0.1, "kept": kept, "ratio": ratio}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratio": 0.25}, r"symbols have shape \(4, 19\), the header says 4 tokens of 48, 192 in all"),
        ({"kept": np.ones(64, bool)}, "the header says 65 tokens of 19, 1235 in all"),
        ({"kept": np.zeros(64, bool)}, "kept has no token left, expected 1 to 64 of 64"),
        ({"kept": np.ones(64, np.uint8)}, "kept is uint8 of shape"),
        ({"ratio": 0.2}, "ratio r is 0.2, expected one of"),
        ({"symbols": np.full((4, 19), np.nan, np.complex64)}, "symbols: 76 of 76 values are not finite"),
        ({"symbols": np.ones((19, 4), np.complex64)}, r"symbols have shape \(19, 4\)"),
        ({"channel_gain": np.inf}, "channel_gain: 1 of 1 values are not finite"),
        ({"channel_gain": np.ones(5)}, r"channel_gain has shape \(5,\), expected one value, or \(4, 19\)"),
        ({"n0": -0.1}, "n0 is -0.1.*, expected a variance >= 0"),
        ({"n0": np.nan}, "n0: 1 of 1 values are not finite"),
    ],
)
def test_what_cannot_be_decoded_is_named(codec, change, message):
    assert codec.decode(**received()).shape == (10,)
    with pytest.raises(ValueError, match=message):
        codec.decode(**received() | change)


def test_messages_of_the_wire_which_cannot_be_written_to_are_read_without_a_warning(codec, picture):
    sent = codec.encode(picture, 0.5, 0.1)
    for array in (sent.kept, sent.symbols):
        array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codec.decode(sent.symbols, 1.0, 0.1, sent.kept, 0.1)


def test_weights_on_disk_as_float16_give_the_same_classes(codec, picture, tmp_path):
    artifact.save_artifact("adaptive", codec.model, {"training_command": "none"}, {}, tmp_path, half=True)
    loaded, sent = load_codec(tmp_path), codec.encode(picture, 0.5, 0.25)
    for key, value in codec.model.state_dict().items():
        torch.testing.assert_close(loaded.model.state_dict()[key], value, rtol=1e-3, atol=1e-4)
    found = [each.decode(sent.symbols, 1.0, 0.1, sent.kept, 0.25) for each in (codec, loaded)]
    np.testing.assert_allclose(found[0], found[1], atol=0.02)
    assert artifact.check_all(tmp_path)[-1] == artifact.Check("adaptive", True)
    description = json.loads((tmp_path / "adaptive" / "config.json").read_text())
    assert description["config"]["split"] == 3 and "tokenizer_sha256" not in description


def test_weights_of_other_sizes_are_refused(tmp_path):
    """Of another picture side and so another grid, and a description that does not fit the weights."""
    other = AdaptiveDJSCC(AdaptiveConfig(side=64))
    artifact.save_artifact("adaptive", other, {}, {}, tmp_path)
    with pytest.raises(artifact.ArtifactContentError, match=r"adaptive: weights are for a grid of \(4, 4\), 192 feat"):
        load_codec(tmp_path)
    config = tmp_path / "adaptive" / "config.json"
    config.write_text(config.read_text().replace('"side": 64', '"side": 128'))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["adaptive"]["config.json"] = {"bytes": config.stat().st_size, "sha256": artifact.sha256_of(config)}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(artifact.ArtifactContentError, match="and its configuration do not fit: position is"):
        load_codec(tmp_path)


def test_weights_that_are_not_there_say_how_to_make_them(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(artifact.ArtifactMissingError, match=r"is not in .*: train it with `\./twist train adaptive`"):
        load_codec(tmp_path)
    with pytest.raises(ValueError, match="training is 'noisy', expected one of robust, noiseless"):
        load_codec(tmp_path, "noisy")

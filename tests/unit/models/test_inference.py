# SPDX-License-Identifier: GPL-3.0-or-later
"""Many frames at once give what one frame at a time gives, and models that do not fit are refused."""

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenlink.link.modes import load_mode_table  # noqa: E402
from tokenlink.models import compiled, inference  # noqa: E402
from tokenlink.models.inference import (  # noqa: E402
    BatchModels,
    ModelMismatchError,
    check_models,
    make_networks,
    one_frame,
)
from tokenlink.models.twist.completion import Completion, CompletionConfig  # noqa: E402
from tokenlink.models.twist.head import HeadConfig, TrafficHead  # noqa: E402
from tokenlink.models.twist.tokenizer import Tokenizer, TokenizerConfig  # noqa: E402

TABLE = load_mode_table()
N_FRAMES = 37


@pytest.fixture(scope="module", params=[compiled.ONNX_RUNTIME, compiled.TORCH])
def networks(request):
    if request.param == compiled.ONNX_RUNTIME and compiled.best_engine() != request.param:
        pytest.skip("onnx and onnxruntime are not installed")
    torch.manual_seed(2)
    torch.set_num_threads(1)
    tokenizer = Tokenizer(TokenizerConfig(dim_fine=8, dim_coarse=16, blocks_fine=0, blocks_coarse=0, codebook_dim=8))
    torch.nn.init.normal_(tokenizer.quantizer._codebook.embed)
    completion = Completion(CompletionConfig(dim=32, layers=1, heads=2))
    torch.nn.init.normal_(completion.copy_gain.weight, std=0.3)
    head = TrafficHead(HeadConfig(dim_embedding=16, dim=8)).eval()
    return make_networks(tokenizer.eval(), completion.eval(), head, request.param)


def frames(seed=0):
    rng = np.random.default_rng(seed)
    tokens, previous = rng.integers(0, TABLE.vocab_size, (2, N_FRAMES, TABLE.n_tokens)).astype(np.int32)
    previous[::5] = -1
    erased = rng.random(tokens.shape) < rng.random((N_FRAMES, 1))
    return tokens, erased, rng.random(tokens.shape, np.float32), previous


def alone(networks, tokens, erased, confidence, previous):
    one = one_frame(networks)
    before = [None if (row < 0).all() else row for row in previous]
    return np.stack([one.complete(*each) for each in zip(tokens, erased, confidence, before, strict=True)])


@pytest.mark.parametrize("batch", [1, 5, 16])
def test_completion_in_batches_is_that_of_each_frame(networks, batch):
    models, inputs = BatchModels(networks, batch), frames()
    states = models.complete(*inputs)
    assert np.array_equal(states, alone(networks, *inputs))
    assert np.array_equal(states[~inputs[1]], inputs[0][~inputs[1]])
    assert models.n_completed == N_FRAMES and models.n_repeated < N_FRAMES


def test_near_ties_are_decided_as_for_one_frame(networks, monkeypatch):
    """With a batch that comes out differently wherever the margin allows, the results stay those of single frames."""
    inputs, expected = frames(1), alone(networks, *frames(1))
    erased_logits = networks.completion.erased_logits

    def disturbed(token_ids, *others):
        logits = erased_logits(token_ids, *others)
        noise = inference.TIE_MARGIN / 10 if len(token_ids) > 1 else 0.0
        return logits + noise * torch.randn_like(logits)

    monkeypatch.setattr(networks.completion, "erased_logits", disturbed)
    models = BatchModels(networks)
    assert np.array_equal(models.complete(*inputs), expected)
    assert models.n_repeated > 0


def test_differences_between_batches_are_far_below_the_margin(networks):
    tokens, erased, confidence, previous = (torch.from_numpy(x) for x in frames(2))
    model = networks.completion
    with torch.no_grad():
        together = model.erased_logits(tokens, erased, confidence, previous)
        inputs = [[x[i : i + 1] for x in (tokens, erased, confidence, previous)] for i in range(N_FRAMES)]
        apart = torch.cat([model.erased_logits(*each) for each in inputs])
    assert float((together - apart).abs().max()) < inference.TIE_MARGIN / 10


@pytest.mark.parametrize("margin", [inference.TIE_MARGIN, 1e9])
def test_states_read_in_batches_are_those_of_each_frame(networks, margin, monkeypatch):
    monkeypatch.setattr(inference, "TIE_MARGIN", margin)
    tokens = frames(3)[0]
    tokens[4, 17:90] = inference.NO_TOKEN
    read = one_frame(networks).read
    expected = [[r["car"], r["vru"], r["density"]] for r in map(read, tokens)]
    assert BatchModels(networks).read(tokens).tolist() == expected


def test_no_frames_are_no_work(networks):
    models = BatchModels(networks)
    assert models.read(np.zeros((0, 256), np.int32)).shape == (0, 3)
    assert models.complete(*(x[:0] for x in frames())).shape == (0, 256)


@pytest.mark.parametrize(
    "completion, previous, expected",
    [("copy", [5, 6, 7], [1, 6, 3]), ("copy", None, [1, 0, 3]), ("none", [5, 6, 7], [1, -1, 3])],
)
def test_holes_without_a_model(networks, completion, previous, expected):
    previous = None if previous is None else np.array(previous, np.int32)
    fill = one_frame(networks, completion).complete
    assert fill(np.array([1, 2, 3]), np.array([False, True, False]), None, previous).tolist() == expected


def test_an_unknown_completion_is_refused(networks):
    with pytest.raises(ValueError, match="completion is 'best', expected one of model, copy, none"):
        one_frame(networks, "best")


@pytest.mark.parametrize(
    "name, change, message",
    [
        ("tokenizer", {"grid": (8, 16)}, r"tokenizer is made for a grid of \(8, 16\), the mode table has \(8, 32\)"),
        ("completion", {"rows": 32, "cols": 8}, r"completion is made for a grid of \(32, 8\)"),
        ("head", {"cols": 31}, r"head is made for a grid of \(8, 31\)"),
        ("head", {"dim_embedding": 5}, "head is made for embeddings of 5 numbers, those of the tokenizer have 16"),
    ],
)
def test_models_that_do_not_fit_are_refused(name, change, message):
    configs = {
        "tokenizer": {"grid": (8, 32), "dim_coarse": 16},
        "completion": {"rows": 8, "cols": 32},
        "head": {"rows": 8, "cols": 32, "dim_embedding": 16},
    }
    check_models({key: SimpleNamespace(**value) for key, value in configs.items()}, TABLE)
    configs[name] |= change
    with pytest.raises(ModelMismatchError, match=message):
        check_models({key: SimpleNamespace(**value) for key, value in configs.items()}, TABLE)

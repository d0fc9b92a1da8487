# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled networks against the same networks in torch, and the cache they come from."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from tokenlink.models import artifact, compiled  # noqa: E402
from tokenlink.models.inference import code_embeddings  # noqa: E402
from tokenlink.models.twist.blocks import BottleneckBlock  # noqa: E402
from tokenlink.models.twist.tokenizer import encode_image  # noqa: E402

LOGIT_TOLERANCE = 3e-5  # a tenth of the lead below which a decision is taken again


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "gr-twist" / "onnx"


def small():
    torch.manual_seed(5)
    return torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.GELU(), torch.nn.Linear(4, 2))


def frames(n_frames, seed):
    rng = np.random.default_rng(seed)
    ids, previous = (torch.from_numpy(rng.integers(0, 1024, (n_frames, 256)).astype(np.int32)) for _ in range(2))
    previous[0] = -1
    erased = torch.from_numpy(rng.random((n_frames, 256)) < 0.6)
    return ids, erased, torch.from_numpy(rng.random((n_frames, 256), np.float32)), previous


@pytest.mark.parametrize("n_frames", [1, 3])
@torch.no_grad()
def test_the_shipped_completion_says_what_it_says_in_torch(n_frames):
    model, inputs = artifact.load("completion"), frames(n_frames, 1)
    inputs[2][0, :40] = 0  # nothing is known of these
    ours, erased = compiled.InferenceCompletion(model), inputs[1]
    for given in (inputs, inputs[:3]):
        difference = ours.erased_logits(*given) - model(*given)[erased]
        assert float(difference.abs().max()) < LOGIT_TOLERANCE


def test_networks_are_made_without_touching_the_generator_of_torch():
    model, before = artifact.load("completion"), torch.get_rng_state()
    compiled.InferenceCompletion(model, compiled.TORCH)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("n_frames", [1, 3])
@torch.no_grad()
def test_the_shipped_head_says_what_it_says_in_torch(n_frames):
    tokenizer, head = artifact.load("tokenizer"), artifact.load("head")
    ids = frames(n_frames, 2)[0]
    ids[0, 10:90] = -1
    embeddings = tokenizer.embed(ids.clamp(min=0)) * (ids >= 0)[..., None]
    ours, expected = compiled.InferenceHead(head, code_embeddings(tokenizer))(ids), head(embeddings)
    for name in ("car", "vru", "density"):
        assert float((getattr(ours, name) - getattr(expected, name)).abs().max()) < LOGIT_TOLERANCE


def test_the_shipped_tokenizer_makes_the_same_tokens():
    rng = np.random.default_rng(3)
    plain, config = artifact.load("tokenizer"), artifact.load("tokenizer").config
    ours = compiled.compile_tokenizer(artifact.load("tokenizer"))
    assert isinstance(ours.encoder, compiled.CompiledModule)
    smooth = np.cumsum(rng.normal(size=(config.height, config.width, 3)), axis=1)
    for image in (rng.integers(0, 256, smooth.shape), 128 + 2 * smooth):
        image = np.clip(image, 0, 255).astype(np.uint8)
        assert np.array_equal(encode_image(ours, image), encode_image(plain, image))


def test_a_module_is_exported_once_and_a_damaged_file_again(cache, monkeypatch):
    module, x = small(), torch.randn(3, 6)
    expected = module(x).detach()
    assert torch.allclose(compiled.CompiledModule(module, x)(x), expected, atol=1e-6)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(compiled, "_export", lambda *args: pytest.fail("exported again"))
        compiled.CompiledModule(module, x)
    for damaged in (whole[:-1], b"", whole[:40] + b"x" + whole[41:]):
        file.write_bytes(damaged)
        assert torch.allclose(compiled.CompiledModule(module, x)(x), expected, atol=1e-6)
        assert len(file.read_bytes()) == len(whole)


def test_other_weights_are_another_file(cache):
    module, x = small(), torch.randn(3, 6)
    compiled.CompiledModule(module, x)
    with torch.no_grad():
        module[0].bias += 1
    assert torch.allclose(compiled.CompiledModule(module, x)(x), module(x).detach(), atol=1e-6)
    assert len(list(cache.iterdir())) == 2


def test_a_cache_that_cannot_be_written_costs_no_result(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    module, x = small(), torch.randn(3, 6)
    assert torch.allclose(compiled.CompiledModule(module, x)(x), module(x).detach(), atol=1e-6)


def test_the_engine_is_named():
    assert compiled.engine_version().split()[0] == compiled.best_engine() == compiled.ONNX_RUNTIME


@torch.no_grad()
def test_normalisation_per_batch_vanishes_into_the_convolutions(cache):
    import onnx

    torch.manual_seed(3)
    block = BottleneckBlock(8)
    for norm in (block.norm_down, block.norm_spatial):
        norm.running_mean.normal_(), norm.running_var.uniform_(0.5, 2), norm.weight.normal_(), norm.bias.normal_()
    torch.nn.init.normal_(block.up.weight)
    x = torch.randn(3, 8, 4, 6)
    ours = compiled.CompiledModule(block.eval(), torch.zeros(2, 8, 4, 6))
    assert float((ours(x) - block(x)).abs().max()) < 1e-5
    (path,) = cache.iterdir()
    operations = {node.op_type for node in onnx.load_from_string(path.read_bytes()[32:]).graph.node}
    assert operations == {"Conv", "Relu", "Add"}

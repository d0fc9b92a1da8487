# SPDX-License-Identifier: GPL-3.0-or-later
"""The predictor: where it starts, what its inputs mean, its inference against torch, and weights that do not fit."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenlink.link.belief import Belief, BeliefError  # noqa: E402
from tokenlink.link.modes import load_mode_table  # noqa: E402
from tokenlink.models import artifact, compiled  # noqa: E402
from tokenlink.models.inference import (  # noqa: E402
    BatchModels,
    ModelMismatchError,
    load_networks,
    make_networks,
    models_identity,
    one_frame,
)
from tokenlink.models.twist import predictor  # noqa: E402
from tokenlink.models.twist.completion import Completion, CompletionConfig  # noqa: E402
from tokenlink.models.twist.head import HeadConfig, TrafficHead  # noqa: E402
from tokenlink.models.twist.predictor import OLDEST, Predictor, PredictorConfig, from_completion  # noqa: E402
from tokenlink.models.twist.tokenizer import Tokenizer, TokenizerConfig  # noqa: E402

SMALL = PredictorConfig(dim=32, layers=1)
ENGINES = [
    pytest.param(engine, marks=pytest.mark.skipif(
        engine != compiled.TORCH and compiled.best_engine() != engine, reason="onnxruntime is not installed"))
    for engine in (compiled.ONNX_RUNTIME, compiled.TORCH)
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


def shaken(config=SMALL, seed=0):
    """A predictor none of whose weights is zero."""
    torch.manual_seed(seed)
    model = Predictor(config).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.2 * torch.randn_like(weights))
        model.temperature.uniform_(0.5, 2)
        model.floor.fill_(0.01)
        model.echo.fill_(0.5)
    return model


def beliefs(n=6, seed=1, config=SMALL):
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        state = rng.integers(config.vocab_size, size=config.n_tokens)
        before = np.where(rng.random(state.shape) < 0.7, state, np.roll(state, 1))
        sureness = np.where(rng.random(state.shape) < 0.3, 0, rng.random(state.shape))
        doubted = rng.integers(0, 33, state.shape)
        made.append(Belief(state, sureness.astype(np.float32), None if i == 2 else before, 1 + 4 * i, doubted))
    return made


def tensors(belief):
    """A belief as `Predictor.forward` takes it."""
    before = np.full_like(belief.state, -1) if belief.before is None else belief.before
    values = belief.state, belief.sureness, before, np.array(belief.age), belief.doubted
    return [torch.from_numpy(np.array(value))[None] for value in values]


@torch.no_grad()
def test_it_starts_as_the_completion_model_that_has_received_nothing():
    torch.manual_seed(3)
    completion = Completion(CompletionConfig(dim=32, layers=1)).eval()
    torch.nn.init.normal_(completion.copy_gain.weight, std=0.3)
    model = from_completion(completion)
    nothing = torch.zeros(1, 256, dtype=torch.int64), torch.ones(1, 256, dtype=torch.bool), torch.zeros(1, 256)
    for belief in beliefs():
        expected = completion(*nothing, torch.from_numpy(np.array(belief.state))[None])
        *given, doubted = tensors(belief)
        torch.testing.assert_close(model(*given), expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(model.calibrated(expected, given[3], doubted), expected.softmax(-1))


@pytest.mark.parametrize(("doubted", "age", "echo", "temperature"), [
    (0, 1, 0.5, 2.0), (1, 1, 0.5, 2.0), (8, 1, 0.0, 2.0), (2, 1, 1.0, 1.0), (8, 1, 1.0, 0.5), (32, 1, 0.2, 1.0),
    (8, 2, 1.0, 0.8), (8, 3, 1.0, 1.0),
])  # fmt: skip
@torch.no_grad()
def test_only_copying_gives_the_probability_of_the_closed_form(doubted, age, echo, temperature):
    """Uniform but for gains of 4 and 3 on the states here: softmax by hand, temperature 2 in all, floor 0.1; where
    nothing is doubted, that of the age."""
    config = PredictorConfig(vocab_size=60, rows=3, cols=4, dim=16, layers=1)
    model = Predictor(config).eval()
    for weights in (model.token.weight, model.to_code.weight, model.to_code.bias):
        weights.zero_()
    model.copy_gain.bias[0], model.copy_gain.bias[9] = 4.0, 3.0
    model.temperature.fill_(temperature)
    model.floor.fill_(0.1)
    model.echo.fill_(echo)
    state = np.arange(12, dtype=np.int32)
    belief = Belief(state, np.ones(12), state + 20, age, np.repeat([doubted, 0], 6))
    said = compiled.InferencePredictor(model, compiled.TORCH).probabilities(belief)
    for here, scale in ((state[:6], 2.0), (state[6:], temperature)):
        weight = np.exp([4 / scale, 3 / scale])
        expected = 0.9 * np.append(weight, 1) / (weight.sum() + 58) + 0.1 / 60
        np.testing.assert_allclose(said[here, here], expected[0], rtol=1e-5)
        np.testing.assert_allclose(said[here, here + 20], expected[1], rtol=1e-5)
        np.testing.assert_allclose(said[here, 55], expected[2], rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("what", ["sureness", "before", "age", "doubted"])
def test_everything_believed_matters(what):
    (belief,) = beliefs(1)
    other = {name: getattr(belief, name) for name in Belief.__dataclass_fields__}
    changed = {"sureness": belief.sureness * np.float32(0.5), "before": np.roll(belief.before, 3), "age": 3,
               "doubted": belief.doubted // 2}
    one = compiled.InferencePredictor(shaken(), compiled.TORCH)
    said, then = one.probabilities(belief), one.probabilities(Belief(**other | {what: changed[what]}))
    assert np.abs(said - then).max() > 1e-4


@torch.no_grad()
def test_a_place_that_moved_is_told_from_where():
    """A frame moved right by one: every place inside finds its token on its left in the state before."""
    config = PredictorConfig(vocab_size=64, rows=3, cols=5, dim=8, layers=0, local_layers=0)
    model = Predictor(config).eval()
    seen = []
    model.told.register_forward_hook(lambda layer, given, result: seen.append(given[0]))
    before = torch.arange(15)[None]
    state = torch.cat([torch.full((1, 3, 1), 50), before.view(1, 3, 5)[..., :4]], dim=-1).view(1, 15)
    model(state, torch.ones(1, 15), before, torch.ones(1, dtype=torch.long))
    moved = seen[0][0, :, 3:].view(3, 5, 9)
    from_left = predictor.AROUND.index((0, -1))
    assert moved[:, 1:, from_left].all() and moved.sum() == 12


@pytest.mark.parametrize("engine", ENGINES)
@torch.no_grad()
def test_inference_says_what_the_network_says(engine):
    model = shaken()
    one = compiled.InferencePredictor(model, engine)
    for belief in beliefs():
        (*given, doubted), said = tensors(belief), one.probabilities(belief)
        assert said.shape == (256, 1024) and said.dtype == np.float32
        np.testing.assert_allclose(said.sum(-1, dtype=float), 1, atol=1e-5)
        expected = model.calibrated(model(*given), given[3], doubted)[0].numpy()
        np.testing.assert_allclose(said, expected, rtol=2e-4, atol=1e-8)


def test_ages_beyond_the_oldest_are_the_oldest():
    one, (belief,) = compiled.InferencePredictor(shaken(), compiled.TORCH), beliefs(1)
    said = [one.probabilities(Belief(belief.state, belief.sureness, belief.before, age, belief.doubted))
            for age in (OLDEST - 1, OLDEST, OLDEST + 1, 10**9)]  # fmt: skip
    assert np.array_equal(said[1], said[2]) and np.array_equal(said[1], said[3])
    assert not np.array_equal(said[0], said[1])


@pytest.fixture
def parts():
    torch.manual_seed(2)
    tokenizer = Tokenizer(TokenizerConfig(dim_fine=8, dim_coarse=16, blocks_fine=0, blocks_coarse=0, codebook_dim=8))
    torch.nn.init.normal_(tokenizer.quantizer._codebook.embed)
    head = TrafficHead(HeadConfig(dim_embedding=16, dim=8)).eval()
    return {"tokenizer": tokenizer.eval(), "completion": Completion(CompletionConfig(dim=32, layers=1)), "head": head}


@pytest.mark.parametrize("engine", ENGINES)
def test_many_beliefs_give_to_the_bit_what_each_gives(parts, engine):
    networks = make_networks(**parts, predictor=shaken(), engine=engine)
    many = [*beliefs(), None]
    together, one = BatchModels(networks).predict(many), one_frame(networks).predict
    assert together[-1] is None
    assert all(np.array_equal(said, one(belief)) for said, belief in zip(together[:-1], many[:-1], strict=True))


def test_without_a_predictor_there_is_no_foresight(parts):
    networks = make_networks(**parts)
    assert one_frame(networks).predict is None
    with pytest.raises(ModelMismatchError, match="hold no predictor: run `./twist train predictor`"):
        BatchModels(networks).predict(beliefs(1))


@pytest.mark.parametrize("belief, said", [
    (Belief(np.zeros(255, int), np.zeros(255)), "state has 255 tokens, the predictor is made for 256"),
    (Belief(np.full(256, 1024), np.zeros(256)), r"state is 1024 somewhere, must be in 0\.\.1023"),
    (Belief(np.zeros(256, int), np.zeros(256), np.full(256, 1030)), r"before is 1030 somewhere, must be in 0\.\.1023"),
])  # fmt: skip
def test_beliefs_of_another_codebook_or_grid_are_refused(belief, said):
    with pytest.raises(BeliefError, match=said):
        compiled.InferencePredictor(shaken(), compiled.TORCH).probabilities(belief)


@pytest.mark.parametrize("name, value", [("temperature", 0.0), ("temperature", -1.0), ("floor", -0.1), ("floor", 1.5),
                                         ("echo", -0.1), ("echo", 11.0), ("echo", np.nan)])  # fmt: skip
def test_a_calibration_out_of_range_is_refused(name, value):
    model = shaken()
    getattr(model, name).view(-1)[0] = value
    with pytest.raises(artifact.ArtifactContentError, match="expected >= 0.01, 0..1 and 0..10"):
        compiled.InferencePredictor(model, compiled.TORCH)


@pytest.fixture
def folder(tmp_path, parts):
    """Artifacts of small models without a predictor."""
    for name, model in parts.items():
        artifact.save_artifact(name, model, {}, {}, tmp_path)
    return tmp_path


def test_an_artifact_without_a_predictor_stays_what_it_was(folder):
    assert artifact.present(folder) == ("tokenizer", "completion", "head")
    assert [check.name for check in artifact.check_all(folder)] == ["tokenizer", "completion", "head"]
    assert set(models_identity(folder)) == {"tokenizer", "completion", "head", "engine"}


def test_a_predictor_among_the_artifacts_is_loaded_and_named(folder):
    artifact.save_artifact("predictor", shaken(), {}, {}, folder)
    networks = load_networks(folder, load_mode_table_for(folder), compiled.TORCH)
    (belief,) = beliefs(1)
    expected = compiled.InferencePredictor(shaken(), compiled.TORCH).probabilities(belief)
    assert np.array_equal(one_frame(networks).predict(belief), expected)
    assert models_identity(folder)["predictor"] == artifact.sha256_of(folder / "predictor" / "weights.safetensors")


def load_mode_table_for(folder):
    """The default table, for whatever codebook the folder has."""
    from dataclasses import replace

    return replace(load_mode_table(), codes_sha256=artifact.read_description("tokenizer", folder)["codes_sha256"])


@pytest.mark.parametrize("change, message", [
    ({"rows": 4, "cols": 64}, r"predictor is made for a grid of \(4, 64\), the mode table has \(8, 32\)"),
    ({"vocab_size": 512}, "predictor has 512 codes, 1024 are expected"),
])  # fmt: skip
def test_a_predictor_that_does_not_fit_is_refused(folder, change, message):
    artifact.save_artifact("predictor", Predictor(PredictorConfig(dim=32, layers=1, **change)), {}, {}, folder)
    with pytest.raises(artifact.ArtifactError, match=message):
        load_networks(folder, load_mode_table_for(folder), compiled.TORCH)


def test_a_predictor_of_another_tokenizer_is_refused(folder):
    artifact.save_artifact("predictor", shaken(), {}, {}, folder)
    path = folder / "predictor" / "config.json"
    content = json.loads(path.read_text()) | {"tokenizer_sha256": "0" * 64}
    artifact.write_json(path, content)
    manifest = artifact.read_manifest(folder)
    manifest["predictor"]["config.json"] = {"bytes": path.stat().st_size, "sha256": artifact.sha256_of(path)}
    artifact.write_json(folder / "manifest.json", manifest)
    with pytest.raises(ModelMismatchError, match="predictor was trained on the tokens of another tokenizer, 000000"):
        load_networks(folder, load_mode_table_for(folder), compiled.TORCH)


def test_a_predictor_that_the_manifest_does_not_name_is_reported(folder):
    (folder / "predictor").mkdir()
    check = artifact.check_all(folder)[-1]
    assert check.name == "predictor" and not check.ok and "is not in" in check.message

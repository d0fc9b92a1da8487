# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes as analogue tokens: pairs of a budget by hand, what arrives against the network called directly, rows."""

import numpy as np
import pytest
import torch

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.models import artifact
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig, as_input
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC, Air
from tokenlink.report.collect import collect
from tokenlink.report.figures import catalog
from tokenlink.report.means import mean_figures
from tokenlink.study import dataset, scene_symbols
from tokenlink.study.dataset import Sequence
from tokenlink.study.plan import MAIN_RECEIVERS, RunSpec, channel_seed, study_tasks
from tokenlink.study.receivers import ADAPTIVE
from tokenlink.study.result_store import ResultStore
from tokenlink.study.rows import confusion
from tokenlink.study.sweep import load_inputs, make_setting, run_sweep
from tokenlink.systems import TWIST

CONFIG = AdaptiveConfig(aspect=4, width=24, n_blocks=3, heads=3, split=2, n_classes=5)
QUIET = Air(torch.ones(12, dtype=torch.complex64), torch.zeros(12))
RATIOS = [0.005, 0.1, 0.15, 0.25, 0.5]
TABLE = {"alpha": [0.1, 1.0], "r": RATIOS, "snr_db": [0, 10], "n_tokens": [27.0, 257.0],
         "f1_avg": [[[0.2, 0.4], [0.5, 0.5], [0.5, 0.6], [0.1, 0.9], [0.6, 0.7]],
                    [[0.4, 0.6], [0.9, 0.9], [0.9, 0.9], [0.9, 0.9], [0.9, 0.9]]]}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory, sequence):
    """A network at random whose answers differ between the frames: each logit is 0 on average over them."""
    torch.manual_seed(0)
    model = AdaptiveDJSCC(CONFIG).eval()
    for name, each in model.named_parameters():
        if each.ndim > 1 and "embed" not in name:
            torch.nn.init.normal_(each, std=0.3)
    with torch.no_grad():
        model.vit.head.bias -= model(inputs(sequence), torch.ones(12), [0.1], QUIET)[0].mean(0)
    folder = tmp_path_factory.mktemp("artifacts")
    table = TABLE | {"n_tokens": [257.0, 257.0]}  # gates begin open
    artifact.save_artifact("adaptive_scenes", model, {}, {"air": table, "fading": table}, folder)
    return folder


def inputs(sequence):
    return as_input(torch.from_numpy(np.array(sequence.images())).permute(0, 3, 1, 2))


@pytest.fixture(scope="module")
def sequence(tmp_path_factory):
    rng, path = np.random.default_rng(1), tmp_path_factory.mktemp("frames") / "a.npy"
    np.save(path, np.kron(rng.integers(0, 256, (12, 4, 16, 3)), np.ones((1, 32, 32, 1))).astype(np.uint8))
    return Sequence("a", np.zeros((12, 256), np.int16), np.zeros((12, 3), int), "invented", path)


def test_the_pair_of_a_budget_has_the_best_f1_of_those_that_fit():
    """24 features: 1, 2, 4, 6, 12 symbols a token; 480 of header."""
    uses = lambda ratio: max(1, round(24 * ratio))  # noqa: E731
    metrics = {"air": TABLE, "fading": TABLE}
    assert scene_symbols.best_pair(metrics, 480 + 27 * 6, False, uses) == (0.1, 0.15)
    assert scene_symbols.best_pair(metrics, 480 + 27 * 12, False, uses) == (0.1, 0.5)
    assert scene_symbols.best_pair(metrics, 480 + 2 * 257, True, uses) == (1.0, 0.1)
    with pytest.raises(ValueError, match="budget is 500: no pair of alpha and r needs so little with a header of 480"):
        scene_symbols.best_pair(metrics, 500, False, uses)


def test_what_arrives_is_what_the_network_says(root, sequence):
    """At 100 dB against the forward pass without a channel, where that is no near tie; at -30 dB nothing comes and
    nothing is said."""
    coded = scene_symbols.code_scenes(sequence, 1280, False, root)
    model = artifact.load("adaptive_scenes", root)
    with torch.no_grad():
        tokens, there = model.vit.device_masked(inputs(sequence), torch.full((12,), coded.alpha))
        kept = there[:, -1] > 0
        symbols = model.encode_masked(tokens, kept, coded.ratio)
        logits = model.decode_masked(symbols, kept, coded.ratio).numpy()
    assert np.array_equal(coded.kept, kept.numpy())
    assert all(abs(np.mean(np.abs(each) ** 2) - 1) < 1e-3 for each in coded.symbols)
    trace = scene_symbols.trace_of(coded, Channel(ChannelConfig("awgn", 100.0), 1), 1, root)
    expected = np.column_stack([logits[:, :2] > 0, logits[:, 2:].argmax(1)])
    clear = (np.abs(logits[:, :2]) > 0.1 * logits[:, :2].std(axis=0)).all(axis=1)
    best = np.sort(logits[:, 2:], axis=1)
    clear &= best[:, 2] - best[:, 1] > 0.1 * logits[:, 2:].std()
    assert np.array_equal(trace.predicted[clear], expected[clear])
    assert clear.sum() >= 6 and len(np.unique(expected[clear], axis=0)) > 1
    assert (trace.mode_ids == 1).all() and not trace.n_erased.any()
    nothing = scene_symbols.trace_of(coded, Channel(ChannelConfig("awgn", -30.0), 1), 1, root)
    assert (nothing.n_erased == 256).all() and not nothing.predicted.any()


def test_a_lost_frame_leaves_what_was_said_before(root, sequence):
    coded = scene_symbols.code_scenes(sequence, 960, True, root)
    assert coded.mean_uses == pytest.approx(480 + np.mean([len(each) for each in coded.symbols]))
    trace = scene_symbols.trace_of(coded, Channel(ChannelConfig("rayleigh", 2.0), 3), 0, root)
    lost = np.flatnonzero(trace.n_erased)
    assert 0 < len(lost) < 12
    for slot in lost[lost > 0]:
        assert np.array_equal(trace.predicted[slot], trace.predicted[slot - 1])


def test_only_who_asks_for_analogue_tokens_gets_them():
    assert ADAPTIVE not in MAIN_RECEIVERS
    specs = study_tasks("main", (), None, policies=("twist",), receivers=(ADAPTIVE,))
    assert specs == []
    with pytest.raises(ValueError, match="policy is 'twist' with receiver adaptive, expected static-low, static-med"):
        RunSpec("twist", ADAPTIVE)


@pytest.mark.skipif(not (artifact.DEFAULT_DIR / "tokenizer").is_dir(), reason="no weights")
def test_a_sweep_has_their_f1_beside_twists_and_no_tokens(root, tmp_path):
    """One invented scene of 8 frames at 20 dB: rows, means and figure 16."""
    weights = tmp_path / "artifacts"
    weights.mkdir()
    for name in artifact.present():
        (weights / name).symlink_to(artifact.DEFAULT_DIR / name)
    manifest = artifact.read_manifest() | artifact.read_manifest(root)
    (weights / "adaptive_scenes").symlink_to(root / "adaptive_scenes")
    artifact.write_json(weights / "manifest.json", manifest)
    (scene,) = dataset.load_sequences("invented", n_invented=1, invented_frames=8, cache=tmp_path / "cache")
    tables, control = load_inputs()
    setting = make_setting("invented", "test", control, tables, root=weights)
    some = {"policies": ("static-med", "twist"), "receivers": (ADAPTIVE,), "snrs_db": (20.0,), "channels": ("awgn",)}
    tasks = study_tasks("main", [scene], control, **some, realisations=1)
    store = ResultStore(tmp_path / "out", setting)
    assert run_sweep(tasks, [scene], setting, tables, store, workers=0, root=str(weights)).n_runs == 5
    found = collect(tmp_path / "out")
    mine = [row for row in found.main if row["receiver"] == ADAPTIVE]
    assert {row["policy"] for row in mine} == {"static-low", "static-med", "static-high"} and len(found.analogue) == 5
    for row in mine:
        budget = next(mode.budget for mode in tables["table"].modes if row["policy"].endswith(mode.name))
        assert 480 < row["mean_uses"] <= budget and row["tsmr"] is None and row["erasure_rate"] == 0
        coded = scene_symbols.code_scenes(scene, budget, False, str(weights))
        channel = Channel(ChannelConfig("awgn", 20.0), channel_seed(scene.name, 0))
        said = scene_symbols.trace_of(coded, channel, 0, str(weights)).predicted
        assert row["confusion"] == confusion(scene.labels, said)
        assert row["scene_network"] == manifest["adaptive_scenes"]["weights.safetensors"]["sha256"]
    means = mean_figures(found.main, {}, TWIST.metrics)
    assert {each["tsmr"] is None for each in means if each["receiver"] == ADAPTIVE} == {True}
    assert all(each["tsmr"] is not None for each in means if each["receiver"] == "full")
    assert catalog.draw(16, found, tmp_path / "figures", TWIST)[0].stat().st_size > 1000

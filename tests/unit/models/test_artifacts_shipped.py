# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights that ship: complete, described, small, and they work on a small invented sequence."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenlink.models import artifact, completion, head, tokenizer  # noqa: E402

NAMES = tuple(artifact.MODELS)
LARGEST_BYTES = 40e6
REQUIRED_METRICS = {
    "tokenizer": {"psnr_db", "codebook_use", "dead_codes", "flicker", "token_change"},
    "head": {"f1_car", "f1_vru", "macro_f1_density", "f1_avg", "by_sequence"},
    "completion": {"restored_at_0.3", "margin_over_copy_at_0.3", "restored_groups_at_0.5", "traffic_at_0.3"},
}


@pytest.fixture(scope="module")
def models():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield {name: artifact.load(name, vocab_size=1024) for name in NAMES}
    torch.set_num_threads(threads)


def test_files_match_the_manifest_and_are_small():
    assert all(check.ok for check in artifact.check_all()), artifact.check_all()
    files = [path for path in artifact.DEFAULT_DIR.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < LARGEST_BYTES
    assert {path.name for path in files} == {*artifact.FILES, "manifest.json", "README.md"}


def test_measured_figures_reach_what_the_project_promises():
    """As measured on the held-out sequences when the weights were saved."""
    measured = {name: artifact.read_metrics(name)["test"] for name in NAMES}
    assert {figures["origin"] for figures in measured.values()} == {"rendered from real tracks"}
    assert measured["head"]["f1_avg"] >= 0.90
    assert measured["tokenizer"]["codebook_use"] >= 0.5
    assert measured["completion"]["restored_at_0.3"]["model"] >= 0.5
    assert measured["completion"]["margin_over_copy_at_0.3"] > 0


def test_models_belong_together():
    mark = artifact.codes_sha256(artifact.load("tokenizer"))
    assert artifact.read_description("tokenizer")["codes_sha256"] == mark
    assert {artifact.read_description(name)["tokenizer_sha256"] for name in ("completion", "head")} == {mark}


@pytest.mark.parametrize("name", NAMES)
def test_description_and_metrics(name):
    description = artifact.read_description(name)
    assert description["training_command"].startswith(f"./twist train {name}")
    assert "rendered from real tracks" in description["data_origin"] and description["steps"] > 0
    metrics = artifact.read_metrics(name)
    for part in ("validation", "test"):
        assert REQUIRED_METRICS[name] <= metrics[part].keys()
        assert metrics[part]["origin"] == "rendered from real tracks" and metrics[part]["frames"] > 0
        assert metrics[part]["sequences"] and isinstance(metrics[part]["seed"], int)
    tested = {sequence.split("_")[1] for sequence in metrics["test"]["sequences"]}
    assert tested == {"0004", "0008", "0013", "0016"}


def invented_pictures(n_frames=4):
    rng = np.random.default_rng(11)
    picture = np.full((128, 512, 3), 120, np.uint8)
    picture[:40] = (150, 190, 240)
    pictures = []
    for t in range(n_frames):
        frame = picture.copy()
        frame[60:90, 200 + 4 * t : 260 + 4 * t] = (180, 30, 30)
        pictures.append(np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8))
    return pictures


def test_a_sequence_goes_through_all_models(models):
    ids, state = None, None
    rng = np.random.default_rng(12)
    for picture in invented_pictures():
        before, ids = ids, tokenizer.encode_image(models["tokenizer"], picture, ids)
        if before is not None:
            assert (ids == before).mean() > 0.5
        token_ids = torch.from_numpy(ids)[None]
        erased = torch.from_numpy(rng.random((1, 256)) < 0.3)
        confidence = torch.where(erased, 0.4, 0.999)
        state, probability = completion.complete(models["completion"], token_ids, erased, confidence, state)
        assert torch.equal(state[~erased], token_ids[~erased])
        assert 0 <= float(probability.min()) and float(probability.max()) <= 1
        traffic = head.read_state(models["head"], models["tokenizer"].embed(state))
        assert traffic["density"].item() in (0, 1, 2)
    drawn = tokenizer.decode_tokens(models["tokenizer"], ids).astype(float)
    error = np.abs(drawn - picture).mean()
    assert error < 0.6 * np.abs(picture - picture.mean()).mean()


def test_completion_beats_an_empty_previous_state(models):
    ids = [tokenizer.encode_image(models["tokenizer"], picture) for picture in invented_pictures(2)]
    erased = torch.ones(1, 256, dtype=torch.bool)
    previous, truth = (torch.from_numpy(x)[None] for x in ids)
    model, nothing = models["completion"], torch.zeros(1, 256)
    with_state, _ = completion.complete(model, torch.zeros_like(truth), erased, nothing, previous)
    without, _ = completion.complete(model, torch.zeros_like(truth), erased, nothing)
    assert (with_state == truth).sum() > (without == truth).sum()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The adaptive transformer on road scenes: its loss by hand, its lessons, that it learns, and the command."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tokenlink.cli.main import run_app
from tokenlink.models import artifact
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig
from tokenlink.train.adaptive import scenes
from tokenlink.train.adaptive.course import Course, train
from tokenlink.train.adaptive.lessons import Lesson
from tokenlink.train.twist.frame_store import FrameStore

SMALL = AdaptiveConfig(side=128, aspect=4, width=24, n_blocks=3, heads=3, split=2, n_classes=5)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Frames of one shade whose brightness is the density class, and which are red where there is a car."""
    root, rng = tmp_path_factory.mktemp("cache"), np.random.default_rng(0)
    for split, n in (("train", 40), ("val", 6)):
        (root / split).mkdir()
        labels = np.stack([rng.integers(0, 2, n), rng.integers(0, 2, n), rng.integers(0, 3, n)], axis=1)
        frames = np.full((n, 128, 512, 3), 40, np.uint8) + (60 * labels[:, 2]).astype(np.uint8)[:, None, None, None]
        frames[labels[:, 0] == 1, :, :, 0] += 60
        np.save(root / split / "a.npy", frames)
        nobody = {f"object_{name}": np.zeros(0) for name in ("kinds", "heights_375_px", "occluded", "truncated")}
        nobody |= {"object_offsets": np.zeros(n + 1, int), "object_boxes_px": np.zeros((0, 4), np.float32)}
        np.savez(root / split / "a.npz", labels=labels, cells=np.zeros((n, 2, 8, 32)), **nobody)
    return root


def test_loss_and_answers_by_hand():
    logits = torch.tensor([[2.0, -1.0, 0.5, 3.0, 0.0], [-3.0, 0.2, 1.0, 0.0, 0.0]])
    labels = torch.tensor([[1, 1, 0], [0, 0, 2]])
    car = -(torch.sigmoid(logits[0, 0]).log() + (1 - torch.sigmoid(logits[1, 0])).log()) / 2
    vru = -(torch.sigmoid(logits[0, 1]).log() + (1 - torch.sigmoid(logits[1, 1])).log()) / 2
    density = -(F.log_softmax(logits[0, 2:], 0)[0] + F.log_softmax(logits[1, 2:], 0)[2]) / 2
    found = scenes.traffic_loss(logits, Lesson(torch.zeros(2), labels))
    assert float(found) == pytest.approx(float(car + vru + density) / 3)
    assert scenes.said_of(logits).tolist() == [[1, 0, 1], [0, 1, 0]]


def test_a_lesson_is_the_same_again_and_each_process_has_its_own(cache):
    store = FrameStore(cache / "train")
    one, other = (scenes.SceneLessons(store, 4, 1, rank, 2) for rank in range(2))
    first, again, others = one.at(3), one.at(3), other.at(3)
    assert torch.equal(first.pictures, again.pictures) and torch.equal(first.classes, again.classes)
    assert not torch.equal(first.pictures, others.pictures)
    assert first.pictures.shape == (4, 3, 128, 512) and first.pictures.min() >= -1 and first.pictures.max() <= 1
    assert one.steps == 5


def test_a_transformer_of_wide_frames_learns_what_shades_say(cache, tmp_path):
    """60 steps of 12 frames: F1 of density above what one class in three gives by chance."""
    course = Course(cache, tmp_path, steps=60, batch=12, processes=1, peak_rate=1e-3, average=0.8,
                    material=scenes.Scenes())  # fmt: skip
    vit, run = train(course, scenes.clean_subject(SMALL, knows_imagenet=True))
    shown = scenes.ShownFrames(cache / "val")
    assert run.step == 60 and vit.config.grid == (8, 32) and len(shown) == 6
    with torch.no_grad():
        said = [scenes.said_of(vit(frames, torch.ones(len(frames)))[0]) for frames, _ in shown.batches()]
    said = np.concatenate(said)
    assert (said[:, 2] == shown.labels[:, 2]).mean() >= 0.8


def test_the_command_makes_an_artifact_of_256_tokens(cache, tmp_path, monkeypatch, capfd):
    for name, few in (("ALPHAS", (0.1, 1.0)), ("WATCHED_ALPHAS", (1.0,)), ("SNRS_DB", (10,)), ("BATCH", 4)):
        monkeypatch.setattr(scenes, name, few)
    call = ["train", "adaptive", "scenes", "--cache", str(cache), "--work", str(tmp_path / "work"), "--steps", "1",
            "--pairs-steps", "1", "--processes", "1", "--out", str(tmp_path / "out")]  # fmt: skip
    assert run_app(call) == 0, capfd.readouterr().err
    model = artifact.load("adaptive_scenes", tmp_path / "out")
    metrics = artifact.read_metrics("adaptive_scenes", tmp_path / "out")
    assert model.config == scenes.CONFIG and model.config.positions == 256
    assert np.shape(metrics["air"]["f1_avg"]) == np.shape(metrics["fading"]["f1_avg"]) == (2, 5, 1)
    assert metrics["air"]["frames"] == 6 and all(2 <= n <= 257 for n in metrics["air"]["n_tokens"])


def test_frames_that_are_not_there_are_named(tmp_path, capfd):
    assert run_app(["train", "adaptive", "scenes", "--cache", str(tmp_path), "--work", str(tmp_path / "work")]) == 1
    assert "no frames in" in capfd.readouterr().err

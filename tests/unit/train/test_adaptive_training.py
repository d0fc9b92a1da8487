# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the adaptive system: equations (7) to (9) by hand, lessons, interruption; that budgets are learned."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from tokenlink.cli.main import run_app
from tokenlink.data.imagenette import CLASSES, read_split
from tokenlink.link.token_ratios import RATIOS
from tokenlink.models import artifact
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig, AdaptiveViT
from tokenlink.models.adaptive.baselines import StaticViT
from tokenlink.models.adaptive.picture_codec import load_codec
from tokenlink.models.adaptive.shown import Shown
from tokenlink.train.adaptive import backbone, baselines, pairs, ship
from tokenlink.train.adaptive.budget_terms import budget_loss, penalties
from tokenlink.train.adaptive.course import Course, train, trained
from tokenlink.train.adaptive.lessons import Lessons
from tokenlink.train.adaptive.scores import METHODS, digital_scores, useful_esn0_db
from tokenlink.train.training_run import CheckpointError

SMALL = AdaptiveConfig(side=32, width=24, n_blocks=4, heads=3, split=3)


def some_pictures(root, n_training):
    """So many training pictures and one to validate by of each class, of one colour each."""
    rng = np.random.default_rng(0)
    for split, n in (("train", n_training), ("val", 1)):
        for label, (wnid, _) in enumerate(CLASSES):
            (root / split / wnid).mkdir(parents=True)
            for i in range(n):
                pixels = rng.integers(0, 60, (40, 36, 3)) + [label * 19, 100, 190 - label * 19]
                Image.fromarray(pixels.astype(np.uint8)).save(root / split / wnid / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return some_pictures(tmp_path_factory.mktemp("pictures"), 4)


def test_penalties_are_equation_7_and_loss_is_9():
    """Two pictures, three blocks, four tokens; worked out by hand with margin 0.02."""
    counts = torch.tensor([[4, 3, 1], [4, 4, 2]])
    kept = (torch.arange(4) < counts[..., None]).float()
    alpha = torch.tensor([0.25, 0.9])
    expected = torch.tensor([[0.73, 0.48, 0.0], [0.08, 0.08, 0.38]])
    torch.testing.assert_close(penalties(kept, alpha), expected)
    one, two = 2 * 0.0 + (0.48 + 0.0) / 3, 2 * 0.38 + (0.08 + 0.38) / 3
    assert float(budget_loss(kept, alpha)) == pytest.approx((one + two) / 2)


def test_every_picture_comes_once_an_epoch_whoever_takes_it(folder):
    pictures, seen = read_split(folder, "train"), []
    for rank in range(2):
        lessons = Lessons(pictures, 32, 5, seed=3, rank=rank, size=2)
        assert lessons.steps == 4
        lessons._alter = lambda picture: torch.nn.functional.interpolate(picture[None].float(), 32)[0].byte()
        lessons._mix = lambda pictures, labels: (pictures, labels)
        seen += [lessons.at(step).pictures.mean((1, 2, 3)) for step in range(4)]
    assert len(torch.cat(seen).unique()) == len(pictures) == 40


def test_a_lesson_is_the_same_again(folder):
    lessons = Lessons(read_split(folder, "train"), 32, 8)
    before, other, again = lessons.at(6), lessons.at(7), lessons.at(6)
    assert torch.equal(before.pictures, again.pictures) and torch.equal(before.classes, again.classes)
    assert not torch.equal(before.pictures, other.pictures)
    torch.testing.assert_close(before.classes.sum(1), torch.ones(8))
    with pytest.raises(ValueError, match="40 pictures are fewer than a step takes, 30 x 2 processes"):
        Lessons(read_split(folder, "train"), 32, 30, size=2)


def course(folder, work, steps):
    return Course(folder, work, side=32, steps=steps, batch=8, processes=1, decay_share=0.1)


def test_an_interrupted_training_ends_where_another_does(folder, tmp_path):
    """Flat learning rate, so that the budget of the first half does not matter."""
    subject = backbone.subject(SMALL)
    subject = type(subject)(partial(_seeded, subject.build), subject.terms, subject.watch)
    whole, run = train(course(folder, tmp_path / "whole", 6), subject)
    stopped = subject.terms

    def fails(model, lesson, step):
        if step == 3:
            raise KeyboardInterrupt
        return stopped(model, lesson, step)

    from tokenlink.train.adaptive import course as module

    saved, module.SAVE_EVERY_S = module.SAVE_EVERY_S, -1.0
    try:
        with pytest.raises(KeyboardInterrupt):
            train(course(folder, tmp_path / "parts", 6), type(subject)(subject.build, fails, subject.watch))
    finally:
        module.SAVE_EVERY_S = saved
    parts, again = train(course(folder, tmp_path / "parts", 6), subject)
    assert (run.step, again.step) == (6, 6) and again.elapsed_s > 0
    for (key, one), other in zip(whole.state_dict().items(), parts.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, msg=key)
    ends = [torch.load(tmp_path / name / "checkpoint.pt")["model"] for name in ("whole", "parts")]
    for key, one in ends[0].items():  # the mean of the weights moves so slowly that it would hide a lost optimizer
        torch.testing.assert_close(one, ends[1][key], rtol=0, atol=1e-6, msg=key)
    loaded, about = trained(tmp_path / "parts", AdaptiveViT(SMALL))
    assert about["steps"] == 6 and torch.equal(loaded.head.weight, parts.head.weight)


def _seeded(build):
    torch.manual_seed(1)
    return build()


def test_a_training_that_is_not_there_or_of_other_sizes_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="no training in .*: train the backbone first"):
        trained(tmp_path, AdaptiveViT(SMALL))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["backbone"], "nowhere is not there, expected a folder with train and val in it, or its tar"),
        (["baseline", "vgg"], "baseline is 'vgg', expected one of vit-ae, mnv3, mnv3-cnn"),
        (["baseline", "mnv3", "--training", "loud"], "training is 'loud', expected one of robust, noiseless"),
        (["pairs", "--training", "loud"], "training is 'loud', expected one of robust, noiseless"),
        (["pairs"], "no training in .*backbone, expected a checkpoint.pt there: train the backbone first"),
        (["backbone", "--steps", "-1"], "--steps is -1, expected >= 0"),
    ],
)
def test_commands_say_what_is_wrong_in_one_sentence(tmp_path, capfd, words, message):
    given = ["--pictures", str(tmp_path / "nowhere"), "--work", str(tmp_path / "work")]
    assert run_app(["train", "adaptive", *words, *given]) == 1
    said = capfd.readouterr().err.strip()
    assert re.fullmatch(f"twist: .*{message}.*", said), said


def test_kept_shares_follow_the_budget_after_some_steps():
    """Penalties alone, on noise: 250 steps of 16 pictures of 16 tokens; margin 3 tokens."""
    torch.manual_seed(0)
    model = AdaptiveViT(AdaptiveConfig(side=64, width=24, n_blocks=3, heads=3, split=2))
    model.freeze_stem()
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    for step in range(250):
        optimizer.param_groups[0]["lr"] = 4e-3 * (1 - step / 250)
        alpha = backbone.draw_budgets(16)
        _, kept = model.device_masked(torch.randn(16, 3, 64, 64), alpha)
        optimizer.zero_grad()
        budget_loss(kept, alpha).backward()
        optimizer.step()
    alphas = torch.linspace(0.1, 1.0, 10)
    with torch.no_grad():
        _, kept = model.eval().device_masked(torch.randn(1, 3, 64, 64).expand(10, -1, -1, -1), alphas)
    off = kept[:, -1].mean(1) - alphas
    assert off.abs().max() < 3 / 16, off


def test_channels_of_robust_training_are_those_of_the_paper():
    """20,000 draws: SNR uniform in -20..20 dB, half of the gains 1, the others Rayleigh; 5 standard errors."""
    torch.manual_seed(2)
    air = pairs.draw_air(20_000, robust=True)
    snr_db = -10 * air.n0.log10()
    assert -20 <= float(snr_db.min()) < -19.9 and 19.9 < float(snr_db.max()) <= 20
    assert abs(float(snr_db.mean())) < 5 * 40 / 12**0.5 / 20_000**0.5
    fades = air.channel_gain != 1
    assert abs(float(fades.float().mean()) - 0.5) < 5 * 0.5 / 20_000**0.5
    assert abs(float(air.channel_gain[fades].abs().square().mean()) - 1) < 5 / 10_000**0.5
    quiet = pairs.draw_air(3, robust=False)
    assert (quiet.n0 == 0).all() and (quiet.channel_gain == 1).all()


def test_pairs_are_trained_and_measured_from_a_backbone(folder, tmp_path):
    """All ratios move from the first step on, the transformer by a tenth of the rate; all figures have their shapes."""
    torch.manual_seed(5)
    start = AdaptiveViT(SMALL)
    model, run = train(course(folder, tmp_path, 2), pairs.subject(start, "robust"))
    assert run.step == 2
    begun = pairs.subject(start, "noiseless").build()
    assert torch.equal(begun.vit.head.weight, start.head.weight)
    groups = torch.load(tmp_path / "checkpoint.pt")["optimizer"]["param_groups"]
    assert {group["scale"] for group in groups} == {0.1, 1.0}
    found = ship.measure(model, folder, table_every=20)
    assert np.shape(found["proxy"]["accuracy"]) == (10, len(RATIOS), 11) and len(found["proxy"]["n_tokens"]) == 10
    assert found["proxy"]["snr_db"] == list(range(-20, 31, 5)) and found["proxy"]["r"] == list(RATIOS)
    assert found["measured_on"] == {"air": 4, "training": 2} and found["clean"]["pictures"] == 10
    assert np.shape(found["air"]["accuracy"]) == np.shape(found["fading"]["accuracy"]) == (4, len(RATIOS), 5)
    assert all(2 <= n <= 5 for n in found["proxy"]["n_tokens"]) and not found["air"]["fading"]
    with pytest.raises(ValueError, match="training is 'loud', expected one of robust, noiseless"):
        pairs.subject(start, "loud")


def test_the_commands_end_with_an_artifact_that_a_codec_reads(tmp_path, monkeypatch, capfd):
    """One step each of the sizes that ship; measured at one Es/N0."""
    monkeypatch.setattr(ship, "SNRS_DB", (0,))
    monkeypatch.setattr(ship, "SOME_SNRS_DB", (0,))
    given = ["--pictures", str(some_pictures(tmp_path / "pictures", 7)), "--work", str(tmp_path / "work")]
    given += ["--steps", "1", "--processes", "1"]
    assert run_app(["train", "adaptive", "backbone", *given]) == 0
    out = ["--out", str(tmp_path / "out"), "--training", "noiseless"]
    assert run_app(["train", "adaptive", "pairs", *given, *out]) == 0, capfd.readouterr().err
    codec = load_codec(tmp_path / "out", "noiseless")
    assert artifact.read_description("adaptive_noiseless", tmp_path / "out")["pairs_trained"] == "noiseless"
    picture = np.zeros((128, 128, 3), np.uint8)
    assert codec.encode(picture, 1.0, 0.1).kept.all()  # gates begin open


@pytest.mark.parametrize("name", ["vit-ae", "mnv3", "mnv3-cnn"])
def test_baselines_are_trained_and_measured(folder, tmp_path, name):
    made = baselines.baseline_named(name)
    if name == "vit-ae":
        made = replace(made, clean=backbone.subject(SMALL, StaticViT))
    start, _ = train(replace(course(folder, tmp_path / "clean", 1), side=start_side(name), batch=5), made.clean)
    again = replace(course(folder, tmp_path / "pairs", 1), side=start_side(name), batch=5)
    model, run = train(again, made.with_pairs(start, "robust"))
    assert run.step == 1
    found = made.measure(model, folder, table_every=20)
    assert np.shape(found["proxy"]["accuracy"]) == (1, len(RATIOS), 11) and found["clean"]["alpha"] == [1.0]
    tokens = found["air"]["n_tokens"][0]
    assert tokens == {"vit-ae": 5}.get(name, 256)  # both have 24 features
    assert found["air"]["channel_uses"][0] == [n * tokens for n in (1, 2, 4, 6, 12)]
    about = ship.describe("none", "robust", {"steps": 1, "minutes": 0.0}, run)
    ship.ship(made.artifacts["robust"], model, about, found, folder, tmp_path / "out")
    loaded = artifact.load(made.artifacts["robust"], tmp_path / "out")
    assert type(loaded) is type(model) and loaded.config == model.config


def start_side(name):
    return SMALL.side if name == "vit-ae" else 128


def test_other_baselines_are_refused():
    with pytest.raises(ValueError, match="baseline is 'vgg', expected one of vit-ae, mnv3, mnv3-cnn"):
        baselines.baseline_named("vgg")


def test_pictures_as_bits_are_wrong_where_they_do_not_fit(folder):
    """With a model that always says class 4, one picture in ten is right as long as it fits."""
    model = AdaptiveViT(SMALL).eval()
    torch.nn.init.zeros_(model.head.weight)
    with torch.no_grad():
        model.head.bias.copy_(torch.arange(10) == 4)
    shown = Shown(read_split(folder, "val"), 32)
    for method in METHODS:
        found = digital_scores(model, shown, method, [4, 8000], [0.0, 10.0])
        assert found["fits"] == [[0.0, 0.0], [1.0, 1.0]]
        assert found["accuracy"] == [[0.0, 0.0], [pytest.approx(0.1)] * 2]


def test_useful_from_half_way_between_chance_and_best():
    """By hand: levels 0.5, 0.3 and 0.5; a dip counts as not useful; one that is always above; one that ends below."""
    snr_db = [-10, 0, 10]
    curves = [[0.1, 0.3, 0.9], [0.1, 0.2, 0.5], [0.6, 0.4, 0.9], [0.8, 0.9, 0.9], [0.1, 0.9, 0.4]]
    found = useful_esn0_db({"snr_db": snr_db, "accuracy": [curves]})
    assert found == [[pytest.approx(each) for each in (3.4, 3.4, 2.0, -10.0, 10.0)]]


def test_accuracy_is_the_share_of_right_answers(folder):
    """A head that says one class whatever it sees is right for a tenth of a balanced set."""
    model = AdaptiveViT(SMALL).eval()
    torch.nn.init.zeros_(model.head.weight)
    with torch.no_grad():
        model.head.bias.copy_(torch.arange(10) == 4)
    shown = Shown(read_split(folder, "val"), 32)
    found = backbone.watch(model, shown)
    assert found["accuracy"] == [pytest.approx(0.1)] * 4 and found["kept"] == [1.0] * 4

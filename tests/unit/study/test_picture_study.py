# SPDX-License-Identifier: GPL-3.0-or-later
"""An evaluation of pictures against networks called directly, capacities by hand, and the link called by itself."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tokenlink.link.adaptive_modes import load_adaptive_table
from tokenlink.link.token_ratios import RATIOS
from tokenlink.measure.picture_marks import marks_of, marks_text
from tokenlink.models import artifact
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig, as_input
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC, Air
from tokenlink.phy.frame import BurstConfig
from tokenlink.phy.header import HEADER_SYMBOLS
from tokenlink.phy.preamble import PREAMBLE_LENGTH
from tokenlink.study import control_runs, digital_pictures, picture_plan
from tokenlink.study.picture_air import PictureAir
from tokenlink.study.picture_parts import shown
from tokenlink.study.picture_study import open_study, picture_rows, run_pictures
from tokenlink.study.result_store import StoreError

sys.path.insert(0, str(Path(__file__).parent))
from picture_set import SMALL, save_networks, some_pictures, spread  # noqa: E402

N = 20


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folder of pictures and folder of artifacts."""
    root = tmp_path_factory.mktemp("study")
    return some_pictures(root / "pictures"), save_networks(root / "artifacts")


def evaluated(place, out, study="main", **chosen):
    tasks, setting, where, store = open_study(study, place[0], out, root=place[1], **chosen)
    result = run_pictures(tasks, setting, where, store, workers=0)
    return picture_rows(tasks, setting, store), result, where


def right(row):
    return marks_of(row["right"], row["n_frames"])


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Slots of simulations, and budgets that are sent over the link."""
    monkeypatch.setattr(control_runs, "SLOTS", 1500)
    monkeypatch.setattr(picture_plan, "AIR_ALPHAS", (0.3, 1.0))


@pytest.fixture(scope="module")
def rows(place, tmp_path_factory):
    out = tmp_path_factory.mktemp("rows") / "out"
    return evaluated(place, out, snrs_db=(100.0,), channels=("awgn",))[0]


def test_without_noise_the_networks_say_what_they_say_in_training(place, rows):
    """All pairs at 100 dB against the forward pass of training without noise; not a picture may differ."""
    quiet = Air(torch.ones(N, dtype=torch.complex64), torch.zeros(N))
    pictures = shown(evaluated_place(place))
    model = artifact.load("adaptive", place[1])
    answers = []
    for row in [row for row in rows if row["method"] == "adaptive"]:
        with torch.no_grad():
            logits, kept = model(as_input(pictures.images), torch.full((N,), row["alpha"]), [row["ratio"]], quiet)
        said = logits.argmax(1)
        answers.append(len(said.unique()))
        assert np.array_equal(right(row), (said == pictures.labels).numpy())
        sent = 1 + (kept[:, -1] > 0).sum(1).numpy()
        assert row["n_tokens"] == pytest.approx(sent.mean())
        uses = sent.mean() * max(1, round(24 * row["ratio"]))
        assert row["channel_uses"] == pytest.approx(uses)
        assert row["bandwidth_ratio"] == pytest.approx(uses / (3 * 64**2))
    assert max(answers) > 1, "a network that always says the same shows nothing"
    baseline = artifact.load("adaptive_mnv3_cnn", place[1])
    for row in [row for row in rows if row["method"] == "mnv3-cnn"]:
        with torch.no_grad():
            said = baseline(as_input(pictures.images), [row["ratio"]], quiet).argmax(1)
        assert np.array_equal(right(row), (said == pictures.labels).numpy())
        assert row["channel_uses"] == 64 * max(1, round(24 * row["ratio"]))


def evaluated_place(place):
    return open_study("main", place[0], place[1].parent / "unused", root=place[1])[2]


def test_what_there_are_no_weights_for_is_left_out(rows):
    assert {row["method"] for row in rows} == set(picture_plan.METHODS) - {"mnv3"}
    assert {row["training"] for row in rows} == {"robust"} and {row["n_frames"] for row in rows} == {N}
    assert sum(row["method"] == "adaptive" for row in rows) == 10 * len(RATIOS)


def test_bits_at_capacity_are_shannons_and_all_of_them_give_the_picture(place, rows):
    pictures = shown(evaluated_place(place))
    model = artifact.load("adaptive", place[1])
    with torch.no_grad():
        whole = (model.vit(as_input(pictures.images), torch.ones(N))[0].argmax(1) == pictures.labels).numpy()
    for row in [row for row in rows if row["method"] in ("resize", "jpeg")]:
        uses = round(row["limit"] * 3 * 64**2)
        assert row["channel_uses"] == uses and row["bits"] == int(uses * np.log2(1 + 1e10))
        if row["method"] == "resize":
            assert row["fits"] == row["arrived"] == float(row["bits"] >= 24)
            if row["bits"] >= 24 * 64**2:
                assert np.array_equal(right(row), whole)
    found = digital_pictures._AtCapacity([23, 24, 24 * 64**2], "resize").code(pictures.picture(0))
    assert found[0] is None and np.ptp(found[1].picture, axis=(0, 1)).max() == 0
    assert np.array_equal(found[2].picture, pictures.picture(0))


def test_a_constant_answer_is_right_for_its_class_alone(place, tmp_path):
    model = spread(lambda: AdaptiveDJSCC(SMALL), 0)
    torch.nn.init.zeros_(model.vit.head.weight)
    with torch.no_grad():
        model.vit.head.bias.copy_(torch.arange(10) == 3)
    root = save_networks(tmp_path / "artifacts")
    artifact.save_artifact("adaptive", model, {}, artifact.read_metrics("adaptive", root), root)
    some = dict(snrs_db=(-15.0, 10.0), channels=("rayleigh",), methods=("adaptive", "jpeg-ldpc"))
    found, _, _ = evaluated((place[0], root), tmp_path / "out", **some)
    assert {row["accuracy"] for row in found if row["method"] == "adaptive"} == {0.1}
    assert all(row["accuracy"] <= 0.1 for row in found)


def test_gains_and_noise_are_those_of_the_channel():
    """400 pictures, seed of realisation 0: mean powers within five standard errors; error of the estimated gain."""
    drawn = PictureAir("rayleigh", "x", 0).of(range(400), 50)
    assert np.mean(np.abs(drawn.gain) ** 2) == pytest.approx(1, abs=5 / 400**0.5)
    assert np.mean(np.abs(drawn.noise) ** 2) == pytest.approx(1, abs=5 / 20_000**0.5)
    error = drawn.known_gain(-10.0, 4) - drawn.gain
    assert np.mean(np.abs(error) ** 2) == pytest.approx(10 / 4, rel=5 / 400**0.5)
    assert np.array_equal(drawn.known_gain(-10.0), drawn.gain)
    received, n0 = drawn.receive(np.ones((400, 50), np.complex64), 3.0)
    assert n0 == pytest.approx(10**-0.3)
    assert np.allclose(received, drawn.gain[:, None] + 10**-0.15 * drawn.noise, atol=1e-5)
    again = PictureAir("rayleigh", "x", 0).of([7, 3], 20)
    assert np.array_equal(again.noise, drawn.noise[[7, 3], :20]) and np.array_equal(again.gain, drawn.gain[[7, 3]])
    assert (PictureAir("awgn", "x", 1).of(range(3), 2).gain == 1).all()


@pytest.mark.parametrize("esn0_db", [-5.0, 5.0, 20.0])
def test_jpeg_over_the_link_carries_no_more_than_capacity_and_gets_through(esn0_db):
    link = digital_pictures.best_link(491, "awgn", esn0_db)
    assert 8 * link.max_bytes < 491 * np.log2(1 + 10 ** (esn0_db / 10))
    rng = np.random.default_rng(5)
    payloads = [rng.bytes(link.max_bytes) for _ in range(60)]
    through = digital_pictures.came_through(link, payloads, PictureAir("awgn", "other", 1).of(range(60), 491), esn0_db)
    assert through.mean() > 0.75  # 0.9 of 60, five standard errors below
    assert not digital_pictures.came_through(link, payloads[:5], PictureAir("awgn", "other", 1).of(range(5), 491),
                                             esn0_db - 12).any()  # fmt: skip


def test_rows_of_pictures_over_the_link_count_what_came_through(place, tmp_path):
    found, _, _ = evaluated(place, tmp_path / "out", snrs_db=(-30.0, 30.0), channels=("awgn",), methods=("jpeg-ldpc",))
    quiet = [row for row in found if row["esn0_db"] == 30.0]
    assert all(row["arrived"] == 0 and row["accuracy"] == 0 for row in found if row["esn0_db"] == -30.0)
    assert all(row["arrived"] == row["fits"] for row in quiet) and quiet[-1]["fits"] == 1
    assert {(row["modulation"], row["code_rate"]) for row in quiet} == {("64qam", "5/6")}


def test_a_controller_with_one_pair_does_what_that_pair_does(place, tmp_path):
    """At a fixed SNR, with accuracies that say that one pair is perfect: the same pictures as in the main study."""
    alpha, ratio = 4, 2
    accuracy = np.zeros((10, len(RATIOS), 3))
    accuracy[alpha, ratio] = 1.0
    root = save_networks(tmp_path / "artifacts")
    metrics = artifact.read_metrics("adaptive", root)
    metrics["proxy"]["accuracy"] = accuracy.tolist()
    artifact.save_artifact("adaptive", artifact.load("adaptive", root), {}, metrics, root)
    there = place[0], root
    some = dict(methods=("adaptive",))
    main, _, _ = evaluated(there, tmp_path / "out", snrs_db=(10.0,), channels=("awgn",), **some)
    (pair,) = [row for row in main if (row["alpha"], row["ratio"]) == (0.5, 0.15)]
    control, _, _ = evaluated(there, tmp_path / "out", study="control", **some)
    fixed = [row for row in control if (row["mean_db"], row["std_db"]) == (10.0, 0.0)]
    assert len(fixed) == len(picture_plan.LIMITS) and len(control) == (2 + 3 * 5) * 6
    whole = max(fixed, key=lambda row: row["limit"])
    assert whole["right"] == pair["right"] and whole["bandwidth_ratio"] == pytest.approx(pair["bandwidth_ratio"])
    assert whole["expected"] == 1.0 and whole["queue"] == 0.0


def test_a_limit_that_nothing_keeps_is_told(place, tmp_path):
    """64 positions of one symbol are 0.0052 of 12,288 values: above the first two limits."""
    found, _, _ = evaluated(place, tmp_path / "out", study="control", methods=("mnv3-cnn",))
    failed = {row["limit"] for row in found if row["v"] is None}
    assert {0.0025, 0.005} <= failed and not {0.05, 0.1} & failed
    assert all(row["accuracy"] == 0 and row["channel_uses"] == 0 for row in found if row["v"] is None)
    for row in found:
        if row["v"]:
            assert 0 < row["bandwidth_ratio"] and row["expected"] > 0


def test_an_interrupted_evaluation_goes_on_to_the_same_bytes(place, tmp_path):
    some = dict(snrs_db=(0.0,), channels=("awgn",), methods=("vit-ae", "adaptive"))

    def stop(n_done, n_runs, n_frames):
        if n_done > 20:
            raise KeyboardInterrupt

    tasks, setting, where, store = open_study("main", place[0], tmp_path / "parts", root=place[1], **some)
    with pytest.raises(KeyboardInterrupt):
        run_pictures(tasks, setting, where, store, workers=0, on_task=stop)
    assert run_pictures(tasks, setting, where, store, workers=0).n_found == 25
    evaluated(place, tmp_path / "whole", **some)
    files = [{path.name: path.read_bytes() for path in (tmp_path / name / "results").iterdir()}
             for name in ("parts", "whole")]  # fmt: skip
    assert files[0] == files[1] and len(files[0]) == 11 * len(RATIOS)


@pytest.fixture(scope="module")
def at_full_size(tmp_path_factory):
    """Pictures of 128 pixels, one of each class, and untrained networks of the sizes of the link."""
    root = tmp_path_factory.mktemp("full")
    return some_pictures(root / "pictures", 128, 1), save_networks(root / "artifacts", config=AdaptiveConfig())


def test_header_and_symbols_over_the_link(at_full_size, tmp_path):
    """In the best channel all as without a header, in the worst all headers lost; uses by hand."""
    some = dict(channels=("awgn",), methods=("adaptive",))
    rows, _, _ = evaluated(at_full_size, tmp_path / "out", study="air", snrs_db=(-30.0, 100.0), **some)
    without, _, _ = evaluated(at_full_size, tmp_path / "out", snrs_db=(100.0,), **some)
    without = {(row["alpha"], row["ratio"]): row for row in without}
    table = load_adaptive_table()
    assert len(rows) == 2 * len(picture_plan.AIR_ALPHAS) * len(RATIOS)
    for row in rows:
        assert row["header_uses"] == table.mode_of(row["alpha"], row["ratio"]).header_symbols
        if row["esn0_db"] < 0:
            assert row["n_lost"] == 10 and row["accuracy"] == 0
        else:
            same = without[row["alpha"], row["ratio"]]
            assert row["n_lost"] == 0 and (row["right"], row["n_tokens"]) == (same["right"], same["n_tokens"])
            body = HEADER_SYMBOLS + row["header_uses"] + row["channel_uses"]
            pilots = row["burst_uses"] - PREAMBLE_LENGTH - HEADER_SYMBOLS - 2 * BurstConfig().guard_symbols
            assert pilots == pytest.approx(body / BurstConfig().pilot_spacing, abs=1)


def test_a_gain_that_is_estimated_badly_costs_headers(at_full_size, tmp_path):
    """At 0 dB under Rayleigh fading, 10 modes and 10 pictures."""
    some = dict(channels=("rayleigh",), methods=("adaptive",), snrs_db=(0.0,))
    rows, _, _ = evaluated(at_full_size, tmp_path / "out", study="air", **some)
    lost = {n: sum(row["n_lost"] for row in rows if row["pilots"] == n) for n in picture_plan.AIR_PILOTS}
    assert lost[1] > lost[4] > lost[0] and lost[16] >= lost[0]


def test_results_of_other_weights_or_pictures_are_refused(place, tmp_path):
    some = dict(snrs_db=(0.0,), channels=("awgn",), methods=("vit-ae",))
    evaluated(place, tmp_path / "out", **some)
    other = save_networks(tmp_path / "artifacts")
    artifact.save_artifact("adaptive_vit_ae", spread(lambda: artifact.load("adaptive_vit_ae", other), 9), {}, {}, other)
    with pytest.raises(StoreError, match="holds results of other weights of vit-ae, robust: name another folder"):
        open_study("main", place[0], tmp_path / "out", root=other, **some)
    with pytest.raises(StoreError, match="n_pictures is 20 there and 10 now"):
        open_study("main", place[0], tmp_path / "out", root=place[1], limit=10, **some)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"study": "mian"}, "study is 'mian', expected one of main, control, air"),
        ({"methods": ("vgg",)}, "method is 'vgg', expected one of adaptive, vit-ae"),
        ({"channels": ("rician",)}, "channel is 'rician', expected one of awgn, rayleigh"),
        ({"realisations": 0}, "realisations is 0, expected >= 1"),
    ],
)
def test_other_names_are_refused(chosen, message):
    with pytest.raises(ValueError, match=message):
        picture_plan.picture_tasks(**{"study": "main", "available": {}} | chosen)


def test_marks_are_bits():
    given = np.random.default_rng(0).random(2943) < 0.8
    assert np.array_equal(marks_of(marks_text(given), 2943), given)
    with pytest.raises(ValueError, match="marks are of 16 pictures at most, expected 17"):
        marks_of(marks_text(given[:16]), 17)
    with pytest.raises(ValueError, match="marks are no base 64"):
        marks_of("?", 1)


def test_a_worker_with_other_pictures_is_refused(place, tmp_path):
    from tokenlink.study.picture_parts import prepare
    from tokenlink.study.worker import WorkerError

    _, setting, where, _ = open_study("main", place[0], tmp_path / "out", root=place[1])
    with pytest.raises(WorkerError, match="the 20 pictures of pictures on this worker are others"):
        prepare(where, replace(setting, sha256="0" * 64))

# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop with its real processes over the simulated radio: repeatable, and clear about every fault."""

import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from tokenlink.channel import ChannelConfig, SnrTrajectory  # noqa: E402
from tokenlink.control import ControlConfig  # noqa: E402
from tokenlink.link.modes import load_mode_table  # noqa: E402
from tokenlink.models import artifact  # noqa: E402
from tokenlink.models.completion import Completion, CompletionConfig  # noqa: E402
from tokenlink.models.head import HeadConfig, TrafficHead  # noqa: E402
from tokenlink.models.tokenizer import Tokenizer, TokenizerConfig  # noqa: E402
from tokenlink.nodes import camera, twin  # noqa: E402
from tokenlink.nodes.config import FeedbackConfig, RunConfig  # noqa: E402
from tokenlink.nodes.runner import RunError, run_loop  # noqa: E402

N_PICTURES = 6


def save_models(root, vocab_size=1024):
    """Small seeded models without training."""
    torch.manual_seed(1)
    sizes = {"dim_fine": 8, "dim_coarse": 16, "blocks_fine": 0, "blocks_coarse": 1, "codebook_dim": 8}
    tokenizer = Tokenizer(TokenizerConfig(vocab_size=vocab_size, **sizes))
    torch.nn.init.normal_(tokenizer.quantizer._codebook.embed)
    tokenizer.quantizer._codebook.initted.fill_(True)
    artifact.save_artifact("tokenizer", tokenizer, {}, {}, root)
    config = CompletionConfig(vocab_size=vocab_size, dim=16, layers=1, heads=2)
    artifact.save_artifact("completion", Completion(config), {}, {}, root)
    head = TrafficHead(HeadConfig(vocab_size=vocab_size, dim_embedding=16, dim=8, blocks=1))
    artifact.save_artifact("head", head, {}, {}, root)
    return root


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    return save_models(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number in range(N_PICTURES):
        image = rng.integers(0, 256, (8, 32, 3), dtype=np.uint8)
        Image.fromarray(image).resize((512, 128), Image.Resampling.BICUBIC).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture
def config(pictures, artifacts):
    channel = ChannelConfig("rayleigh", 12.0, trajectory=SnrTrajectory("blockwise", block_slots=2))
    return RunConfig(str(pictures), 20, 3, channel, artifacts=str(artifacts), radio="simulator")


def test_same_seed_same_records_and_another_seed_others(config, tmp_path):
    seen = []
    first = run_loop(config, tmp_path / "a", on_frame=seen.append)
    again = run_loop(config, tmp_path / "b")
    other = run_loop(replace(config, seed=4), tmp_path / "c")
    assert [record["slot"] for record in seen] == list(range(N_PICTURES))
    files = [(result.folder.path / "records.jsonl").read_bytes() for result in (first, again, other)]
    assert files[0] == files[1] != files[2]
    arrays, repeated = first.folder.read_arrays(), again.folder.read_arrays()
    assert all(np.array_equal(arrays[name], repeated[name]) for name in arrays)
    assert arrays["tokens"].shape == (N_PICTURES, 256)
    kept = ~arrays["erased"]
    assert np.array_equal(arrays["state"][kept], arrays["decided"][kept])
    for record, before in zip(seen[1:], seen, strict=False):
        assert record["mode_id"] == before["next_mode_id"]
    assert seen[0]["d"] == 0.0 and first.summary["f1_avg"] is None
    assert first.info["status"] == "complete" and first.timing["frames_per_s"] > 0


@pytest.mark.parametrize("esn0_db, expected", [(-20.0, 1.0), (40.0, 0.0)])
def test_extreme_channels(config, tmp_path, esn0_db, expected):
    result = run_loop(replace(config, channel=ChannelConfig(esn0_db=esn0_db), n_frames=3), tmp_path / "run")
    assert result.summary["erasure_rate"] == pytest.approx(expected, abs=0.02)
    assert result.summary["n_frames"] == 3


def test_unreadable_frame_is_skipped_and_counted(config, pictures, tmp_path):
    (pictures / "002.png").write_bytes(b"no picture")
    result = run_loop(config, tmp_path / "run")
    assert result.info["camera"] == {"n_frames": N_PICTURES - 1, "n_skipped": 1}
    assert [r["slot"] for r in result.folder.read_lines("records.jsonl")] == list(range(N_PICTURES - 1))


def test_lost_feedback_is_held_and_then_falls_back(config, tmp_path):
    control = ControlConfig(hold_slots=2, fallback_mode=0, first_mode=1)
    feedback = FeedbackConfig(lost_slots=range(20))
    result = run_loop(replace(config, control=control, feedback=feedback), tmp_path / "run")
    records = result.folder.read_lines("records.jsonl")
    assert all(record["feedback_lost"] and record["risk"] is None for record in records)
    assert [record["mode_id"] for record in records] == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("victim", ["twin", "camera", "radio"])
def test_killed_process_stops_the_run_with_one_sentence_and_keeps_the_records(config, pictures, tmp_path, victim):
    for number in range(N_PICTURES, 200):  # more than can be through before the signal
        shutil.copy(pictures / "000.png", pictures / f"{number:03d}.png")
    children = []

    def kill_at_slot_2(record):
        if record["slot"] == 2:
            child = next(child for child in children if child.name == victim)
            os.kill(child.process.pid, signal.SIGKILL)
            child.process.wait()

    with pytest.raises(RunError, match=f"the {victim} process was killed by SIGKILL; .* frames are kept") as caught:
        run_loop(replace(config, n_frames=200), tmp_path / "run", kill_at_slot_2, children.extend)
    assert "\n" not in str(caught.value)
    assert all(child.exit_code is not None for child in children)
    records = (tmp_path / "run" / "records.jsonl").read_text().splitlines()
    assert len(records) >= 3
    assert (tmp_path / "run" / "arrays.npz").is_file()


def damage_truncate(root):
    path = root / "completion" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-9])


def damage_hash(root):
    path = root / "head" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")


def damage_missing(root):
    (root / "tokenizer" / "weights.safetensors").unlink()


def damage_vocab(root):
    save_models(root, vocab_size=512)


@pytest.mark.parametrize(
    "damage, sentence",
    [
        (damage_missing, "missing"),
        (damage_truncate, "bytes"),
        (damage_hash, "SHA-256"),
        (damage_vocab, "512 codes, 1024 are expected"),
    ],
)
def test_bad_weights_are_refused_when_a_node_loads_them(config, tmp_path, damage, sentence):
    root = save_models(tmp_path / "bad")
    damage(root)
    bad = replace(config, artifacts=str(root))
    with pytest.raises(artifact.ArtifactError, match=sentence):
        camera.load_tokenizer(bad, load_mode_table())
        twin.load_models(bad, load_mode_table())


def test_bad_weights_stop_the_run_before_the_first_frame(config, tmp_path):
    root = save_models(tmp_path / "bad")
    damage_hash(root)
    with pytest.raises(RunError, match="the twin process .* SHA-256"):
        run_loop(replace(config, artifacts=str(root)), tmp_path / "run")
    assert "Traceback" not in "".join(path.read_text() for path in (tmp_path / "run" / "logs").iterdir())


def test_source_without_frames_is_refused(config, tmp_path):
    with pytest.raises(RunError, match="no such folder"):
        run_loop(replace(config, source=str(tmp_path / "nowhere")), tmp_path / "run")

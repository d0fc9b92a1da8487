# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop with its real processes over the simulated radio: repeatable, and clear about every fault."""

import json
import os
import re
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenlink.control import ControllerError  # noqa: E402
from tokenlink.link.modes import ModeTableError, load_mode_table  # noqa: E402
from tokenlink.loop import twin  # noqa: E402
from tokenlink.loop.runner import RunError, run_loop  # noqa: E402
from tokenlink.models import artifact  # noqa: E402
from tokenlink.systems import system_named  # noqa: E402

N_PICTURES = 6
needs_flowgraph = pytest.mark.skipif(shutil.which("grcc") is None, reason="GNU Radio is not installed")


def test_same_seed_same_records_and_a_bad_picture_is_skipped(config, pictures, tmp_path):
    (pictures / "002.png").write_bytes(b"no picture")
    seen = []
    first = run_loop(config, tmp_path / "a", on_frame=seen.append)
    again = run_loop(config, tmp_path / "b")
    assert first.info["camera"] == {"n_frames": N_PICTURES - 1, "n_skipped": 1}
    assert [record["slot"] for record in seen] == list(range(N_PICTURES - 1))
    files = [(result.folder.path / "records.jsonl").read_bytes() for result in (first, again)]
    assert files[0] == files[1]
    arrays, repeated = first.folder.read_arrays(), again.folder.read_arrays()
    assert all(np.array_equal(arrays[name], repeated[name]) for name in arrays)
    assert arrays["tokens"].shape == (N_PICTURES - 1, 256)
    kept = ~arrays["erased"]
    assert np.array_equal(arrays["state"][kept], arrays["decided"][kept])
    for record, before in zip(seen[1:], seen, strict=False):
        assert record["mode_id"] == before["next_mode_id"]
    assert seen[0]["d"] == 0.0 and first.summary["f1_avg"] is None
    assert first.info["status"] == "complete" and first.timing["frames_per_s"] > 0
    assert len(first.summary["mode_shares"]) > 1, "the policy follows the changing Es/N0"


@pytest.mark.parametrize(  # each process once, each radio as victim and as survivor
    ("victim", "radio"),
    [("camera", "simulator"), ("radio", "simulator"), *(
        pytest.param(victim, "gnuradio", marks=needs_flowgraph) for victim in ("twin", "radio"))],
)  # fmt: skip
def test_killed_process_stops_the_run_and_keeps_the_records(config, pictures, tmp_path, victim, radio):
    for number in range(N_PICTURES, 200):  # more than can be through before the signal
        (pictures / f"{number:03d}.png").symlink_to(pictures / "000.png")
    children = []

    def kill_at_slot_2(record):
        if record["slot"] == 2:
            child = next(child for child in children if child.name == victim)
            os.kill(child.process.pid, signal.SIGKILL)
            child.process.wait()

    with pytest.raises(RunError, match=f"the {victim} process was killed by SIGKILL; .* frames are kept") as caught:
        run_loop(replace(config, n_frames=200, radio=radio), tmp_path / "run", kill_at_slot_2, children.extend)
    assert "\n" not in str(caught.value)
    assert all(child.exit_code is not None for child in children)
    records = (tmp_path / "run" / "records.jsonl").read_text().splitlines()
    assert len(records) >= 3
    assert (tmp_path / "run" / "arrays.npz").is_file()
    assert "killed by SIGKILL" in json.loads((tmp_path / "run" / "run.json").read_text())["status"]


def damage_truncate(root):
    path = root / "completion" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-9])


def damage_hash(root):
    path = root / "head" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")


def damage_missing(root):
    (root / "tokenizer" / "weights.safetensors").unlink()


@pytest.mark.parametrize(
    "damage, sentence",
    [
        (damage_missing, "missing"),
        (damage_truncate, "bytes"),
        (damage_hash, "SHA-256"),
    ],
)
def test_bad_weights_are_refused_when_a_node_loads_them(config, make_artifacts, tmp_path, damage, sentence):
    root = make_artifacts(tmp_path / "bad")
    damage(root)
    refuse(config, root, sentence)


def test_weights_for_another_codebook_are_refused(config, make_artifacts, tmp_path):
    refuse(config, make_artifacts(tmp_path / "small", vocab_size=512), "512 codes, 1024 are expected")


def refuse(config, root, sentence):
    bad = replace(config, artifacts=str(root))
    if any(part in sentence for part in ("missing", "codes")):  # the tokenizer's: both nodes load it
        with pytest.raises(artifact.ArtifactError, match=sentence):
            system_named("twist").models.sender(bad.artifacts, load_mode_table())
    with pytest.raises(artifact.ArtifactError, match=sentence):
        twin.load_models(bad, load_mode_table())


def test_bad_weights_stop_the_run_before_the_first_frame(config, make_artifacts, tmp_path):
    root = make_artifacts(tmp_path / "bad")
    damage_hash(root)
    with pytest.raises(artifact.ArtifactHashError, match="SHA-256"):  # seen before a process is started
        run_loop(replace(config, artifacts=str(root)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    root = make_artifacts(tmp_path / "small", vocab_size=512)
    with pytest.raises(RunError, match="the (camera|twin) process .* 512 codes, 1024 are expected"):
        run_loop(replace(config, artifacts=str(root)), tmp_path / "run")
    assert "Traceback" not in "".join(path.read_text() for path in (tmp_path / "run" / "logs").iterdir())


def test_models_of_another_tokenizer_are_refused(config, make_artifacts, tmp_path):
    root = make_artifacts(tmp_path / "other")
    run = replace(config, artifacts=str(root))
    twin.load_models(run, load_mode_table())
    tokenizer = artifact.load("tokenizer", root)
    with torch.no_grad():
        tokenizer.quantizer._codebook.embed.neg_()
    artifact.save_artifact("tokenizer", tokenizer, {}, {}, root)
    with pytest.raises(artifact.ArtifactError, match="completion was trained on the tokens of another tokenizer"):
        twin.load_models(run, load_mode_table())


def test_a_table_or_controller_made_for_something_else_is_refused_by_the_nodes(config, tmp_path):
    table = load_mode_table()
    other = replace(table, codes_sha256="ab" * 32)
    with pytest.raises(ModeTableError, match=f"codebook abababababab.*has codebook {table.codes_sha256[:12]}"):
        system_named("twist").models.sender(config.artifacts, other)
    unbound = replace(config, control=replace(config.control, codes_sha256=""))
    with pytest.raises(ModeTableError, match=f"codebook abababababab.*has codebook {table.codes_sha256[:12]}"):
        twin.load_models(unbound, other)
    foreign = replace(config, control=replace(config.control, group_map_sha256="cd" * 32, source="mine.yaml"))
    named = f"mine.yaml is made for group map cdcdcdcdcdcd.*has group map {table.group_map_sha256[:12]}"
    with pytest.raises(ControllerError, match=named):
        run_loop(foreign, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ControllerError, match=named):
        twin.load_models(foreign, table)


def test_a_radio_that_falls_silent_ends_the_run(config, faulty_nodes, tmp_path):
    faulty_nodes(simulator="deaf_radio")
    quick = replace(config, slot_timeout_s=0.6, stall_timeout_s=2.0)
    said = r"nothing came through for 2 s in slot (\d), (\d) slots were missed; (\d) recorded"
    with pytest.raises(RunError, match=said) as error:
        run_loop(quick, tmp_path / "run")
    slot, missed, recorded = map(int, re.search(said, str(error.value)).groups())
    # Slot 0 came, 1, 2 and 3 were given up; not all of them where the machine stood still for a while.
    assert slot == missed + 1 == recorded and 1 <= missed <= 3


def test_source_without_frames_is_refused(config, tmp_path):
    with pytest.raises(ValueError, match="no such folder"):
        run_loop(replace(config, source=str(tmp_path / "nowhere")), tmp_path / "run")
    with pytest.raises(ValueError, match="has 6 frames, 7 are asked for"):
        run_loop(config, tmp_path / "run", n_needed=7)
    assert not (tmp_path / "run").exists()

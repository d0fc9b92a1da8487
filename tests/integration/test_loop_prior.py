# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop with priors: flowgraph and simulator give the same records whatever becomes of the priors."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from tokenlink.channel import ChannelConfig  # noqa: E402
from tokenlink.loop.runner import RunError, run_loop  # noqa: E402
from tokenlink.models.artifact_files import ArtifactError  # noqa: E402

N_FRAMES = 12
#: outcome of each slot by `faulty_twin`: the first has no past
EXPECTED = ["none", "used", "missing", "used", "missing", "used", "foreign_codebook", "foreign_grid", "refused", "used",
            "used", "used"]  # fmt: skip
COUNTS = {"none": 1, "used": 6, "missing": 2, "lost": 1, "late": 1, "foreign_codebook": 1, "foreign_grid": 1,
          "refused": 1, "foreign_slot": 1}  # fmt: skip
needs_flowgraph = pytest.mark.skipif(shutil.which("grcc") is None, reason="GNU Radio is not installed")


@pytest.fixture
def still(config, pictures):
    """A scene in which nothing moves, over a link that cannot carry it alone."""
    for path in sorted(pictures.iterdir())[1:]:
        path.unlink()
    for number in range(1, N_FRAMES):
        (pictures / f"{number:03d}.png").symlink_to(pictures / "000.png")
    return replace(config, policy="static-low", channel=ChannelConfig("awgn", 8.0), prior="2")


def outcomes(result):
    return [record["prior"]["outcome"] for record in result.folder.read_lines("records.jsonl")]


@needs_flowgraph
def test_flowgraph_and_simulator_give_the_same_records_whatever_becomes_of_priors(still, faulty_nodes, tmp_path):
    faulty_nodes(twin="faulty_twin")
    simulated, radio = (run_loop(replace(still, radio=name), tmp_path / name) for name in ("simulator", "gnuradio"))
    files = [(result.folder.path / "records.jsonl").read_bytes() for result in (radio, simulated)]
    assert files[0] == files[1]
    assert outcomes(simulated) == EXPECTED
    erased = {True: [], False: []}
    for record in simulated.folder.read_lines("records.jsonl"):
        used = record["prior"]["outcome"] == "used"
        assert (record["prior"]["doubt"] is not None, record["prior"]["exchanges"] is not None) == (used, used)
        erased[used].append(record["n_erased"])
    assert np.mean(erased[True]) < np.mean(erased[False]) / 2, erased
    for result, block in ((simulated, "receiver"), (radio, "group_ldpc_decoder0")):
        for slot in result.folder.read_lines("latency.jsonl"):  # the mode leaves once the next slot is foretold
            stages = ("radio_s", "complete_s", "head_s", "control_s", "foretell_s")
            assert slot["loop_s"] >= sum(slot[stage] for stage in stages)
        counts = {name: n for name, n in result.info["radio"][block].items() if name.startswith("prior_")}
        assert counts == {f"prior_{name}": n for name, n in COUNTS.items()}


def test_a_run_without_a_predictor_is_refused_in_a_sentence(still, make_artifacts, tmp_path):
    root = make_artifacts(tmp_path / "bare", predictor=False)
    with pytest.raises(ArtifactError, match=f"--prior 2 needs the artifact predictor, which {root} does not have"):
        run_loop(replace(still, artifacts=str(root)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_running_flowgraph_that_takes_no_priors_is_said(still, tmp_path, monkeypatch):
    from tokenlink.loop import runner
    from tokenlink.wire.sockets import PullSocket

    with PullSocket("tcp://127.0.0.1:*") as there:
        at = {"tokens": there.address, "mode": there.address, "prior": "tcp://127.0.0.1:9"}
        monkeypatch.setattr(runner, "RUNNING_RADIO", runner.RUNNING_RADIO | at)
        with pytest.raises(RunError, match="no radio listens at tcp://127.0.0.1:9 after 1 s"):
            run_loop(replace(still, radio="running", startup_timeout_s=1.0), tmp_path / "run")

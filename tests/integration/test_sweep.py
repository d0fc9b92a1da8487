# SPDX-License-Identifier: GPL-3.0-or-later
"""Sweeps end with the same bytes whoever computes them, however often they stop, and whichever worker dies."""

import json
import os
import signal
import time
from contextlib import nullcontext

import numpy as np
import pytest

pytest.importorskip("torch")
psutil = pytest.importorskip("psutil")
LocalCluster = pytest.importorskip("distributed").LocalCluster

from tokenlink.channel import ChannelConfig  # noqa: E402
from tokenlink.cli.main import run_app  # noqa: E402
from tokenlink.control import ControlConfig  # noqa: E402
from tokenlink.link.modes import load_mode_table  # noqa: E402
from tokenlink.measure.counts import f1_parts  # noqa: E402
from tokenlink.study import jobs, worker  # noqa: E402
from tokenlink.study.dataset import Sequence  # noqa: E402
from tokenlink.study.outcomes import uniform_table  # noqa: E402
from tokenlink.study.plan import RunSpec, Task  # noqa: E402
from tokenlink.study.result_store import ResultStore, load_results  # noqa: E402
from tokenlink.study.sweep import make_setting, run_sweep  # noqa: E402

TABLE = load_mode_table()
TABLES = {"table": TABLE, "uniform": uniform_table(TABLE)}
SPECS = (RunSpec("twist"), RunSpec("static-low"), RunSpec("twist", "hard-only"), RunSpec("oracle"))


def some_sequence(n_frames=16):
    rng = np.random.default_rng(1)
    tokens = np.tile(rng.integers(0, TABLE.vocab_size, TABLE.n_tokens), (n_frames, 1))
    change = rng.random(tokens.shape) < 0.1
    tokens[change] = rng.integers(0, TABLE.vocab_size, change.sum())
    labels = np.column_stack([rng.integers(0, k, n_frames) for k in (2, 2, 3)])
    return Sequence("a", tokens.astype(np.int16), labels, "invented")


class Sweep:
    """A small sweep over one sequence into a folder of its own."""

    def __init__(self, artifacts):
        self.sequence, self.root = some_sequence(), str(artifacts)
        self.setting = make_setting("invented", "test", ControlConfig(), TABLES, root=artifacts)

    def tasks(self, specs=SPECS):
        return [Task("a", ChannelConfig("rayleigh", snr), (0, 1), specs, snr == 4.0) for snr in (4.0, 10.0, 14.0)]

    def run(self, folder, specs=SPECS, on_task=None, workers=0, scheduler=None):
        """SweepResult and the bytes of all result files by name."""
        store = ResultStore(folder, self.setting)
        rest = TABLES, store, workers, scheduler, self.root, on_task
        result = run_sweep(self.tasks(specs), [self.sequence], self.setting, *rest)
        return result, {path.name: path.read_bytes() for path in (folder / "results").glob("*.json")}


@pytest.fixture(scope="module")
def sweep(artifacts):
    return Sweep(artifacts)


@pytest.fixture(scope="module")
def expected(sweep, tmp_path_factory):
    told, begin_s = [], time.monotonic()
    result, files = sweep.run(tmp_path_factory.mktemp("sweep") / "out", on_task=lambda *figures: told.append(figures))
    n_runs = 2 * len(SPECS)
    assert result.n_runs == len(files) == 3 * n_runs and result.n_found == 0
    assert result.n_frames == len(files) * 16 and result.frames_per_s == result.n_frames / result.wall_s
    assert 0 <= result.start_s and result.start_s + result.wall_s <= time.monotonic() - begin_s
    assert told == [(n_runs * done, 3 * n_runs, 16 * n_runs * done) for done in range(4)]
    return files


def test_an_interrupted_sweep_goes_on_to_the_same_bytes(sweep, expected, tmp_path):
    def stop(n_done, n_runs, n_frames):
        if n_done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep.run(tmp_path / "out", on_task=stop)
    kept = len(list((tmp_path / "out" / "results").glob("*.json")))
    assert kept == 2 * len(SPECS)
    result, files = sweep.run(tmp_path / "out")
    assert (result.n_found, result.n_runs) == (kept, len(expected) - kept)
    again, _ = sweep.run(tmp_path / "out")
    assert (again.n_found, again.n_runs, again.n_frames, again.frames_per_s) == (len(expected), 0, 0, None)
    assert files == expected and len(list((tmp_path / "out" / "results").glob("*.npz"))) == 2 * len(SPECS)


def test_results_do_not_depend_on_what_is_computed_with_them(sweep, expected, tmp_path):
    for spec in SPECS:
        sweep.run(tmp_path / "out", specs=(spec,))
    assert sweep.run(tmp_path / "out")[1] == expected


def test_no_work_is_lost_when_a_worker_dies(sweep, expected, tmp_path):
    killed = []

    def kill_one(n_done, n_runs, n_frames):
        if n_done and not killed:
            workers = [child for child in psutil.Process().children(recursive=True)
                       if any("spawn_main" in word for word in child.cmdline())]  # fmt: skip
            killed.append(workers[0].pid)
            os.kill(workers[0].pid, signal.SIGKILL)

    result, files = sweep.run(tmp_path / "out", on_task=kill_one, workers=2)
    assert killed and result.n_runs == len(expected)
    assert files == expected


def test_the_workers_of_a_scheduler_give_the_same_bytes(sweep, expected, tmp_path):
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with LocalCluster(protocol="tcp://", **options) as cluster:
        result, files = sweep.run(tmp_path / "out", scheduler=cluster.scheduler_address)
    assert files == expected and result.n_runs == len(expected)


def test_local_workers_listen_on_loopback_alone():
    with jobs.open_client(1, None):
        here = psutil.Process()
        processes = here, *here.children(recursive=True)
        found = [getattr(p, "net_connections", None) or p.connections for p in processes]  # renamed in psutil 6
        listening = [c.laddr.ip for get in found for c in get("inet") if c.status == psutil.CONN_LISTEN]
    assert len(listening) > 2 and set(listening) == {"127.0.0.1"}


@pytest.mark.parametrize("where", ["within", "at the end"])
def test_workers_that_are_slow_to_end_spoil_nothing(where, monkeypatch):
    """A real cluster is closed, then says that it took too long; the same from a job is told."""
    class Slow(LocalCluster):
        def __exit__(self, *error):
            super().__exit__(*error)
            raise TimeoutError

    monkeypatch.setattr("distributed.LocalCluster", Slow)
    expected = pytest.raises(TimeoutError) if where == "within" else nullcontext()
    with expected, jobs.open_client(1, None):
        if where == "within":
            raise TimeoutError("a job took too long")


def test_a_worker_with_other_weights_is_refused(sweep, make_artifacts, tmp_path, monkeypatch):
    other = {name: "0" * 64 for name in ("tokenizer", "completion", "head")}
    monkeypatch.setattr(worker, "models_identity", lambda root: other)
    with pytest.raises(worker.WorkerError, match="tokenizer on this worker is 000.*, the sweep is about"):
        sweep.run(tmp_path / "out")


def test_the_command_keeps_results_and_refuses_those_of_others(artifacts, pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out, figures = tmp_path / "out", tmp_path / "figures.json"
    options = ["--origin", "real", "--real", str(pictures), "--artifacts", str(artifacts), "--out", str(out),
               "--snrs", "4,16", "--channels", "rayleigh", "--policies", "twist,static-high", "--receivers", "hold",
               "--realisations", "2", "--workers", "0", "--json", str(figures)]  # fmt: skip
    assert run_app(["evaluate", *options]) == 0
    first = json.loads(figures.read_text())
    assert (first["sweep"]["n_runs"], first["sweep"]["n_found"]) == (2 * 2 * 3, 0)
    results = load_results(out)
    assert len(results) == 12 and {each["config"]["origin"] for each in results} == {"real"}
    high = [each for each in results if each["config"]["policy"] == "static-high"]
    high = [row | {"esn0_db": each["config"]["esn0_db"]} for each in high for row in each["rows"]]
    counting = [row["tsmr"] for row in high if row["esn0_db"] == 16]  # at 4 dB most tokens of a fading link are lost
    (mean,) = [row["tsmr"] for row in first["means"] if row["policy"] == "static-high"]
    assert mean == pytest.approx(np.mean(counting)) and max(row["tsmr"] for row in high) > mean
    assert "confusion" not in results[0]["rows"][0]
    assert run_app(["evaluate", *options]) == 0
    again = json.loads(figures.read_text())
    assert (again["sweep"]["n_runs"], again["sweep"]["n_found"]) == (0, 12) and again["means"] == first["means"]
    capsys.readouterr()
    assert run_app(["evaluate", *options, "--priority", "none"]) == 1
    error = capsys.readouterr().err
    assert f"{out} holds results of another configuration: priority is exogenous there and none now" in error
    assert run_app(["evaluate", *options, "--priority", "oracle", "--out", str(tmp_path / "other")]) == 1
    assert "priority oracle needs labels, sequence raw_pictures has none" in capsys.readouterr().err


def test_the_oracle_loses_no_more_than_a_policy_of_its_cost(sweep, expected):
    rows = {}
    for content in map(json.loads, expected.values()):
        config, row = content["config"], content["rows"][0]
        if config["receiver"] == "full":
            rows.setdefault((config["esn0_db"], config["realisation"]), {})[config["policy"]] = row
    assert len(rows) == 6
    for policies in rows.values():
        oracle, twist = policies["oracle"], policies["twist"]
        assert oracle["cost"] <= twist["cost"] + 1e-9
        assert loss(oracle) <= loss(twist) + 1e-9


def loss(row):
    """The oracle's objective from the counts of a row: mean share of wrong tokens, plus that of wrong label parts."""
    counts = row["confusion"]
    density = np.array(counts["density"])
    wrong = sum(counts["car"][1:3]) + sum(counts["vru"][1:3]) + density.sum() - density.trace()
    assert f1_parts(counts)["f1_avg"] <= 1
    return row["tsmr"] + wrong / 3 / row["n_frames"]

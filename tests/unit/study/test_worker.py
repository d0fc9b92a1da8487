# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker does with a task: each run by itself, urgent slots and channels of its own realisation, the oracle."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenlink.channel import Channel, ChannelConfig, SnrTrajectory  # noqa: E402
from tokenlink.control import ControlConfig  # noqa: E402
from tokenlink.link.modes import load_mode_table  # noqa: E402
from tokenlink.models.inference import BatchModels, make_networks  # noqa: E402
from tokenlink.models.twist.completion import Completion, CompletionConfig  # noqa: E402
from tokenlink.models.twist.head import HeadConfig, TrafficHead  # noqa: E402
from tokenlink.models.twist.tokenizer import Tokenizer, TokenizerConfig  # noqa: E402
from tokenlink.study import oracle, worker  # noqa: E402
from tokenlink.study.dataset import Sequence  # noqa: E402
from tokenlink.study.outcomes import uniform_table  # noqa: E402
from tokenlink.study.plan import RunSpec, Setting, Task, channel_seed  # noqa: E402
from tokenlink.study.rows import result_row, series  # noqa: E402
from tokenlink.study.simulator import Simulator  # noqa: E402
from tokenlink.study.urgency import urgent_slots  # noqa: E402

TABLE = load_mode_table()
TABLES = {"table": TABLE, "uniform": uniform_table(TABLE)}
FADING = ChannelConfig("rayleigh", 11.0, trajectory=SnrTrajectory("blockwise", (0, -6, 6), 3))
SETTING = Setting("invented", "test", ControlConfig(hold_slots=1), {"models": {}})
SPECS = (RunSpec("twist", control=(("theta_low", 0.1),)), RunSpec("static-high", "uniform"), RunSpec("twist"),
         RunSpec("channel-adaptive", delay_slots=2, loss=0.4), RunSpec("twist", "hard-only"))  # fmt: skip
STATIC = ("static-low", "static-med", "static-high")


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(4)
    torch.set_num_threads(1)
    tokenizer = Tokenizer(TokenizerConfig(dim_fine=8, dim_coarse=16, blocks_fine=0, blocks_coarse=0, codebook_dim=8))
    completion = Completion(CompletionConfig(dim=16, layers=1, heads=2))
    return make_networks(tokenizer.eval(), completion.eval(), TrafficHead(HeadConfig(dim_embedding=16, dim=8)).eval())


@pytest.fixture
def compute(networks, monkeypatch):
    """Results of a task by spec and realisation."""
    monkeypatch.setattr(worker, "worker_networks", lambda *options: networks)

    def results(task, sequence):
        found = worker.compute(task, sequence, SETTING, TABLES)
        return dict(zip(task.all_runs(), found, strict=True))

    return results


@pytest.fixture(scope="module")
def sequence():
    rng = np.random.default_rng(2)
    tokens = np.tile(rng.integers(0, TABLE.vocab_size, TABLE.n_tokens), (24, 1))
    change = rng.random(tokens.shape) < 0.1
    tokens[change] = rng.integers(0, TABLE.vocab_size, change.sum())
    labels = np.column_stack([rng.integers(-1, k, 24) for k in (2, 2, 3)])
    return Sequence("a", tokens.astype(np.int16), labels, "invented")


def alone(networks, sequence, spec, number):
    """Row, series and trace of a run in a simulator of its own."""
    channel = Channel(FADING, channel_seed("a", number))
    urgent = urgent_slots("exogenous", sequence, number)
    simulator = Simulator(sequence.token_ids, [channel], TABLES, BatchModels(networks), urgent[None])
    run = worker.make_run(spec, 0, SETTING.control)
    (trace,) = simulator.run([run])
    states, outcomes = simulator.states_of(trace), simulator.outcomes_of(run)
    known = states, simulator.token_ids, sequence.labels, urgent, outcomes
    table = TABLES["uniform" if spec.receiver == "uniform" else "table"]
    return result_row(trace, *known, table), series(trace, *known), trace


def test_each_run_of_a_task_is_what_it_is_alone(networks, compute, sequence):
    runs = tuple((spec, number) for number in (7, 2) for spec in SPECS)
    found = compute(Task("a", FADING, (7, 2), SPECS, True, runs[:-1]), sequence)
    assert len(found) == 9 and len({row["cost"] for _, row, _ in found.values()}) > 3
    for (spec, number), (config, row, kept) in found.items():
        expected, arrays, _ = alone(networks, sequence, spec, number)
        assert row == expected, (spec, number)
        assert (config["policy"], config["realisation"], config["receiver"]) == (spec.policy, number, spec.receiver)
        assert kept.keys() == arrays.keys()
        for name, values in arrays.items():
            np.testing.assert_array_equal(kept[name], values, err_msg=name)
    assert compute(Task("a", FADING, (2,), SPECS[2:3]), sequence)[SPECS[2], 2][2] is None, "no series unless asked"


def test_the_oracle_chooses_among_all_modes_by_their_losses_within_the_cost_of_twist(networks, compute, sequence,
                                                                                     monkeypatch):  # fmt: skip
    asked = []

    def spy(losses, costs, mean_cost):
        asked.append((np.array(losses), np.array(costs), mean_cost))
        return real(losses, costs, mean_cost)

    real = oracle.best_sequence
    monkeypatch.setattr(oracle, "best_sequence", spy)
    found = compute(Task("a", FADING, (1, 4), (RunSpec("oracle"),)), sequence)
    known = sequence.labels >= 0
    for number, (losses, costs, limit) in zip((1, 4), asked, strict=True):
        runs = {name: alone(networks, sequence, RunSpec(name), number) for name in (*STATIC, "twist")}
        for mode_id, name in enumerate(STATIC):
            trace = runs[name][2]
            wrong = [(known[i] & (sequence.labels[i] != trace.predicted[i])).sum() / max(known[i].sum(), 1)
                     for i in range(24)]  # fmt: skip
            np.testing.assert_allclose(losses[mode_id], trace.n_mismatched / TABLE.n_tokens + wrong)
        assert costs.tolist() == [0.75, 1.0, 1.5] and limit == pytest.approx(runs["twist"][0]["cost"])
        row = found[RunSpec("oracle"), number][1]
        assert row["cost"] <= limit + 1e-9
        assert row["oracle_is"] in ("lagrangian", *STATIC, "twist", "channel-adaptive")
        if row["oracle_is"] in runs:
            assert row["tsmr"] == runs[row["oracle_is"]][0]["tsmr"]


def test_a_run_has_what_its_spec_says():
    control = replace(ControlConfig(), hold_slots=3)
    run = worker.make_run(RunSpec("twist", "hold", 4, 0.25, (("hold_slots", 7), ("fallback_mode", 1))), 2, control)
    assert (run.channel_index, run.receiver, run.hold_slots, run.prior) == (2, "hold", 7, "off")
    assert (run.feedback.loss_probability, run.feedback.delay_slots, run.policy.fallback_mode) == (0.25, 4, 1)
    assert worker.make_run(RunSpec("twist", prior="3"), 0, control).prior == "3"


def test_weights_that_are_not_those_of_the_sweep_are_named(monkeypatch):
    monkeypatch.setattr(worker, "models_identity", lambda root: {"head": "h", "tokenizer": "t"})
    monkeypatch.setattr(worker, "load_networks", lambda root, table: object())
    monkeypatch.setattr(worker, "_loaded", {})
    first = worker.worker_networks("x", {"head": "h"}, TABLE)
    assert worker.worker_networks("x", {"head": "h"}, TABLE) is first
    assert worker.worker_networks("y", {"head": "h"}, TABLE) is not first
    assert worker.worker_networks("x", {"head": "h", "tokenizer": "t"}, TABLE) is not first
    for expected, message in (({"head": "other"}, "head on this worker is h, the sweep is about other"),
                              ({"head": "h", "predictor": "p"}, "predictor on this worker is None")):  # fmt: skip
        with pytest.raises(worker.WorkerError, match=message):
            worker.worker_networks("x", expected, TABLE)

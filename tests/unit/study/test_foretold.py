# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs with a prior in the simulator against the twin and the simulated link, slot by slot: the same, exactly."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from tokenlink.channel import Channel, ChannelConfig  # noqa: E402
from tokenlink.control import load_controller, make_policy  # noqa: E402
from tokenlink.link.modes import load_mode_table  # noqa: E402
from tokenlink.loop.foretelling import Expectations  # noqa: E402
from tokenlink.loop.run_config import RunConfig  # noqa: E402
from tokenlink.loop.simulated_radio import SimulatedLink  # noqa: E402
from tokenlink.loop.twin import make_twin  # noqa: E402
from tokenlink.models.inference import BatchModels, load_networks, one_frame  # noqa: E402
from tokenlink.study.foretold import PRIORS  # noqa: E402
from tokenlink.study.plan import RunSpec, study_tasks  # noqa: E402
from tokenlink.study.simulator import Run, Simulator  # noqa: E402
from tokenlink.systems import system_named  # noqa: E402
from tokenlink.wire import TokenFrame  # noqa: E402

TABLE = load_mode_table()
N_FRAMES = 12


@pytest.fixture(scope="module")
def networks():
    return load_networks(None, TABLE)


def moving(n_frames=N_FRAMES):
    """Frames of which a fifth of the tokens changes from one to the next; all of them before the ninth."""
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, TABLE.vocab_size, TABLE.n_tokens)]
    for slot in range(1, n_frames):
        other = rng.integers(0, TABLE.vocab_size, TABLE.n_tokens)
        frames.append(np.where(rng.random(TABLE.n_tokens) < (1.0 if slot == 8 else 0.2), other, frames[-1]))
    return np.stack(frames).astype(np.int32)


def slot_by_slot(token_ids, config, networks):
    """States, erasures, confidences, modes and doubts of the twin that the loop runs."""
    twin = make_twin(one_frame(networks), config, TABLE)
    expectations = Expectations(TABLE, config.prior)
    link = SimulatedLink(Channel(config.channel, config.seed), TABLE, system_named("twist").payload, expectations.of)
    states, erased, confidence, modes, doubts = [], [], [], [], []
    for slot, frame in enumerate(token_ids):
        expectations.put(twin.foretelling.prior(slot))
        modes.append(twin.control.mode_id)
        estimate, report = link.transfer(TokenFrame(slot, 0, frame), modes[-1])
        twin.step(estimate, report)
        states.append(twin.state)
        erased.append(estimate.erased)
        confidence.append(estimate.confidence)
        doubts.append(report.drops["prior"]["doubt"])
    return map(np.stack, (states, erased, confidence, modes)), doubts


CASES = [("once", "rayleigh", 11.0, "twist"), ("3", "awgn", 7.0, "twist"), ("0", "awgn", 9.0, "twist"),
         ("once", "rayleigh", 11.0, "twin-aware")]  # fmt: skip


@pytest.mark.parametrize(("prior", "model", "esn0_db", "policy"), CASES)
def test_the_simulator_is_twin_and_link(networks, prior, model, esn0_db, policy):
    token_ids, control = moving(), load_controller()
    config = RunConfig("x", N_FRAMES, 5, ChannelConfig(model, esn0_db), policy=policy, control=control, prior=prior)
    (states, erased, confidence, modes), doubts = slot_by_slot(token_ids, config, networks)
    simulator = Simulator(token_ids, [Channel(config.channel, 5)], {"table": TABLE}, BatchModels(networks))
    run = Run(0, make_policy(policy, control), prior=prior, hold_slots=control.hold_slots)
    beside = Run(0, make_policy("static-low", control), prior="2")
    trace, _ = simulator.run([run, beside])
    np.testing.assert_array_equal(simulator.states_of(trace), states)
    np.testing.assert_array_equal(trace.mode_ids, modes)
    np.testing.assert_array_equal([each.erased for each in trace.receptions], erased)
    np.testing.assert_array_equal([each.confidence for each in trace.receptions], confidence)
    assert [None if each.cells is None else each.doubt for each in trace.receptions] == doubts
    assert {None, 1.0} <= {*doubts} and min(d for d in doubts if d) < 0.5  # first frame, scene cut, and the others
    assert 0 < erased.mean() < 1 and len(set(modes)) > 1


def test_runs_without_a_prior_are_what_they_are_beside_runs_with_one(networks):
    token_ids, control = moving(), load_controller()

    def traces(priors):
        channels = [Channel(ChannelConfig("awgn", 8.0), 2)]
        simulator = Simulator(token_ids, channels, {"table": TABLE}, BatchModels(networks))
        return simulator, simulator.run([Run(0, make_policy("static-low", control), prior=each) for each in priors])

    (alone, (one,)), (beside, (same, *others)) = traces(["off"]), traces(["off", "once", "genie"])
    np.testing.assert_array_equal(alone.states_of(one), beside.states_of(same))
    assert not same.receptions and all(len(each.receptions) == N_FRAMES for each in others)
    assert beside.told_outcomes(Run(0, None), same) is beside.outcomes_of(Run(0, None))
    wrong = [trace.n_mismatched.mean() for trace in (same, *others)]
    assert wrong[0] > wrong[1] >= wrong[2]


def test_what_is_counted_is_what_the_run_decided(networks):
    token_ids, control = moving(), load_controller()
    channels = [Channel(ChannelConfig("awgn", 8.0), 2)]
    simulator = Simulator(token_ids, channels, {"table": TABLE}, BatchModels(networks))
    run = Run(0, make_policy("static-low", control), prior="2")
    (trace,) = simulator.run([run])
    outcomes = simulator.told_outcomes(run, trace)
    for slot, reception in enumerate(trace.receptions):
        cells = outcomes.reliability(slot, int(trace.mode_ids[slot])).sum(axis=(0, 1))
        right = (reception.token_ids == token_ids[slot]).sum()
        np.testing.assert_allclose(cells, [TABLE.n_tokens, reception.confidence.sum(dtype=float), right], rtol=1e-5)
    figures = outcomes.prior_figures()
    assert figures["n_slots"] == N_FRAMES - 1 and 0 < figures["exchanges"] <= 2 and figures["news_bits"] > 1


def test_priors_that_cannot_be_run():
    with pytest.raises(ValueError, match=r"prior is 'often', expected one of off, once, 0, .*genie"):
        RunSpec("twist", prior="often")
    with pytest.raises(ValueError, match="prior is 'once' with receiver 'hold', expected receiver full"):
        RunSpec("twist", "hold", prior="once")
    with pytest.raises(ValueError, match="prior is 'genie' with policy oracle"):
        RunSpec("oracle", prior="genie")
    with pytest.raises(ValueError, match="prior is 'no'"):
        Run(0, None, prior="no")
    with pytest.raises(ValueError, match="prior is 'off' with a policy that decides by what the twin expects"):
        RunSpec("twin-aware")
    with pytest.raises(ValueError, match="prior is 'off' with a policy"):
        Run(0, make_policy("twin-aware", load_controller()))


def test_results_without_a_prior_keep_their_names():
    assert "prior" not in RunSpec("twist").as_dict()
    assert {RunSpec("twist", prior=each).as_dict().get("prior", "off") for each in PRIORS} == set(PRIORS)
    assert replace(RunSpec("twist", prior="once"), prior="off") == RunSpec("twist")


def test_the_study_asks_for_every_policy_with_and_without(networks):
    class Frames:
        name = "one"

        def __len__(self):
            return 3

    tasks = study_tasks("prior", [Frames()], load_controller(), realisations=1)
    specs, every = set(tasks[0].specs), {"off", "once", "3", "genie"}
    for policy in ("static-low", "static-med", "static-high", "twist", "channel-adaptive"):
        assert {spec.prior for spec in specs if spec.policy == policy} == every
    assert {spec.prior for spec in specs if spec.policy == "twin-aware"} == every - {"off"}
    assert {task.channel.model for task in tasks} == {"awgn", "rayleigh"}

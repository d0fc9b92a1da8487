# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator against the nodes' own objects, one frame at a time, and its receivers against their definitions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenlink.channel import Channel, ChannelConfig, SnrTrajectory  # noqa: E402
from tokenlink.control import FORESEEING, POLICIES, ControlConfig, FeedbackConfig, make_policy  # noqa: E402
from tokenlink.link.mode_schedule import ModeSchedule  # noqa: E402
from tokenlink.link.modes import load_mode_table  # noqa: E402
from tokenlink.loop.run_config import RunConfig  # noqa: E402
from tokenlink.loop.simulated_radio import SimulatedLink  # noqa: E402
from tokenlink.loop.twin import Twin  # noqa: E402
from tokenlink.models.inference import NO_TOKEN, BatchModels, make_networks, one_frame  # noqa: E402
from tokenlink.models.twist.completion import Completion, CompletionConfig  # noqa: E402
from tokenlink.models.twist.head import HeadConfig, TrafficHead  # noqa: E402
from tokenlink.models.twist.tokenizer import Tokenizer, TokenizerConfig  # noqa: E402
from tokenlink.phy import ldpc  # noqa: E402
from tokenlink.study.outcomes import HARD_LLR, Outcomes, harden, uniform_table  # noqa: E402
from tokenlink.study.simulator import Run, Simulator  # noqa: E402
from tokenlink.systems import system_named  # noqa: E402
from tokenlink.wire import TokenFrame  # noqa: E402

TABLE = load_mode_table()
N_FRAMES = 12
FADING = ChannelConfig("rayleigh", 13.0, trajectory=SnrTrajectory("blockwise", (0, -5, 6), 2))


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(4)
    torch.set_num_threads(1)
    tokenizer = Tokenizer(TokenizerConfig(dim_fine=8, dim_coarse=16, blocks_fine=0, blocks_coarse=0, codebook_dim=8))
    torch.nn.init.normal_(tokenizer.quantizer._codebook.embed)
    completion = Completion(CompletionConfig(dim=16, layers=1, heads=2))
    torch.nn.init.normal_(completion.copy_gain.weight, std=0.3)
    head = TrafficHead(HeadConfig(dim_embedding=16, dim=8))
    return make_networks(tokenizer.eval(), completion.eval(), head.eval())


@pytest.fixture(scope="module")
def token_ids():
    rng = np.random.default_rng(3)
    tokens = np.tile(rng.integers(0, TABLE.vocab_size, TABLE.n_tokens), (N_FRAMES, 1))
    change = rng.random(tokens.shape) < 0.1
    tokens[change] = rng.integers(0, TABLE.vocab_size, change.sum())
    return tokens.astype(np.int16)


def simulator(networks, token_ids, seeds=(5,), channel=FADING, urgent=None):
    tables = {"table": TABLE, "uniform": uniform_table(TABLE)}
    return Simulator(token_ids, [Channel(channel, seed) for seed in seeds], tables, BatchModels(networks), urgent)


def through_nodes(networks, token_ids, run):
    """Modes, states and erased tokens as the objects of the nodes give them."""
    link = SimulatedLink(Channel(run.channel, run.seed), TABLE, system_named(run.system).payload)
    twin = Twin(one_frame(networks, run.completion), run, TABLE.n_tokens)
    schedule = ModeSchedule(make_policy(run.policy, run.control).fallback_mode, run.control.hold_slots)
    rows = []
    for slot, tokens in enumerate(token_ids):
        command = twin.feedback.command(slot)
        schedule.begin(slot) if command is None else schedule.command(slot, command)
        mode_id = schedule.mode_of(slot)[0]
        estimate, _ = link.transfer(TokenFrame(slot, 0, tokens.astype(np.int32)), mode_id)
        record, _ = twin.step(estimate)
        said = [record["predicted"][key] for key in ("car", "vru", "density")]
        wrong = (~estimate.erased & (estimate.token_ids != tokens)).sum()
        risk = np.nan if record["risk"] is None else record["risk"]
        rows.append((mode_id, twin.state, estimate.erased, said, record["d"], record["gamma"], wrong, risk))
    return [np.array(column) for column in zip(*rows, strict=True)]


SCENARIOS = [
    *((policy, FeedbackConfig(), "full") for policy in POLICIES if policy not in FORESEEING),  # these in test_foretold
    ("twist", FeedbackConfig(delay_slots=3), "full"),
    ("twist", FeedbackConfig(0.5), "full"),
    ("channel-adaptive", FeedbackConfig(0.3, delay_slots=2), "full"),
    ("twist", FeedbackConfig(), "hold"),
]


def test_many_runs_at_once_are_each_what_the_nodes_do(networks, token_ids):
    control, urgent = ControlConfig(hold_slots=1), (3, 4, 8)
    seeds = (5, 6)
    slots = np.isin(np.arange(N_FRAMES), urgent)
    sim = simulator(networks, token_ids, seeds, urgent=np.stack([slots, slots]))
    runs = [Run(i, make_policy(policy, control), receiver, feedback, control.hold_slots)
            for policy, feedback, receiver in SCENARIOS for i in range(len(seeds))]  # fmt: skip
    traces = sim.run(runs)
    modes = set()
    for run, trace, (policy, feedback, receiver), seed in zip(
        runs, traces, [s for s in SCENARIOS for _ in seeds], seeds * len(SCENARIOS), strict=True
    ):
        completion = "copy" if receiver == "hold" else "model"
        config = RunConfig("x", N_FRAMES, seed, FADING, policy, control, feedback, urgent, completion)
        mode_ids, states, erased, said, drift, quality, wrong, risk = through_nodes(networks, token_ids, config)
        assert np.array_equal(trace.mode_ids, mode_ids), (policy, feedback, seed)
        assert np.array_equal(sim.states_of(trace), states)
        assert np.array_equal(trace.predicted, said)
        assert np.array_equal(trace.drift, drift) and np.array_equal(trace.quality, quality)
        assert np.array_equal(trace.n_erased, erased.sum(1)) and np.array_equal(trace.n_accepted_wrong, wrong)
        assert np.array_equal(trace.risk, risk, equal_nan=True)
        for slot in range(N_FRAMES):
            assert np.array_equal(sim.received(run, slot, mode_ids[slot])[1], erased[slot])
        assert np.array_equal(trace.n_mismatched, (states != token_ids).sum(1))
        modes |= set(mode_ids.tolist())
    assert modes == {0, 1, 2} and 0 < np.mean([t.n_erased.mean() for t in traces]) < TABLE.n_tokens


def test_outcomes_asked_for_one_by_one_are_those_computed_together(token_ids):
    together, apart = (Outcomes(token_ids, Channel(FADING, 9), TABLE) for _ in range(2))
    for mode_id in range(3):
        together.compute(mode_id)
        for slot in reversed(range(N_FRAMES)):
            for left, right in zip(together.get(slot, mode_id), apart.get(slot, mode_id), strict=True):
                assert np.array_equal(left, right)


def test_reliability_counts_every_token_once(token_ids):
    outcomes = Outcomes(token_ids, Channel(replace(FADING, esn0_db=8.0), 9), TABLE)
    for slot in range(N_FRAMES):
        sent, (ids, confidence) = token_ids[slot], outcomes.get(slot, 0)
        cells = outcomes.reliability(slot, 0)
        assert cells[..., 0].sum() == TABLE.n_tokens and cells[..., 2].sum() == (ids == sent).sum()
        assert cells[..., 1].sum() == pytest.approx(confidence.sum(), rel=1e-5)
        for group, positions in enumerate(TABLE.group_positions):
            first = cells[group, :1, 0].sum()
            assert first == (confidence[positions] < 1 / 20).sum()


def test_receivers_do_what_their_names_say(networks, token_ids):
    sim = simulator(networks, token_ids, channel=ChannelConfig("awgn", 7.0))
    names = ("full", "no-gating", "no-completion", "hold", "hard-only", "uniform")
    runs = [Run(0, make_policy("static-med"), name) for name in names]
    by_name = dict(zip(names, sim.run(runs), strict=True))
    assert by_name["no-gating"].n_erased.sum() == by_name["hard-only"].n_erased.sum() == 0
    assert by_name["full"].n_erased.sum() == by_name["no-completion"].n_erased.sum() > 0
    empty = (sim.states_of(by_name["no-completion"]) == NO_TOKEN).sum(1)
    assert np.array_equal(empty, by_name["full"].n_erased)
    for slot in range(N_FRAMES):
        decided = sim.received(runs[1], slot, 1)[0]
        assert np.array_equal(sim.states_of(by_name["no-gating"])[slot], decided)
        erased = sim.received(runs[3], slot, 1)[1]
        kept = sim.states_of(by_name["hold"])
        assert np.array_equal(kept[slot][erased], kept[slot - 1][erased] if slot else np.zeros(erased.sum()))
    # Soft decoding is worth about 2 dB, and wrong tokens count whatever is done with them.
    assert by_name["hard-only"].n_accepted_wrong.sum() > by_name["no-gating"].n_accepted_wrong.sum()
    assert by_name["no-gating"].n_accepted_wrong.sum() > by_name["full"].n_accepted_wrong.sum()


def test_blind_completion_is_told_nothing_of_what_is_erased(networks, token_ids):
    sim = simulator(networks, token_ids, channel=ChannelConfig("awgn", 7.0))
    runs = [Run(0, make_policy("static-med"), name) for name in ("blind-completion", "full")]
    blind, full = sim.run(runs)
    model, previous = one_frame(networks), None
    for slot, state in enumerate(sim.states_of(blind)):
        tokens, erased, confidence = sim.received(runs[0], slot, 1)
        # Whatever stands under an erasure, the state is the same.
        hidden = np.where(erased, (tokens + 1 + slot) % TABLE.vocab_size, tokens).astype(np.int32)
        told = hidden, erased, np.where(erased, 0, confidence).astype(np.float32)
        previous = np.where(erased, model.complete(*told, previous), tokens)
        assert np.array_equal(state, previous)
    assert np.array_equal(blind.n_erased, full.n_erased)
    assert (sim.states_of(blind) != sim.states_of(full)).any()


def test_uniform_protection_has_one_rate_a_mode_and_keeps_the_budget():
    table = uniform_table(TABLE)
    rates = [set(mode.code_rates) for mode in table.modes]
    assert rates == [{Fraction(2, 3)}, {Fraction(1, 2)}, {Fraction(1, 3)}]
    assert [table.total_channel_uses(mode) for mode in table.modes] == [960, 1280, 1920]
    assert [mode.budget for mode in table.modes] == [mode.budget for mode in TABLE.modes]
    with pytest.raises(ValueError, match="no code rate of 1/3 fits the budget 960 of mode low"):
        uniform_table(TABLE, (Fraction(1, 3),))


def test_uniform_protection_of_a_table_whose_groups_are_alike_is_its_own():
    table = load_mode_table("prior")
    assert uniform_table(table).modes == table.modes


def test_hard_llrs_carry_bits_only_and_their_size_changes_nothing():
    code = ldpc.LdpcCode(200, 400, ldpc.choose_base_graph(200, 0.5), 4)
    rng = np.random.default_rng(1)
    bits = ldpc.encode(code, rng.integers(0, 2, (20, 200), dtype=np.uint8))
    llr = np.where(rng.random(bits.shape) < 0.05, -1, 1) * (1.0 - 2.0 * bits) * rng.exponential(2, bits.shape)
    hard = harden(llr.astype(np.float32))
    assert set(np.unique(hard)) == {-HARD_LLR, HARD_LLR} and np.array_equal(hard < 0, llr < 0)
    decided = [ldpc.decode(code, (hard * scale).astype(np.float32)).app_llr < 0 for scale in (0.25, 1.0, 2.0)]
    assert np.array_equal(decided[0], decided[1]) and np.array_equal(decided[1], decided[2])


def test_a_run_holds_its_mode_as_long_as_a_controller_that_says_nothing():
    assert Run(0, None).hold_slots == ControlConfig().hold_slots


@pytest.mark.parametrize("name", ["read", "complete"])
def test_a_model_that_leaves_one_out_is_noticed(networks, token_ids, name, monkeypatch):
    sim = simulator(networks, token_ids, (5, 6, 7), channel=ChannelConfig("awgn", 7.0))
    whole = getattr(sim.models, name)
    monkeypatch.setattr(sim.models, name, lambda *inputs: whole(*inputs)[:-1])
    with pytest.raises(ValueError, match="shorter|longer"):
        sim.run([Run(i, make_policy("static-med")) for i in range(3)])


def test_an_unknown_demapping_is_refused(token_ids):
    with pytest.raises(ValueError, match="demapping is 'firm', expected one of soft, hard"):
        Outcomes(token_ids, Channel(FADING, 1), TABLE, "firm")

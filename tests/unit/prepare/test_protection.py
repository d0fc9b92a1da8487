# SPDX-License-Identifier: GPL-3.0-or-later
"""Error rates against direct simulation and counting, the exact search against another search and a case by hand."""

from fractions import Fraction

import numpy as np
import pytest

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.link.modes import load_mode_table
from tokenlink.link.twist import decode_frame, encode_frame
from tokenlink.link.twist import group_code as link_code
from tokenlink.phy import ldpc, qam
from tokenlink.prepare.error_rates import ErrorCurve, group_code, mean_error_rate, measure_curve, on_channel
from tokenlink.prepare.protection import all_profiles

HALF = Fraction(1, 2)


def test_codes_are_those_of_the_link():
    table = load_mode_table()
    for mode in table.modes:
        for group, positions in enumerate(table.group_positions):
            code, uses = group_code(len(positions), mode.code_rates[group], 10, table.modulation)
            same = link_code(table, mode, group)
            assert uses == table.channel_uses(mode, group)
            assert (code.k, code.n, code.base_graph) == (same.k, same.n, same.base_graph)
            assert np.array_equal(code.positions, same.positions)


def test_error_rate_is_all_without_signal_and_none_without_noise():
    """8 tokens of 10 bits: at -30 dB a token is right once in 1024, at 30 dB nothing goes wrong; 40 blocks, seed 2."""
    code, _ = group_code(8, HALF, 10, "16qam")
    curve = measure_curve(code, 10, "16qam", (-30.0, 30.0), 40, 20, np.random.default_rng(2))
    assert curve.token_error_rate[0] > 0.97
    assert curve.token_error_rate[1] == 0 and curve.half_width[1] == pytest.approx(3 / 40)


def test_fading_is_the_integral_over_the_measured_curve():
    """Rate 1/2, 64 tokens. The curve: 120 blocks a level. Directly: 600 faded slots of the channel the radio uses, at
    8 dB, seed 5, counted one by one; tokens of a slot fail together, so that the bound is 4 sigma of a share among
    600, and 0.01 for the curve."""
    code, _ = group_code(64, HALF, 10, "16qam")
    curve = measure_curve(code, 10, "16qam", np.arange(-2, 10, 0.5), 120, 20, np.random.default_rng(6))
    wrong, channel = [], Channel(ChannelConfig("rayleigh", 8.0), 5)
    rng = np.random.default_rng(7)
    info = rng.integers(0, 2, (600, code.k), dtype=np.uint8)
    sent = qam.map_bits(ldpc.encode(code, info), "16qam")
    for slot in range(len(sent)):
        received, state = channel.transmit(sent[slot], slot)
        llr = qam.demap(received, state.n0, "16qam", channel_gain=np.complex64(state.channel_gain))
        app = ldpc.decode(code, llr[None], 20).app_llr[0]
        wrong.append(((app < 0) != info[slot]).reshape(-1, 10).any(1).mean())
    said = float(on_channel(curve, "rayleigh", 8.0))
    assert abs(said - np.mean(wrong)) < 0.01 + 4 * np.sqrt(said * (1 - said) / 600)


def test_fading_integral_has_the_closed_form_of_an_outage():
    """A code that always fails below 4 dB and never above fails with probability 1 - exp(-10^0.4 / mean)."""
    step = ErrorCurve(np.array([-10.0, 3.999, 4.001, 20.0]), np.array([1.0, 1.0, 0.0, 0.0]), np.zeros(4), 1)
    for mean_db in (0.0, 10.0, 20.0):
        outage = 1 - np.exp(-(10**0.4) / 10 ** (mean_db / 10))
        assert on_channel(step, "rayleigh", mean_db) == pytest.approx(outage, rel=5e-3)
    assert mean_error_rate(step, ("awgn",), (0, 2, 6, 8)) == 0.5
    with pytest.raises(ValueError, match="channel is 'tdl'"):
        on_channel(step, "tdl", 0.0)


def test_measured_rates_are_those_of_whole_frames():
    """Groups of the mode med at 7.6 dB against 60 frames of the link: 4 sigma of a share of 60 codewords, seed 9."""
    table, rng = load_mode_table(), np.random.default_rng(9)
    mode, n0 = table.mode_named("med"), 10**-0.76
    wrong = []
    for _ in range(60):
        tokens = rng.integers(0, 1024, table.n_tokens).astype(np.int32)
        sent = encode_frame(tokens, mode, table)
        noise = rng.normal(size=(len(sent), 2)) * np.sqrt(n0 / 2)
        decision = decode_frame((sent + noise @ [1, 1j]).astype(np.complex64), 1.0, n0, mode, table)
        wrong.append([(decision.token_ids != tokens)[p].mean() for p in table.group_positions])
    for group, share in enumerate(np.mean(wrong, 0)):
        code, _ = group_code(64, mode.code_rates[group], 10, table.modulation)
        said = measure_curve(code, 10, "16qam", (7.6,), 200, 20, np.random.default_rng(3)).token_error_rate[0]
        assert abs(said - share) < 0.005 + 4 * np.sqrt(max(said * (1 - said), 1e-4) / 60)


def test_search_by_hand():
    """Two groups of U = 3 and 1, rates strong (eps 0.1, 4 uses) and weak (0.5, 2 uses); 6 uses buy one strong code:
    for the group that matters 3 * 0.1 + 1 * 0.5 = 0.8, for the other 3 * 0.5 + 1 * 0.1 = 1.6."""
    eps, uses = [[0.1, 0.5]] * 2, [[4, 2]] * 2
    profiles = all_profiles([3.0, 1.0], eps, uses, 6)
    assert [(p.choice, p.feasible) for p in profiles] == [
        ((0, 1), True), ((1, 0), True), ((1, 1), True), ((0, 0), False)]  # fmt: skip
    assert [p.objective for p in profiles] == pytest.approx([0.8, 1.6, 2.0, 0.4])
    assert all_profiles([3.0, 1.0], eps, uses, 8)[0].choice == (0, 0)
    with pytest.raises(ValueError, match="budget is 3.*needs 4"):
        all_profiles([3.0, 1.0], eps, uses, 3)


def best_by_recursion(utilities, eps, uses, budget):
    """Least objective within the budget, group after group (dynamic programming, no enumeration of profiles)."""
    best = {0: 0.0}
    for u, row, cost in zip(utilities, eps, uses, strict=True):
        after = {}
        for spent, value in best.items():
            for e, c in zip(row, cost, strict=True):
                if spent + c <= budget:
                    after[spent + c] = min(after.get(spent + c, np.inf), value + u * e)
        best = after
    return min(best.values(), default=None)


@pytest.mark.parametrize("seed", range(12))
def test_search_finds_what_another_method_finds(seed):
    rng = np.random.default_rng(seed)
    n_groups, n_rates = rng.integers(1, 5), rng.integers(1, 5)
    utilities, eps = rng.gamma(1, size=n_groups), np.sort(rng.random((n_groups, n_rates)))
    uses = np.sort(rng.integers(1, 40, (n_groups, n_rates)))[:, ::-1]
    budget = int(rng.integers(uses.min(1).sum(), uses.max(1).sum() + 1))
    profiles = all_profiles(utilities, eps, uses, budget)
    assert len(profiles) == n_rates**n_groups
    assert profiles[0].channel_uses <= budget
    assert profiles[0].objective == pytest.approx(best_by_recursion(utilities, eps, uses, budget))

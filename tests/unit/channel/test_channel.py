# SPDX-License-Identifier: GPL-3.0-or-later
"""Channel models against closed-form distributions, with seeds, sample counts and bounds."""

import numpy as np
import pytest
from scipy import special, stats

from tokenlink.channel import Channel, ChannelConfig, SnrTrajectory, apply, awgn, block_fading, n0_from_esn0_db

N_DRAWS = 20_000
ALPHA = 1e-4  # false-alarm probability of each statistical test, seeds are fixed


def gains(model, **kwargs):
    rng = np.random.default_rng(1)
    return np.array([block_fading(rng, model, **kwargs) for _ in range(N_DRAWS)])


def test_awgn_noise_has_the_stated_variance_per_dimension():
    n0 = 0.3
    noise = awgn(np.zeros(N_DRAWS, np.complex64), n0, np.random.default_rng(2))
    assert noise.dtype == np.complex64
    for part in (noise.real, noise.imag):
        statistic = np.sum(part.astype(float) ** 2) / (n0 / 2)
        low, high = stats.chi2.ppf([ALPHA / 2, 1 - ALPHA / 2], N_DRAWS)
        assert low < statistic < high
        assert stats.kstest(part / np.sqrt(n0 / 2), "norm").pvalue > ALPHA
    assert abs(np.corrcoef(noise.real, noise.imag)[0, 1]) < 4 / np.sqrt(N_DRAWS)


def test_awgn_without_noise_returns_the_symbols():
    symbols = np.array([1 + 1j, -1j], np.complex64)
    assert np.array_equal(awgn(symbols, 0.0, np.random.default_rng(0)), symbols)


def test_rayleigh_gain_matches_its_distribution():
    h = gains("rayleigh")
    assert stats.kstest(np.abs(h), stats.rayleigh(scale=np.sqrt(0.5)).cdf).pvalue > ALPHA
    assert stats.kstest(np.angle(h), stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > ALPHA
    # |h|^2 is exponential with mean and standard deviation 1
    assert abs(np.mean(np.abs(h) ** 2) - 1) < 4 / np.sqrt(N_DRAWS)


@pytest.mark.parametrize("k_factor_db", [-5.0, 3.0, 12.0])
def test_rician_envelope_matches_its_distribution(k_factor_db):
    h = gains("rician", k_factor_db=k_factor_db)
    k_factor = 10 ** (k_factor_db / 10)
    scale = np.sqrt(0.5 / (k_factor + 1))
    envelope = stats.rice(b=np.sqrt(2 * k_factor), scale=scale)
    assert stats.kstest(np.abs(h), envelope.cdf).pvalue > ALPHA
    power_std = np.sqrt(1 + 2 * k_factor) / (1 + k_factor)
    assert abs(np.mean(np.abs(h) ** 2) - 1) < 4 * power_std / np.sqrt(N_DRAWS)


def test_awgn_model_has_unit_gain():
    assert block_fading(np.random.default_rng(0), "awgn") == 1


def test_qpsk_bit_errors_over_rayleigh_match_the_closed_form():
    # Mean over |h|^2 of Q(sqrt(|h|^2 / n0)) = (1 - sqrt(g / (1 + g))) / 2, g = Es / (2 n0)
    config = ChannelConfig("rayleigh", esn0_db=8.0)
    channel = Channel(config, seed=3)
    n_slots, n_symbols = 4000, 32
    rng = np.random.default_rng(4)
    per_slot = np.empty(n_slots)
    for slot in range(n_slots):
        bits = rng.integers(0, 2, (n_symbols, 2))
        symbols = ((1 - 2 * bits[:, 0]) + 1j * (1 - 2 * bits[:, 1])) / np.sqrt(2)
        received, state = channel.transmit(symbols, slot)
        equalised = received * np.conj(state.channel_gain)
        per_slot[slot] = np.mean(np.stack([equalised.real < 0, equalised.imag < 0], axis=1) != bits)
    gain = 0.5 / n0_from_esn0_db(8.0)
    expected = 0.5 * (1 - np.sqrt(gain / (1 + gain)))
    assert abs(per_slot.mean() - expected) < 4 * per_slot.std() / np.sqrt(n_slots)


def test_bpsk_bit_errors_over_awgn_match_the_closed_form():
    n_bits = 200_000
    rng = np.random.default_rng(5)
    state = Channel(ChannelConfig("awgn", esn0_db=5.0), seed=0).draw(0)
    bits = rng.integers(0, 2, n_bits)
    errors = np.mean((apply(1.0 - 2.0 * bits, state, rng).real < 0) != bits)
    expected = 0.5 * special.erfc(np.sqrt(10**0.5))
    assert abs(errors - expected) < 4 * np.sqrt(expected / n_bits)


def test_gauss_markov_has_the_stated_deviation_and_correlation():
    rho, std_db, n_slots = 0.9, 3.0, 100_000
    walk = SnrTrajectory("gauss-markov", std_db=std_db, correlation=rho).offsets_db(n_slots, np.random.default_rng(6))
    # Independent samples an AR(1) walk is worth: for its mean n(1-rho)/(1+rho), for its power n(1-rho^2)/(1+rho^2)
    assert abs(walk.mean()) < 4 * std_db * np.sqrt((1 + rho) / (1 - rho) / n_slots)
    power_worth = n_slots * (1 - rho**2) / (1 + rho**2)
    assert abs(walk.var() / std_db**2 - 1) < 4 * np.sqrt(2 / power_worth)
    assert abs(np.corrcoef(walk[1:], walk[:-1])[0, 1] - rho) < 4 * np.sqrt((1 - rho**2) / n_slots)
    assert abs(np.corrcoef(walk[5:], walk[:-5])[0, 1] - rho**5) < 4 * np.sqrt((1 + rho**2) / (1 - rho**2) / n_slots)


def test_gauss_markov_respects_its_bounds():
    walk = SnrTrajectory("gauss-markov", std_db=10, min_db=-5, max_db=2).offsets_db(500, np.random.default_rng(7))
    assert walk.min() == -5 and walk.max() == 2


def test_blockwise_walks_through_its_levels():
    trajectory = SnrTrajectory("blockwise", levels_db=(0, -6, 3), block_slots=2)
    assert trajectory.offsets_db(8, np.random.default_rng(0)).tolist() == [0, 0, -6, -6, 3, 3, 0, 0]


def test_shuffled_blocks_use_all_levels_alike():
    trajectory = SnrTrajectory("blockwise", levels_db=(0, -6, 3), block_slots=2, shuffle=True)
    offsets = trajectory.offsets_db(12_000, np.random.default_rng(8))
    assert np.array_equal(offsets[0::2], offsets[1::2])
    assert stats.chisquare(np.unique(offsets, return_counts=True)[1] / 2).pvalue > ALPHA


@pytest.mark.parametrize("kind", ["constant", "blockwise", "gauss-markov"])
def test_a_longer_trajectory_begins_with_the_shorter(kind):
    trajectory = SnrTrajectory(kind, shuffle=True, block_slots=3)
    short = trajectory.offsets_db(100, np.random.default_rng(9))
    assert np.array_equal(trajectory.offsets_db(300, np.random.default_rng(9))[:100], short)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_slots_do_not_depend_on_the_order_of_asking(correlation):
    config = ChannelConfig("rician", fading_correlation=correlation, trajectory=SnrTrajectory("gauss-markov"))
    forward, backward = Channel(config, seed=11), Channel(config, seed=11)
    slots = [0, 5, 300, 700]
    expected = [forward.draw(slot) for slot in slots]
    assert [backward.draw(slot) for slot in reversed(slots)] == expected[::-1]
    assert Channel(config, seed=12).draw(5) != expected[1]


def test_correlated_fading_keeps_power_and_has_the_stated_correlation():
    rho, n_slots = 0.8, 5000
    channel = Channel(ChannelConfig("rayleigh", fading_correlation=rho), seed=13)
    h = np.array([channel.draw(slot).channel_gain for slot in range(n_slots)])
    worth = n_slots * (1 - rho**2) / (1 + rho**2)
    assert abs(np.mean(np.abs(h) ** 2) - 1) < 4 / np.sqrt(worth)
    assert abs(np.mean(h[1:] * np.conj(h[:-1])) - rho) < 4 / np.sqrt(worth)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_coherence_blocks_fade_on_their_own_each_like_a_slot(correlation):
    """Mean power, correlation of neighbouring slots, none between blocks: closed forms, within 4 standard errors."""
    n_slots, n_blocks = 4000, 3
    channel = Channel(ChannelConfig("rayleigh", fading_correlation=correlation, coherence_blocks=n_blocks), seed=16)
    h = np.array([channel.draw(slot).block_gains for slot in range(n_slots)])
    assert h.shape == (n_slots, n_blocks)
    bound = 4 / np.sqrt(n_slots * (1 - correlation**2) / (1 + correlation**2))
    np.testing.assert_allclose(np.mean(np.abs(h) ** 2, axis=0), 1, atol=bound)
    np.testing.assert_allclose(np.mean(h[1:] * np.conj(h[:-1]), axis=0), correlation, atol=bound)
    between = h.conj().T @ h / n_slots
    assert np.abs(between - np.diag(np.diag(between))).max() < bound
    one = Channel(ChannelConfig("rayleigh", fading_correlation=correlation), seed=16)
    assert [one.draw(slot).channel_gain for slot in range(300)] == h[:300, 0].tolist()  # more blocks change no other


@pytest.mark.parametrize("n_symbols", [1, 2, 7, 12, 1001])
def test_each_symbol_has_the_gain_of_its_block(n_symbols):
    config = ChannelConfig("rician", 100.0, rician_k_db=3.0, coherence_blocks=3)
    channel, symbols = Channel(config, seed=17), np.ones(n_symbols, np.complex64)
    received, state = channel.transmit(symbols, 5)
    ends = [(block + 1) * n_symbols // 3 for block in range(3)]
    expected = [state.block_gains[sum(k >= end for end in ends)] for k in range(n_symbols)]
    np.testing.assert_allclose(state.gains(n_symbols), expected, rtol=1e-6)
    np.testing.assert_allclose(received, expected, atol=1e-3)
    assert state.channel_gain == pytest.approx(np.mean(state.block_gains))
    power_db = 10 * np.log10(np.mean(np.abs(state.block_gains) ** 2))
    assert state.received_esn0_db == pytest.approx(100 + power_db)


def test_blocks_that_do_not_fade_are_one():
    state = Channel(ChannelConfig("awgn", coherence_blocks=4), seed=18).draw(2)
    assert state == Channel(ChannelConfig("awgn"), seed=18).draw(2) and state.gains(9) == 1


def test_noise_of_a_slot_is_repeatable_and_differs_between_slots():
    channel = Channel(ChannelConfig("awgn", esn0_db=0), seed=14)
    symbols = np.ones(64, np.complex64)
    first, _ = channel.transmit(symbols, 3)
    assert np.array_equal(first, channel.transmit(symbols, 3)[0])
    assert not np.array_equal(first, channel.transmit(symbols, 4)[0])


def test_gauss_markov_follows_its_recursion():
    rho = 0.7
    walk = SnrTrajectory("gauss-markov", std_db=2, correlation=rho).offsets_db(50, np.random.default_rng(15))
    white = 2 * np.random.default_rng(15).standard_normal(50)
    expected = white[:1].tolist()
    for each in white[1:]:
        expected.append(rho * expected[-1] + np.sqrt(1 - rho**2) * each)
    assert np.array_equal(walk, expected)


@pytest.mark.parametrize("model", ["awgn", "rayleigh"])
def test_a_far_slot_changes_nothing_before_it(model):
    config = ChannelConfig(model, fading_correlation=0.9, trajectory=SnrTrajectory("gauss-markov"))
    straight, jumping = Channel(config, seed=16), Channel(config, seed=16)
    jumping.draw(500_000)
    assert [straight.draw(slot) for slot in range(600)] == [jumping.draw(slot) for slot in range(600)]


@pytest.mark.parametrize("esn0_db", [-20.0, 40.0, -100.0, 100.0])
def test_extreme_esn0_is_kept(esn0_db):
    state = Channel(ChannelConfig("awgn", esn0_db=esn0_db), seed=0).draw(0)
    assert state.received_esn0_db == pytest.approx(esn0_db)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ChannelConfig("nakagami"), "model is 'nakagami', expected one of awgn"),
        (lambda: ChannelConfig(esn0_db=float("nan")), "esn0_db is nan, expected -100 to 100 dB"),
        (lambda: ChannelConfig(rician_k_db=float("inf")), "rician_k_db is inf, expected -100 to 100 dB"),
        (lambda: ChannelConfig(fading_correlation=1.0), "fading_correlation is 1.0, expected 0 <= correlation < 1"),
        (lambda: ChannelConfig(coherence_blocks=0), "coherence_blocks is 0, expected a whole number in 1..64"),
        (lambda: ChannelConfig(coherence_blocks=65), "coherence_blocks is 65, expected a whole number in 1..64"),
        (lambda: ChannelConfig(coherence_blocks=1.5), "coherence_blocks is 1.5, expected a whole number in 1..64"),
        (lambda: SnrTrajectory("sawtooth"), "kind is 'sawtooth', expected one of constant"),
        (lambda: SnrTrajectory(block_slots=0), "block_slots is 0, expected >= 1"),
        (lambda: SnrTrajectory(levels_db=()), "levels_db is .*, expected at least one finite level"),
        (lambda: SnrTrajectory(std_db=-1), "std_db is -1, expected a finite number >= 0"),
        (lambda: SnrTrajectory(correlation=1.0), "^correlation is 1.0, expected 0 <= correlation < 1"),
        (lambda: SnrTrajectory(min_db=1, max_db=0), "min_db is 1, expected <= max_db"),
        (lambda: Channel(ChannelConfig(), seed=-1), "seed is -1, expected >= 0"),
        (lambda: Channel(ChannelConfig(), seed=0).draw(-1), "slot is -1, expected >= 0"),
        (lambda: block_fading(np.random.default_rng(0), "nakagami"), "model is 'nakagami', expected one of awgn"),
        (lambda: awgn(np.ones(2), -1.0, np.random.default_rng(0)), "n0 is -1.0, expected a finite number >= 0"),
        (lambda: n0_from_esn0_db(float("inf")), "esn0_db is inf, expected -100 to 100 dB"),
    ],
)
def test_values_out_of_range_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("field", ["esn0_db", "rician_k_db"])
@pytest.mark.parametrize("value", [4000.0, -4000.0, 100.1, -100.1])
def test_decibels_beyond_the_range_are_refused(field, value):
    with pytest.raises(ValueError, match=f"^{field} is {value}, expected -100 to 100 dB$"):
        ChannelConfig(**{field: value})


@pytest.mark.parametrize(
    ("esn0_db", "trajectory"),
    [
        (99.0, SnrTrajectory("blockwise", levels_db=(0, 2))),
        (-99.0, SnrTrajectory("blockwise", levels_db=(0, -2))),
        (41.0, SnrTrajectory("gauss-markov")),
        (0.0, SnrTrajectory("gauss-markov", max_db=float("inf"))),
        (-41.0, SnrTrajectory("gauss-markov")),
    ],
)
def test_nominal_and_trajectory_stay_in_the_range_together(esn0_db, trajectory):
    with pytest.raises(ValueError, match=f"^esn0_db is {esn0_db}, and .* with its trajectory, expected -100 to 100 dB"):
        ChannelConfig(esn0_db=esn0_db, trajectory=trajectory)
    assert ChannelConfig(esn0_db=40.0, trajectory=SnrTrajectory("gauss-markov")).esn0_db == 40.0


def test_noise_variance_of_an_impossible_ratio_is_refused():
    with pytest.raises(ValueError, match="esn0_db is -4000.0, expected -100 to 100 dB"):
        n0_from_esn0_db(-4000.0)

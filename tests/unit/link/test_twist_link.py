# SPDX-License-Identifier: GPL-3.0-or-later
"""The TWIST link end to end, without a radio."""

import numpy as np
import pytest

from tokenlink.link.modes import load_mode_table, parse_mode_table
from tokenlink.link.twist import (
    decode_frame,
    decode_frames,
    decode_groups,
    demap_groups,
    encode_frame,
    encode_frames,
    packetize,
)

TABLE = load_mode_table()


def small_table(**changes):
    raw = {"schema": 1, "vocab_size": 37, "grid": [3, 7], "group_map": ["0000000", "1111122", "2222222"],
           "nominal_budget": 100, "modulation": "16qam", "max_iterations": 20,
           "llr_scale": {20: dict.fromkeys(["1/3", "1/2", "2/3", "5/6"], 0.8)},
           "modes": [{"name": "only", "budget": 100, "code_rates": ["1/3", "1/2", "5/6"], "thresholds": [0.9] * 3}]}
    return parse_mode_table(raw | changes)


@pytest.mark.parametrize("mode", TABLE.modes, ids=lambda m: m.name)
def test_symbols_fit_the_budget_with_unit_energy(mode):
    token_ids = np.random.default_rng(1).integers(0, TABLE.vocab_size, TABLE.n_tokens).astype(np.int32)
    symbols = encode_frame(token_ids, mode, TABLE)
    assert symbols.dtype == np.complex64
    assert len(symbols) == TABLE.total_channel_uses(mode) <= mode.budget
    # Mean energy of n random 16QAM symbols has standard deviation 0.566/sqrt(n); five of them are allowed.
    assert abs(np.mean(np.abs(symbols) ** 2) - 1) < 5 * 0.566 / np.sqrt(len(symbols))


@pytest.mark.parametrize("table", [TABLE, small_table(), small_table(modulation="qpsk", modes=[
    {"name": "only", "budget": 200, "code_rates": ["1/3", "1/2", "5/6"], "thresholds": [0.9] * 3}])])
def test_clean_channel_round_trip_with_a_rotated_gain(table):
    rng = np.random.default_rng(2)
    for mode in table.modes:
        token_ids = rng.integers(0, table.vocab_size, table.n_tokens).astype(np.int32)
        gain = np.complex64(0.3 - 0.7j)
        decision = decode_frame(encode_frame(token_ids, mode, table) * gain, gain, 1e-3, mode, table)
        np.testing.assert_array_equal(decision.token_ids, token_ids)
        assert decision.parity_ok.all() and (decision.confidence > 0.99).all()


@pytest.mark.parametrize("table", [TABLE, small_table()], ids=["default", "odd sizes"])
def test_many_frames_are_each_frame_to_the_bit(table):
    """At 7 dB on average, so that some groups fail and stop at different iterations."""
    rng = np.random.default_rng(6)
    for mode in table.modes:
        token_ids = rng.integers(0, table.vocab_size, (7, table.n_tokens)).astype(np.int32)
        symbols = encode_frames(token_ids, mode, table)
        np.testing.assert_array_equal(symbols, [encode_frame(each, mode, table) for each in token_ids])
        gain = rng.normal(size=(7, 2)).astype(np.float32).view(np.complex64)[:, 0]
        n0 = rng.uniform(0.1, 0.4, 7).astype(np.float32)
        noise = rng.normal(size=(*symbols.shape, 2)).view(complex)[..., 0] * np.sqrt(n0 / 2)[:, None]
        received = (symbols * gain[:, None] + noise).astype(np.complex64)
        many = decode_frames(received, gain, n0, mode, table)
        assert 0 < many.parity_ok.mean() < 1
        for i, each in enumerate(received):
            one = decode_frame(each, gain[i], n0[i], mode, table)
            for name in ("token_ids", "confidence", "iterations", "parity_ok"):
                np.testing.assert_array_equal(getattr(many, name)[i], getattr(one, name), err_msg=name)
                assert getattr(many, name).dtype == getattr(one, name).dtype


def test_no_frames_at_all_give_an_empty_decision():
    mode = TABLE.modes[0]
    symbols = encode_frames(np.zeros((0, TABLE.n_tokens), np.int32), mode, TABLE)
    assert symbols.shape == (0, TABLE.total_channel_uses(mode))
    decision = decode_frames(symbols, np.zeros(0), np.zeros(0), mode, TABLE)
    assert decision.token_ids.shape == decision.confidence.shape == (0, TABLE.n_tokens)
    assert decision.iterations.shape == decision.parity_ok.shape == (0, 4)


def test_frames_without_their_axis_or_with_too_few_gains_are_refused():
    mode, one = TABLE.modes[0], np.ones(TABLE.total_channel_uses(TABLE.modes[0]), np.complex64)
    with pytest.raises(ValueError, match="token_ids has shape"):
        encode_frames(np.zeros(TABLE.n_tokens, np.int32), mode, TABLE)
    with pytest.raises(ValueError, match="symbols has shape"):
        decode_frames(one, 1, 0.1, mode, TABLE)
    with pytest.raises(ValueError, match="channel_gain has shape"):
        decode_frames(one[None], np.ones(2), 0.1, mode, TABLE)


def test_better_protected_groups_survive_where_others_fail():
    """Mode med at 8 dB: rate 1/3 and 1/2 decode, rate 2/3 (9.1 dB at BLER 0.1) mostly does not."""
    mode, rng = TABLE.mode_named("med"), np.random.default_rng(3)
    errors = np.zeros(4)
    for _ in range(20):
        token_ids = rng.integers(0, 1024, TABLE.n_tokens).astype(np.int32)
        symbols = encode_frame(token_ids, mode, TABLE)
        n0 = 10 ** -0.8
        noise = rng.normal(0, np.sqrt(n0 / 2), (2, len(symbols)))
        decision = decode_frame(symbols + noise[0] + 1j * noise[1], 1, n0, mode, TABLE)
        errors += [np.any((decision.token_ids != token_ids)[p]) for p in TABLE.group_positions]
    assert errors[0] == 0 and errors[1] <= 1
    assert errors[2] >= 10 and errors[3] >= 10


def test_every_group_gets_the_factor_of_its_own_code_rate():
    """Factors that are powers of two scale float32 exactly: LLRs of one table are those of another times them."""
    rates, factors = ("1/3", "1/2", "5/6"), (0.5, 0.25, 2.0)
    plain = small_table(llr_scale={20: dict.fromkeys(rates, 1.0)})
    scaled = small_table(llr_scale={20: dict(zip(rates, factors, strict=True))})
    mode, rng = plain.modes[0], np.random.default_rng(7)
    symbols = encode_frame(rng.integers(0, 37, 21).astype(np.int32), mode, plain)
    noisy = symbols + rng.normal(0, 0.2, (len(symbols), 2)).view(complex)[:, 0]
    llr = demap_groups(noisy, 1, 0.08, mode, plain)
    (before, *_), (after, *_) = (decode_groups([each.copy() for each in llr], mode, table) for table in (plain, scaled))
    for factor, one, other in zip(factors, before, after, strict=True):
        assert np.abs(one).min() > 0
        np.testing.assert_array_equal(other, one * np.float32(factor))


def test_at_minus_20_db_the_receiver_knows_that_it_knows_nothing():
    mode, rng = TABLE.mode_named("high"), np.random.default_rng(4)
    token_ids = rng.integers(0, 1024, TABLE.n_tokens).astype(np.int32)
    symbols = encode_frame(token_ids, mode, TABLE)
    noise = rng.normal(0, np.sqrt(50), (2, len(symbols)))
    decision = decode_frame(symbols + noise[0] + 1j * noise[1], 1, 100.0, mode, TABLE)
    assert np.isfinite(decision.confidence).all() and np.mean(decision.confidence > 0.9) < 0.01


@pytest.mark.parametrize("symbols, n0, match", [
    (np.ones(5, np.complex64), 0.1, "symbols has shape"),
    (np.full(960 - 16, np.nan, np.complex64), 0.1, "NaN"),
    (np.ones(960 - 16, np.complex64), 0.0, "n0"),
])
def test_bad_input_is_named(symbols, n0, match):
    with pytest.raises(ValueError, match=match):
        decode_frame(symbols, 1, n0, TABLE.mode_named("low"), TABLE)


def test_tokens_outside_the_codebook_are_refused():
    with pytest.raises(ValueError, match="1023"):
        packetize(np.full(TABLE.n_tokens, 1024, np.int32), TABLE)
    with pytest.raises(ValueError, match="token_ids has shape"):
        packetize(np.zeros(3, np.int32), TABLE)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoding with a prior against the exchange written out over all codes; priors that are wrong or cannot be used."""

import dataclasses

import numpy as np
import pytest

from tokenlink.link.gating import gate, thresholds_with_prior
from tokenlink.link.modes import load_mode_table, parse_mode_table
from tokenlink.link.prior_decoding import decide_with_prior, decode_with_prior, heard_llr
from tokenlink.link.token_prior import DensePrior, SparsePrior, TokenPriorError, trust
from tokenlink.link.twist import decide_tokens, decode_groups, demap_groups, encode_frame, group_codes
from tokenlink.phy.ldpc import LdpcCode, encode
from tokenlink.phy.ldpc_reference import decode_reference

TABLE = load_mode_table()
LOW = TABLE.mode_named("low")


def small_table(**changes):
    """37 codes; groups of one, eleven and nine tokens; another multiplier for each rate."""
    raw = {"schema": 1, "vocab_size": 37, "grid": [3, 7], "group_map": ["1111111", "1110122", "2222222"],
           "nominal_budget": 100, "modulation": "16qam", "max_iterations": 6,
           "llr_scale": {6: {"1/3": 0.7, "1/2": 0.8, "2/3": 0.85, "5/6": 0.9}},
           "modes": [{"name": "only", "budget": 100, "code_rates": ["1/3", "1/2", "5/6"], "thresholds": [0.9] * 3}]}
    return parse_mode_table(raw | changes)


def bits_of(vocab_size):
    width = (vocab_size - 1).bit_length()
    return (np.arange(vocab_size)[:, None] >> np.arange(width - 1, -1, -1)) & 1


def received(token_ids, mode, table, esn0_db, rng):
    """LLRs of a frame on AWGN."""
    symbols, n0 = encode_frame(token_ids, mode, table), 10 ** (-esn0_db / 10)
    noise = rng.normal(size=(len(symbols), 2)).astype(np.float32).view(np.complex64)[:, 0]
    return demap_groups(symbols + np.float32(np.sqrt(n0 / 2)) * noise, 1.0, n0, mode, table)


def guess(token_ids, share, rng, vocab_size, sure=0.9):
    """A dense prior that is sure of one token each, the sent one in a share of the positions."""
    n_tokens = len(token_ids)
    guessed = np.where(rng.random(n_tokens) < share, token_ids, rng.integers(0, vocab_size, n_tokens))
    values = rng.dirichlet(np.full(vocab_size, 0.5), n_tokens) * (1 - sure)
    values[np.arange(n_tokens), guessed] += sure
    return DensePrior(values)


def written_out(llr, probability, mode, table, exchanges):
    """The exchange from its definition: groups apart, tokens by sums over all codes, the reference decoder.

    Returns extrinsic LLRs [n_tokens, bits] in raster order, iterations and parity of each group.
    """
    bits = bits_of(table.vocab_size)
    extrinsic = np.zeros((table.n_tokens, bits.shape[1]))
    iterations, parity = [], []
    for g, code in enumerate(group_codes(table, mode)):
        at, scale = table.group_positions[g], table.llr_scale[mode.code_rates[g]]
        rounds = 0
        for _ in range(max(1, exchanges)):
            told = np.zeros((len(at), bits.shape[1]))
            for j in range(bits.shape[1]):
                others = -extrinsic[at] @ bits.T + np.outer(extrinsic[at, j], bits[:, j])
                weight = probability[at] * np.exp(others - others.max(axis=1, keepdims=True))
                told[:, j] = np.log(weight[:, bits[:, j] == 0].sum(1) / weight[:, bits[:, j] == 1].sum(1))
            prior = np.clip(told, -15, 15).reshape(1, -1).astype(np.float32) if exchanges else None
            result = decode_reference(code, llr[g][None], table.max_iterations, prior_llr=prior)
            own = result.app_llr if prior is None else result.app_llr - prior
            extrinsic[at] = scale * own.reshape(len(at), -1)
            rounds += int(result.iterations[0])
            if result.parity_ok[0]:
                break
        iterations.append(rounds)
        parity.append(bool(result.parity_ok[0]))
    return extrinsic, iterations, parity


def by_token(groups, table):
    out = np.empty((table.n_tokens, (table.vocab_size - 1).bit_length()))
    out[table.group_order] = np.concatenate(groups).reshape(out.shape)
    return out


@pytest.mark.parametrize("exchanges", [0, 1, 2, 3, 4])
def test_the_exchange_is_that_of_its_definition(exchanges):
    """Eight frames at 3 dB (seed 1): some groups hold at once, some after more exchanges, some never."""
    table, rng, needed = small_table(), np.random.default_rng(1), set()
    mode, bits = table.mode(0), bits_of(37)
    for _ in range(8):
        sent = rng.integers(0, 37, table.n_tokens)
        llr, prior = received(sent, mode, table, 3.0, rng), guess(sent, 0.8, rng, 37)
        got = decode_with_prior(llr, prior, mode, table, exchanges)
        mixed = (1 - got.doubt) * prior.probability + got.doubt / 37
        extrinsic, iterations, parity = written_out(llr, mixed, mode, table, exchanges)
        np.testing.assert_allclose(by_token(got.extrinsic_llr, table), extrinsic, atol=2e-3)
        assert got.iterations.tolist() == iterations and got.parity_ok.tolist() == parity
        assert got.iterations.dtype == np.int32 and got.exchanges <= exchanges
        needed.add(got.exchanges)
        weight = mixed * np.exp(-extrinsic @ bits.T)
        token_ids, confidence = decide_with_prior(got.extrinsic_llr, got.prior, table)
        np.testing.assert_array_equal(token_ids, weight.argmax(1))
        np.testing.assert_allclose(confidence, weight.max(1) / weight.sum(1), rtol=5e-3)
    assert exchanges in needed


def test_exchanges_end_when_every_parity_holds():
    rng = np.random.default_rng(2)
    sent = rng.integers(0, 1024, 256)
    got = decode_with_prior(received(sent, LOW, TABLE, 14.0, rng), guess(sent, 0.8, rng, 1024), LOW, TABLE, 4)
    assert got.exchanges == 1 and got.parity_ok.all()
    np.testing.assert_array_equal(decide_with_prior(got.extrinsic_llr, got.prior, TABLE)[0], sent)


@pytest.mark.parametrize("repeated", [False, True])
def test_what_the_channel_says_of_information_bits(repeated):
    """A coded bit that equals an information bit in 80 random words carries it; the code has no filler bits."""
    code, rng = LdpcCode(720, 5000 if repeated else 1000), np.random.default_rng(3)
    assert (code.repeats, code.filler_bits) == (repeated, 0)
    words = rng.integers(0, 2, (80, code.k), dtype=np.uint8)
    sent, coded = 1.0 - 2.0 * words, 1.0 - 2.0 * encode(code, words)
    carries = sent.T @ coded == 80
    assert carries.sum() == (carries.sum(axis=0) == 1).sum() > 500
    llr = rng.normal(0, 4, code.n).astype(np.float32)
    np.testing.assert_allclose(heard_llr(code, llr), carries @ llr, atol=1e-4)


@pytest.mark.parametrize("exchanges", [0, 3])
def test_a_prior_that_is_not_believed_changes_nothing(exchanges):
    """Silence earns no trust; the decoder is then told nothing, and every bit comes out as without a prior."""
    rng = np.random.default_rng(4)
    prior = guess(rng.integers(0, 1024, 256), 1.0, rng, 1024)
    llr = [np.full(code.n, 1e-4, np.float32) for code in group_codes(TABLE, LOW)]
    got = decode_with_prior(llr, prior, LOW, TABLE, exchanges)
    plain, iterations, parity = decode_groups(llr, LOW, TABLE)
    assert got.doubt == 1 and got.exchanges == 0
    for own, other in zip(got.extrinsic_llr, plain, strict=True):
        np.testing.assert_array_equal(own, other)
    np.testing.assert_array_equal(got.iterations, iterations)
    np.testing.assert_array_equal(got.parity_ok, parity)
    np.testing.assert_allclose(
        decide_with_prior(got.extrinsic_llr, got.prior, TABLE)[1], decide_tokens(plain, TABLE)[1], rtol=1e-4)


def test_only_what_is_heard_decides_on_the_doubt():
    rng = np.random.default_rng(5)
    sent = rng.integers(0, 1024, 256)
    llr, prior = received(sent, LOW, TABLE, 8.0, rng), guess(sent, 0.7, rng, 1024)
    heard = [heard_llr(code, values) for code, values in zip(group_codes(TABLE, LOW), llr, strict=True)]
    doubts = {decode_with_prior(llr, prior, LOW, TABLE, n).doubt for n in range(5)}
    assert doubts == {trust(prior, by_token(heard, TABLE))}


def wrong_priors(sent, rng):
    """Priors of a frame by what is wrong with them."""
    elsewhere = rng.integers(0, 1024, 256)
    stale = np.where(rng.random(256) < 0.35, sent, elsewhere)
    sure = np.ones((256, 1), np.float32)
    return {
        "scene cut": guess(elsewhere, 1.0, rng, 1024, sure=0.8),
        "another scene, a few tokens the same": guess(np.where(rng.random(256) < 0.05, sent, elsewhere), 1, rng, 1024),
        "ten slots old": guess(stale, 1.0, rng, 1024),
        "sure of wrong tokens": SparsePrior((sent ^ rng.integers(1, 1024, 256))[:, None], sure, 1024),
        "sure of the complement": SparsePrior((1023 - sent)[:, None], sure, 1024),
    }


def counted(token_ids, confidence, sent, doubt=None):
    """Wrong tokens, accepted ones, and wrong among them."""
    accepted = ~gate(confidence, thresholds_with_prior(TABLE.token_thresholds(LOW), doubt))
    wrong = token_ids != sent
    return [wrong.sum(), accepted.sum(), (wrong & accepted).sum()]


@pytest.mark.parametrize(("exchanges", "esn0_db"), [(1, 6.0), (4, 6.0), (4, 9.0)])
def test_a_wrong_prior_costs_next_to_nothing(exchanges, esn0_db):
    """60 frames of 256 tokens, seed 6, the same noise for all.

    Wrong tokens must be no more than without a prior 0.2 dB lower, but for three standard deviations of their
    difference from frame to frame; wrong ones among the accepted no more than 0.002 above those without a prior.
    """
    rng, counts = np.random.default_rng(6), {}
    for _ in range(60):
        sent = rng.integers(0, 1024, 256)
        state = rng.bit_generator.state
        worse = received(sent, LOW, TABLE, esn0_db - 0.2, rng)
        rng.bit_generator.state = state
        llr = received(sent, LOW, TABLE, esn0_db, rng)
        for kind, values in (("worse channel", worse), ("none", llr)):
            plain = decide_tokens(decode_groups(values, LOW, TABLE)[0], TABLE)
            counts.setdefault(kind, []).append(counted(*plain, sent))
        for kind, prior in wrong_priors(sent, rng).items():
            got = decode_with_prior(llr, prior, LOW, TABLE, exchanges)
            decided = decide_with_prior(got.extrinsic_llr, got.prior, TABLE)
            counts.setdefault(kind, []).append(counted(*decided, sent, got.doubt))
    counts = {kind: np.array(rows, float) for kind, rows in counts.items()}
    worse, plain = counts.pop("worse channel"), counts.pop("none")
    for kind, rows in counts.items():
        more = rows[:, 0] - worse[:, 0]
        assert more.mean() <= 3 * more.std() / np.sqrt(len(more)), (kind, more.mean())
        auer, plain_auer = (each[:, 2].sum() / max(each[:, 1].sum(), 1) for each in (rows, plain))
        assert auer <= plain_auer + 0.002, (kind, auer, plain_auer)


@pytest.mark.parametrize("sparse", [False, True])
def test_priors_for_something_else(sparse):
    llr = [np.zeros(code.n, np.float32) for code in group_codes(TABLE, LOW)]
    for n_tokens, vocab_size in ((255, 1024), (256, 512)):
        prior = DensePrior(np.full((n_tokens, vocab_size), 1 / vocab_size, np.float32))
        with pytest.raises(TokenPriorError, match=f"prior is for {n_tokens} tokens of {vocab_size} codes"):
            decode_with_prior(llr, prior.sparse(4) if sparse else prior, LOW, TABLE, 1)


def test_exchanges_and_llrs_that_cannot_be_used():
    prior = DensePrior(np.full((256, 1024), 1 / 1024, np.float32))
    llr = [np.zeros(code.n, np.float32) for code in group_codes(TABLE, LOW)]
    for exchanges in (-1, 5, 1.5, True):
        with pytest.raises(ValueError, match=f"exchanges is {exchanges}, must be in 0..4"):
            decode_with_prior(llr, prior, LOW, TABLE, exchanges)
    for bad in (llr[:3], [*llr[:3], llr[3][:-1]], [values[None] for values in llr]):
        with pytest.raises(ValueError, match="llr has shapes"):
            decode_with_prior(bad, prior, LOW, TABLE, 1)
    llr[2][5] = np.nan
    with pytest.raises(ValueError, match="llr of group 2 holds 1 NaN"):
        decode_with_prior(llr, prior, LOW, TABLE, 1)


def test_a_table_that_scales_the_extrinsic_part_alone():
    """With twice the multipliers, one exchange gives twice the extrinsic LLRs: the prior goes in as it is."""
    table, rng = small_table(), np.random.default_rng(7)
    twice = dataclasses.replace(table, llr_scale={rate: 2 * scale for rate, scale in table.llr_scale.items()})
    sent = rng.integers(0, 37, table.n_tokens)
    llr, prior = received(sent, table.mode(0), table, 3.0, rng), guess(sent, 0.8, rng, 37)
    once, doubled = (decode_with_prior(llr, prior, t.mode(0), t, 1).extrinsic_llr for t in (table, twice))
    for own, other in zip(once, doubled, strict=True):
        np.testing.assert_allclose(2 * own, other, rtol=1e-5)

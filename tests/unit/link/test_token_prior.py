# SPDX-License-Identifier: GPL-3.0-or-later
"""The token node against sums over all codes written out, and priors that cannot be used."""

import numpy as np
import pytest

from tokenlink.link import token_prior
from tokenlink.link.posterior import log_posterior, map_tokens
from tokenlink.link.token_prior import DensePrior, SparsePrior, TokenPriorError

SIZES = [2, 3, 16, 100, 1000, 1024]


def bits_of(vocab_size):
    """Bits of every code, MSB first: [vocab_size, n_bits]."""
    width = len(bin(vocab_size - 1)) - 2
    return np.array([[int(digit) for digit in f"{v:0{width}b}"] for v in range(vocab_size)])


def draw(vocab_size, n_tokens=6, spread=0.05, seed=1):
    """Uneven prior and LLRs of a bit each."""
    rng = np.random.default_rng(seed)
    probability = rng.dirichlet(np.full(vocab_size, spread), n_tokens).astype(np.float32) + np.float32(1e-6)
    probability /= probability.sum(axis=1, keepdims=True)
    return probability, rng.normal(0, 4, (n_tokens, bits_of(vocab_size).shape[1])).astype(np.float32)


def weights_by_hand(probability, llr):
    """P(v) prod_j p_j(bit j of v) in exact order of definition, float64 [n_tokens, vocab_size]."""
    bits = bits_of(probability.shape[1])
    out = np.array(probability, np.float64)
    for i, row in enumerate(llr.astype(np.float64)):
        for j, value in enumerate(row):
            p_one = 1 / (1 + np.exp(value))
            out[i] *= np.where(bits[:, j], p_one, 1 - p_one)
    return out


def messages_by_hand(probability, llr):
    """Each bit's LLR with its own incoming LLR set to zero, which leaves the bit out of the product."""
    bits, out = bits_of(probability.shape[1]), np.empty(llr.shape)
    for j in range(llr.shape[1]):
        others = llr.copy()
        others[:, j] = 0
        weights = weights_by_hand(probability, others)
        out[:, j] = np.log(weights[:, bits[:, j] == 0].sum(1) / weights[:, bits[:, j] == 1].sum(1))
    return out


@pytest.mark.parametrize("vocab_size", SIZES)
def test_messages_are_the_sums_over_all_codes(vocab_size):
    probability, llr = draw(vocab_size)
    expected = np.clip(messages_by_hand(probability, llr), -15, 15)
    np.testing.assert_allclose(token_prior.bit_messages(DensePrior(probability), llr), expected, atol=1e-4)


@pytest.mark.parametrize("vocab_size", SIZES)
def test_decisions_are_the_best_of_all_codes(vocab_size):
    probability, llr = draw(vocab_size, n_tokens=40)
    weights = weights_by_hand(probability, llr)
    token_ids, confidence = token_prior.decide(DensePrior(probability), llr)
    np.testing.assert_array_equal(token_ids, weights.argmax(1))
    np.testing.assert_allclose(confidence, weights.max(1) / weights.sum(1), rtol=1e-5)


@pytest.mark.parametrize("vocab_size", SIZES)
def test_evidence_is_a_ratio_of_sums(vocab_size):
    probability, llr = draw(vocab_size)
    even = np.full_like(probability, 1 / vocab_size)
    expected = np.log(weights_by_hand(probability, llr).sum(1) / weights_by_hand(even, llr).sum(1))
    np.testing.assert_allclose(token_prior.evidence(DensePrior(probability), llr), expected, atol=1e-5)


@pytest.mark.parametrize(("vocab_size", "k"), [(2, 1), (16, 1), (16, 9), (100, 7), (1000, 16), (1024, 1), (1024, 16)])
def test_a_sparse_prior_is_the_dense_one_it_stands_for(vocab_size, k):
    probability, llr = draw(vocab_size, n_tokens=30)
    sparse = DensePrior(probability).sparse(k)
    written_out = np.full_like(probability, np.nan)
    for i in range(len(probability)):
        best = np.sort(probability[i])[::-1][:k]
        floor = (1 - best.sum(dtype=np.float64)) / (vocab_size - k)
        written_out[i] = np.where(np.isin(probability[i], best), np.maximum(probability[i], floor), max(floor, 0))
    dense = DensePrior(written_out / written_out.sum(1, keepdims=True))
    np.testing.assert_allclose(
        token_prior.bit_messages(sparse, llr), token_prior.bit_messages(dense, llr), atol=2e-3)
    (sparse_ids, sparse_sure), (ids, sure) = token_prior.decide(sparse, llr), token_prior.decide(dense, llr)
    np.testing.assert_array_equal(sparse_ids, ids)
    np.testing.assert_allclose(sparse_sure, sure, rtol=2e-4)
    np.testing.assert_allclose(token_prior.evidence(sparse, llr), token_prior.evidence(dense, llr), atol=2e-3)


@pytest.mark.parametrize(("vocab_size", "k"), [(2, 1), (37, 36), (1000, 16), (1024, 64)])
def test_the_most_probable_codes_are_those_of_a_stable_sort(vocab_size, k):
    """Many are equal, zero or minus zero among them; the first of equal ones are listed."""
    weight = np.random.default_rng(5).integers(0, 6, (40, vocab_size)).astype(np.float32)
    weight[:3] = [np.full(vocab_size, 2), np.arange(vocab_size) == 0, np.arange(vocab_size) == vocab_size - 1]
    weight[:, -1] += weight.sum(axis=1) == 0
    probability = weight / weight.sum(axis=1, keepdims=True)
    probability[20:][probability[20:] == 0] = -0.0
    listed = DensePrior(probability).sparse(k).listed
    for own, row in zip(listed, probability, strict=True):
        assert set(own) == set(np.argsort(-row, kind="stable")[:k])


@pytest.mark.parametrize("vocab_size", [16, 1000, 1024])
def test_an_even_prior_says_nothing_and_changes_nothing(vocab_size):
    _, llr = draw(vocab_size, n_tokens=50)
    even = DensePrior(np.full((50, vocab_size), 1 / vocab_size, np.float32))
    if vocab_size & (vocab_size - 1) == 0:
        np.testing.assert_allclose(token_prior.bit_messages(even, llr), 0, atol=1e-5)
    token_ids, confidence = token_prior.decide(even, llr)
    expected_ids, expected = map_tokens(llr, vocab_size)
    np.testing.assert_array_equal(token_ids, expected_ids)
    np.testing.assert_allclose(confidence, expected, rtol=1e-5)
    np.testing.assert_allclose(np.log(confidence), log_posterior(llr, vocab_size).max(1), atol=1e-5)
    np.testing.assert_allclose(token_prior.evidence(even, llr), 0, atol=1e-5)


def test_messages_without_a_code_are_the_marginals_of_the_prior():
    probability, _ = draw(64)
    p_one = probability @ bits_of(64)
    expected = np.clip(np.log((1 - p_one) / p_one), -15, 15)
    np.testing.assert_allclose(token_prior.bit_messages(DensePrior(probability)), expected, atol=1e-4)


def test_a_sure_prior_is_held_to_its_limit_and_endless_llrs_count_as_certain():
    sure = np.zeros((1, 16), np.float32)
    sure[0, 5] = 1
    np.testing.assert_array_equal(token_prior.bit_messages(DensePrior(sure)), [[15, -15, 15, -15]])
    endless = np.array([[np.inf, -np.inf, -np.inf, np.inf]], np.float32)  # code 6
    even = DensePrior(np.full((1, 16), 1 / 16, np.float32))
    token_ids, confidence = token_prior.decide(even, endless)
    assert token_ids[0] == 6 and confidence[0] == pytest.approx(1)
    assert np.isfinite(token_prior.bit_messages(DensePrior(sure), endless)).all()
    assert np.isfinite(token_prior.evidence(DensePrior(sure), endless)).all()


@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_doubt_mixes_with_an_even_prior(form):
    probability, llr = draw(16)
    prior = DensePrior(probability)
    if form == "sparse":
        prior = prior.sparse(3)
        probability = prior.dense().probability
    mixed = prior.mixed(0.25)
    by_hand = DensePrior((0.75 * probability + 0.25 / 16).astype(np.float32))
    np.testing.assert_allclose(token_prior.bit_messages(mixed, llr), token_prior.bit_messages(by_hand, llr), atol=1e-3)


def test_positions_can_be_taken_in_any_order():
    probability, llr = draw(16)
    order = np.array([4, 0, 5])
    for prior in (DensePrior(probability), DensePrior(probability).sparse(3)):
        whole = token_prior.bit_messages(prior, llr)
        np.testing.assert_array_equal(token_prior.bit_messages(prior.take(order), llr[order]), whole[order])


def frame_of(token_ids, llr_mean, rng, vocab_size=1024):
    """Gaussian, consistent LLRs of the bits of tokens: mean m, variance 2 m."""
    signs = 1 - 2 * bits_of(vocab_size)[token_ids]
    return (signs * llr_mean + rng.normal(0, np.sqrt(2 * llr_mean), signs.shape)).astype(np.float32)


def copies(token_ids, share, rng, sure=0.98, vocab_size=1024):
    """A prior that is sure of a token each, the sent one in a share of the positions."""
    guess = np.where(rng.random(len(token_ids)) < share, token_ids, rng.integers(0, vocab_size, len(token_ids)))
    return SparsePrior(guess[:, None], np.full((len(token_ids), 1), sure, np.float32), vocab_size)


@pytest.mark.parametrize(("share", "least", "most"), [(1.0, 0.0, 0.011), (0.7, 0.1, 0.61), (0.0, 1.0, 1.0)])
def test_a_frame_says_how_far_its_prior_may_be_believed(share, least, most):
    """Seed 3; 20 frames of 256 tokens at a mean bit LLR of 2 (12 % wrong bits): every frame within the range."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        sent = rng.integers(0, 1024, 256)
        doubt = token_prior.trust(copies(sent, share, rng), frame_of(sent, 2.0, rng))
        assert least <= doubt <= most


def test_doubts_are_shares_that_grow_to_all():
    doubts = np.array(token_prior.DOUBTS)
    assert doubts[0] > 0 and (np.diff(doubts) > 0).all() and doubts[-1] == 1


def test_a_prior_earns_no_trust_from_silence():
    rng = np.random.default_rng(4)
    assert token_prior.trust(copies(rng.integers(0, 1024, 256), 1.0, rng), np.zeros((256, 10))) == 1.0


BAD_DENSE = {
    "NaN": lambda p: np.where(p == p.max(), np.nan, p),
    "must be numbers": lambda p: np.where(p == p.max(), np.inf, p),
    "must be in [0, 1]": lambda p: p - 0.5,
    "adds up to 0": lambda p: p * 0,
    "adds up to 2": lambda p: p * 2,
    "must be [n_tokens, vocab_size >= 2]": lambda p: p[0],
    "[n_tokens, vocab_size": lambda p: p[:, :1],
}


@pytest.mark.parametrize("said", BAD_DENSE)
def test_dense_priors_that_cannot_be_used(said):
    probability, _ = draw(16)
    with pytest.raises(TokenPriorError) as error:
        DensePrior(BAD_DENSE[said](probability))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("listed", "probability", "said"),
    [
        ([[1, 1]], [[0.5, 0.2]], "twice"),
        ([[1, 16]], [[0.5, 0.2]], "0..15"),
        ([[-1, 2]], [[0.5, 0.2]], "0..15"),
        ([[1.0, 2.0]], [[0.5, 0.2]], "integer"),
        ([[1, 2]], [[0.5, 0.6]], "at most 1"),
        ([[1, 2]], [[0.5, -0.1]], "[0, 1]"),
        ([[1, 2]], [[0.5, np.nan]], "NaN"),
        ([[1, 2]], [[0.5]], "[n_tokens, k]"),
        ([list(range(16))], [[1 / 16] * 16], "1..15"),
        (np.zeros((1, 0), int), np.zeros((1, 0)), "1..15"),
    ],
)
def test_sparse_priors_that_cannot_be_used(listed, probability, said):
    with pytest.raises(TokenPriorError) as error:
        SparsePrior(np.array(listed), np.array(probability, np.float32), 16)
    assert said in str(error.value)


def test_llrs_and_doubts_that_cannot_be_used():
    probability, llr = draw(16)
    prior = DensePrior(probability)
    for bad in (llr[:, :3], llr[:2], llr.reshape(-1)):
        with pytest.raises(ValueError, match="extrinsic_llr has shape"):
            token_prior.bit_messages(prior, bad)
    llr[2, 1] = np.nan
    with pytest.raises(ValueError, match="holds 1 NaN"):
        token_prior.decide(prior, llr)
    for doubt in (-0.1, 1.1, np.nan):
        with pytest.raises(TokenPriorError, match="doubt is"):
            prior.mixed(doubt)
    for k in (0, 16):
        with pytest.raises(TokenPriorError, match=f"k is {k}"):
            prior.sparse(k)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Prior LLRs of the info bits: against brute force, as another observation, as shortening; and what is refused."""

import numpy as np
import pytest

from tokenlink.bench.codewords import code_of, received
from tokenlink.phy import ldpc
from tokenlink.phy.ldpc_reference import decode_reference, encode_reference

PRECISIONS = ("float32", "int8")


def gaussian(bits, mean, rng):
    """Consistent Gaussian LLRs of bits: mean m towards the bit, variance 2 m."""
    signs = 1 - 2.0 * bits
    return (signs * mean + rng.standard_normal(signs.shape) * np.sqrt(2 * mean)).astype(np.float32)


def observed(code, blocks, mean, prior_mean, rng):
    """Random bits, channel LLRs of their codeword and prior LLRs."""
    bits = rng.integers(0, 2, (blocks, code.k), dtype=np.uint8)
    return bits, gaussian(encode_reference(code, bits), mean, rng), gaussian(bits, prior_mean, rng)


def assert_same(got, expected):
    for a, b in zip(got[:3], expected[:3], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("k", "n", "agree"), [(8, 24, 0.97), (8, 16, 0.90), (10, 30, 0.97)])
def test_nearly_the_word_of_largest_posterior(k, n, agree, precision):
    """All 2^k words weighed, 2,000 blocks, seed 71. The decoder finds the best word in at least a share `agree` of the
    blocks (measured: 0.98, 0.92, 0.98), and errs far less than the best there is without a prior."""
    code, rng = ldpc.LdpcCode(k, n, 2, 1), np.random.default_rng(71)
    words = (np.arange(1 << k)[:, None] >> np.arange(k)).astype(np.uint8) & 1
    bits, llr, prior = observed(code, 2000, 2.0, 4.0, rng)
    without_prior = llr @ (1 - 2.0 * encode_reference(code, words)).T
    likeliest, best = (words[weight.argmax(axis=1)]
                       for weight in (without_prior, without_prior + prior @ (1 - 2.0 * words).T))
    decided = ldpc.decode(code, llr, 50, precision=precision, prior_llr=prior).app_llr < 0
    assert (decided == best).all(axis=1).mean() >= agree
    wrong, wrong_likeliest = ((word != bits).any(axis=1).sum() for word in (decided, likeliest))
    assert wrong < 0.6 * wrong_likeliest


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("blocks", [1, 3, 70])
@pytest.mark.parametrize(("k", "n", "graph"), [(100, 250, 2), (37, 41, 1), (7, 40, 2)])
def test_equals_the_reference_bit_by_bit(k, n, graph, blocks, precision):
    """Blocks that stop early and late, certain and opposed priors, any number of lanes."""
    code, rng = ldpc.LdpcCode(k, n, graph), np.random.default_rng(72)
    _, llr, prior = observed(code, blocks, 2.0, 3.0, rng)
    prior[0, :5] = np.inf, -np.inf, -0.0, 60, -60
    for early_stop in (True, False):
        options = {"max_iterations": 6, "precision": precision, "early_stop": early_stop, "prior_llr": prior}
        fast, slow = (decode(code, llr, **options) for decode in (ldpc.decode, decode_reference))
        assert_same(fast, slow)
        np.testing.assert_array_equal(fast.extrinsic_llr, slow.extrinsic_llr)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("blocks", [1, 70])
def test_a_prior_of_zero_is_none(blocks, precision):
    code, rng = ldpc.LdpcCode(100, 250), np.random.default_rng(73)
    _, llr, _ = observed(code, blocks, 1.5, 1.0, rng)
    for zero in (0.0, -0.0):
        for early_stop in (True, False):
            options = {"max_iterations": 9, "precision": precision, "early_stop": early_stop}
            nothing = ldpc.decode(code, llr, prior_llr=np.full((blocks, 100), zero), **options)
            assert_same(nothing, ldpc.decode(code, llr, **options))
            np.testing.assert_array_equal(nothing.extrinsic_llr, nothing.app_llr)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_prior_of_a_sent_bit_is_another_observation_of_it(precision):
    """A code that goes once round its buffer and on sends its first bits twice: the second time as prior is the same.
    Whole steps of 1/6 nat, so that int8 rounds nothing."""
    rng = np.random.default_rng(74)
    once = ldpc.LdpcCode(100, 100 - 2 * 18 + 42 * 18, 2, 1)
    again = ldpc.LdpcCode(100, once.n + 50, 2, 1)
    assert once.lifting_size == 18 and not once.repeats and again.repeats and once.rows == again.rows
    bits = rng.integers(0, 2, (40, 100), dtype=np.uint8)
    llr = np.round(6 * gaussian(encode_reference(again, bits), 0.45, rng)).astype(np.float32) / np.float32(6)
    prior = np.zeros((40, 100), np.float32)
    prior[:, again.positions[once.n :]] = llr[:, once.n :]
    twice = ldpc.decode(again, llr, precision=precision)
    as_prior = ldpc.decode(once, llr[:, : once.n], precision=precision, prior_llr=prior)
    assert_same(as_prior, twice)
    assert 0 < twice.parity_ok.sum() < 40


def test_a_certain_prior_is_shortening():
    """Info bits known to be 0 for certain are as filler bits, which are not sent: float32 gives the same LLRs for both.
    k = 600 and 640 have one lifting size, 72."""
    short, long = ldpc.LdpcCode(600, 1200, 2, 1), ldpc.LdpcCode(640, 1240, 2, 1)
    assert short.lifting_size == long.lifting_size == 72
    rng = np.random.default_rng(75)
    bits, llr, _ = observed(short, 20, 2.5, 1.0, rng)
    place = {position: i for i, position in enumerate(short.positions)}
    kept = [i for i, position in enumerate(long.positions) if position in place]
    assert len(kept) == short.n
    llr_long, prior = np.zeros((20, 1240), np.float32), np.zeros((20, 640), np.float32)
    llr_long[:, kept] = llr[:, [place[long.positions[i]] for i in kept]]
    prior[:, 600:] = np.inf
    known = ldpc.decode(long, llr_long, prior_llr=prior)
    expected = ldpc.decode(short, llr)
    assert_same((known.app_llr[:, :600], *known[1:3]), expected)
    assert 0 < expected.parity_ok.sum() < 20 and (known.app_llr[:, 600:] > 900).all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_prior_of_punctured_bits_rescues_blocks(precision):
    """k = 640 at rate 2/3, 0.8 dB below the waterfall, 400 blocks, seed 76: three in four are lost without, one in
    seven with a prior of mean 4 nat on the 144 bits that are never sent, a half with the same on 144 bits that are;
    0.15 is six times the deviation of a share."""
    code, rng = code_of(640, 2 / 3), np.random.default_rng(76)
    bits, llr = received(code, 400, 8.3, rng)
    unsent, sent = np.zeros((400, 640), np.float32), np.zeros((400, 640), np.float32)
    assert not set(range(144)) & set(code.positions)
    unsent[:, :144], sent[:, 144:288] = (gaussian(bits[:, part], 4.0, rng) for part in (slice(144), slice(144, 288)))
    none, some, most = (((ldpc.decode(code, llr, precision=precision, prior_llr=prior).app_llr < 0) != bits)
                        .any(axis=1).mean() for prior in (None, sent, unsent))
    assert none > 0.65 and most < 0.25 and most + 0.15 < some < none - 0.15


def test_int8_loses_little_against_float32():
    """k = 640, rate 1/2, 2 dB below the waterfall, prior of mean 2 nat, 1,500 blocks, seed 77, the same noise for both,
    int8 0.1 dB higher: at most 3 sigma more errors."""
    code, wrong = code_of(640, 1 / 2), {}
    for precision, esn0_db in (("float32", 4.5), ("int8", 4.6)):
        rng = np.random.default_rng(77)
        bits, llr = received(code, 1500, esn0_db, rng)
        result = ldpc.decode(code, llr, precision=precision, prior_llr=gaussian(bits, 2.0, rng))
        wrong[precision] = ((result.app_llr < 0) != bits).any(axis=1).sum()
    assert 50 < wrong["float32"] < 1400
    assert wrong["int8"] <= wrong["float32"] + 3 * np.sqrt(sum(wrong.values()))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_extrinsic_llr_holds_no_prior(precision):
    """One iteration, a prior of one bit alone: what it is told is taken away from that bit, and from no other."""
    code, rng = ldpc.LdpcCode(100, 250), np.random.default_rng(78)
    _, llr, _ = observed(code, 30, 1.0, 1.0, rng)
    options = {"max_iterations": 1, "precision": precision, "early_stop": False}
    alone = ldpc.decode(code, llr, **options)
    for bit in (0, 50, 99):  # the first is punctured
        for value in (1.5, -2.0, 4.0):
            prior = np.zeros((30, 100), np.float32)
            prior[:, bit] = value
            told = ldpc.decode(code, llr, prior_llr=prior, **options)
            assert (told.app_llr[:, bit] != alone.app_llr[:, bit]).any()
            np.testing.assert_array_equal(told.extrinsic_llr[:, bit], told.app_llr[:, bit] - np.float32(value))
            others = np.arange(100) != bit
            np.testing.assert_array_equal(told.extrinsic_llr[:, others], told.app_llr[:, others])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_groups_each_have_their_own_prior(precision):
    """Codes that share a run of the kernel and one that does not, one block each and many."""
    codes = [ldpc.LdpcCode(100, n, graph) for n, graph in ((300, 2), (200, 2), (123, 1))]
    for blocks in (1, 5, 90):
        rng = np.random.default_rng(79)
        cases = [observed(code, blocks, mean, 2.0, rng) for code, mean in zip(codes, (1.0, 1.5, 5.0), strict=True)]
        llrs, priors = ([case[i] for case in cases] for i in (1, 2))
        options = {"max_iterations": 8, "precision": precision}
        together = ldpc.decode_groups(codes, llrs, prior_llrs=priors, **options)
        for code, llr, prior, result in zip(codes, llrs, priors, together, strict=True):
            assert_same(result, ldpc.decode(code, llr, prior_llr=prior, **options))
        # A call without is not told what the call before knew.
        for result, llr, code in zip(ldpc.decode_groups(codes, llrs, **options), llrs, codes, strict=True):
            assert_same(result, ldpc.decode(code, llr, prior_llr=np.zeros((blocks, 100)), **options))


CODE = ldpc.LdpcCode(100, 250)
LLR = np.ones((2, 250), np.float32)


@pytest.mark.parametrize("decode", [ldpc.decode, decode_reference])
@pytest.mark.parametrize("prior", [np.ones(100), np.ones((2, 99)), np.ones((1, 100)), np.ones((2, 250)), 1.0])
def test_wrong_shapes_are_named(decode, prior):
    with pytest.raises(ValueError, match=r"prior_llr has shape .*must be \(2, 100\)"):
        decode(CODE, LLR, prior_llr=prior)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("decode", [ldpc.decode, decode_reference])
@pytest.mark.parametrize("place", [0, 63, 64, 99])
def test_nan_is_refused(decode, place, precision):
    prior = np.zeros((2, 100), np.float32)
    prior[1, place] = np.nan
    with pytest.raises(ValueError, match="^prior_llr holds NaN"):
        decode(CODE, LLR, precision=precision, prior_llr=prior)


def test_a_prior_is_needed_for_each_code_or_for_none():
    with pytest.raises(ValueError, match="prior_llrs has 1 arrays, must be one for each of the 2 codes"):
        ldpc.decode_groups([CODE, CODE], [LLR, LLR], prior_llrs=[np.zeros((2, 100))])
    with pytest.raises(ValueError, match=r"prior_llr has shape \(\), must be \(2, 100\)"):
        ldpc.decode_groups([CODE, CODE], [LLR, LLR], prior_llrs=[np.zeros((2, 100)), None])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_infinite_priors_are_certain_and_stay_finite(precision):
    rng = np.random.default_rng(80)
    bits, llr, _ = observed(CODE, 4, 2.0, 1.0, rng)
    result = ldpc.decode(CODE, llr, precision=precision, prior_llr=np.where(bits, -np.inf, np.inf))
    assert ((result.app_llr < 0) == bits).all() and result.parity_ok.all()
    assert np.isfinite(result.app_llr).all() and np.isfinite(result.extrinsic_llr).all()
    opposed = ldpc.decode(CODE, np.full_like(llr, np.inf), precision=precision, prior_llr=np.full((4, 100), -np.inf))
    assert np.isfinite(opposed.extrinsic_llr).all()


def test_any_layout_is_taken_and_left_alone():
    rng = np.random.default_rng(81)
    for blocks in (4, 200):
        _, llr, prior = observed(CODE, blocks, 1.0, 1.0, rng)
        expected, before = ldpc.decode(CODE, llr, prior_llr=prior), prior.copy()
        np.testing.assert_array_equal(prior, before)
        for same in (np.asfortranarray(prior), prior.astype(np.float64), np.repeat(prior, 2, axis=0)[::2]):
            assert_same(ldpc.decode(CODE, llr, prior_llr=same), expected)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures over the adaptive link: symbols untouched, headers that say what came, bad input one clear sentence each."""

import numpy as np
import pytest

from tokenlink.channel import awgn
from tokenlink.link.adaptive import (
    HEADER_BYTES,
    PictureLost,
    _header_link,
    decode_picture,
    encode_picture,
    n_symbols,
)
from tokenlink.link.adaptive_modes import load_adaptive_table
from tokenlink.link.blob import whitening
from tokenlink.link.token_ratios import RATIOS
from tokenlink.phy.frame import BurstConfig, modulate_burst, papr_db
from tokenlink.phy.header import SYSTEMS, Header
from tokenlink.phy.receiver import BurstReceiver

TABLE = load_adaptive_table()


def picture(mode, n_kept, seed=0):
    """Gaussian symbols of mean energy 1 at random positions."""
    rng = np.random.default_rng(seed)
    kept = np.zeros(64, bool)
    kept[rng.choice(64, n_kept, replace=False)] = True
    symbols = rng.standard_normal((1 + n_kept, mode.symbols_per_token, 2)) @ [1, 1j]
    return (symbols / np.sqrt(np.mean(np.abs(symbols) ** 2))).astype(np.complex64), kept


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("n_kept", [1, 6, 64])
def test_what_is_sent_comes_back_with_its_channel(ratio, n_kept):
    mode = TABLE.mode_of(0.5, ratio)
    symbols, kept = picture(mode, n_kept)
    sent = encode_picture(symbols, kept, mode, TABLE)
    assert sent.dtype == np.complex64 and sent.size == n_symbols(mode, 1 + n_kept)
    assert np.mean(np.abs(sent) ** 2) == pytest.approx(1, abs=1e-5)
    h = 0.6 - 0.8j
    received = awgn(h * sent, 0.1, np.random.default_rng(1))
    got = decode_picture(received, h, 0.1, mode)
    np.testing.assert_array_equal(got.kept, kept)
    np.testing.assert_array_equal(got.symbols, received[mode.header_symbols :])
    np.testing.assert_array_equal(got.channel_gain, np.full(symbols.size, h, np.complex64))
    assert got.n0 == 0.1


def test_a_picture_over_bursts_of_samples():
    """20 pictures, noise at 12 dB: kept positions exact, error of the symbols over the gain as the noise (seed 3)."""
    rng, config, receiver = np.random.default_rng(3), BurstConfig(), BurstReceiver(BurstConfig())
    mode = TABLE.mode_of(0.3, 0.1)
    pictures = [picture(mode, int(n), seed) for seed, n in enumerate(rng.integers(1, 20, 20))]
    bursts = []
    for slot, (symbols, kept) in enumerate(pictures):
        payload = encode_picture(symbols, kept, mode, TABLE)
        header = Header(SYSTEMS["adaptive"], mode.mode_id, slot, slot, payload.size)
        noise = 0.25**2 * config.pulse.sps * 10**-1.2
        bursts += receiver.feed(awgn(modulate_burst(header, payload, config), noise, rng))
    bursts += receiver.flush()
    errors = []
    for burst in bursts:
        symbols, kept = pictures[burst.header.slot]
        got = decode_picture(burst.payload, burst.channel_gain, burst.n0, TABLE.mode(burst.header.mode_id))
        np.testing.assert_array_equal(got.kept, kept)
        errors.append(got.symbols / got.channel_gain - symbols.reshape(-1))
    assert [burst.header.slot for burst in bursts] == list(range(20))
    assert 10 * np.log10(np.mean(np.abs(np.concatenate(errors)) ** 2)) == pytest.approx(-12, abs=0.5)


def test_a_gain_for_each_symbol_is_cut_as_the_symbols_are():
    mode = TABLE.mode_of(1.0, 0.15)
    symbols, kept = picture(mode, 9)
    sent = encode_picture(symbols, kept, mode, TABLE)
    gain = np.exp(1j * np.linspace(0, 3, sent.size)).astype(np.complex64)
    got = decode_picture(gain * sent, gain, 1e-3, mode)
    np.testing.assert_array_equal(got.kept, kept)
    np.testing.assert_allclose(got.symbols / got.channel_gain, symbols.reshape(-1), atol=1e-5)


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda s, k: (s, np.zeros(64, bool)), "kept has no token left, expected 1 to 64 of 64"),
        (lambda s, k: (s, k[:-1]), r"kept is bool of shape \(63,\), expected bool of shape \(64,\)"),
        (lambda s, k: (s, k.astype(int)), "kept is int64 of shape"),
        (lambda s, k: (s[:-1], k), "symbols has 114 entries, 7 tokens at r = 0.1 have 133"),
        (lambda s, k: (s * np.nan, k), "symbols hold NaN or infinity"),
        (lambda s, k: (s * np.inf, k), "symbols hold NaN or infinity"),
        (lambda s, k: (s * 1.1, k), "mean energy of the symbols is 1.21, expected at most 1"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_sentence(spoil, match):
    mode = TABLE.mode_of(0.1, 0.1)
    with pytest.raises(ValueError, match=match), np.errstate(invalid="ignore"):
        encode_picture(*spoil(*picture(mode, 6)), mode, TABLE)


def forged(mode, start, mode_id, n_tokens, kept, n_behind):
    """A payload whose header says what it is told to, whether or not that fits."""
    content = np.concatenate([np.array([start, mode_id, n_tokens], np.uint8), np.packbits(kept)])
    assert content.size == HEADER_BYTES
    content ^= whitening(HEADER_BYTES)
    return np.append(_header_link(mode.header_symbols).encode(content.tobytes()), np.ones(n_behind, np.complex64))


SIX, MODE = np.arange(64) < 6, TABLE.mode_of(0.1, 0.1)


@pytest.mark.parametrize(
    ("payload", "match"),
    [
        (forged(MODE, 0x11, 1, 7, SIX, 7 * 19 - 1), "the header says symbols 133, expected 132"),
        (forged(MODE, 0x11, 1, 8, SIX, 8 * 19), "the header says n_tokens 8, expected 7"),
        (forged(MODE, 0x11, 2, 7, SIX, 7 * 19), "the header says mode_id 2, expected 1"),
        (forged(MODE, 0x10, 1, 7, SIX, 7 * 19), r"version and system \(1, 0\), expected \(1, 1\)"),
        (forged(MODE, 0x21, 1, 7, SIX, 7 * 19), r"version and system \(2, 1\), expected \(1, 1\)"),
        (forged(MODE, 0x11, 1, 1, SIX & False, 19), "the header keeps no token"),
        (np.ones(MODE.header_symbols - 1), "symbols came, the header of mode 0.1/0.1 has"),
    ],
)
def test_a_header_that_disagrees_is_a_lost_picture(payload, match):
    assert MODE.mode_id == 1
    with pytest.raises(PictureLost, match=match) as caught:
        decode_picture(payload, 1.0, 0.01, MODE)
    assert caught.value.cause == "header_disagrees"


def test_a_forged_header_that_agrees_is_read():
    """What the test above spoils is right but for one field."""
    np.testing.assert_array_equal(decode_picture(forged(MODE, 0x11, 1, 7, SIX, 7 * 19), 1.0, 0.01, MODE).kept, SIX)


def test_a_header_in_noise_is_a_lost_picture():
    rng = np.random.default_rng(2)
    noise = awgn(np.zeros(n_symbols(MODE, 7), np.complex64), 1.0, rng)
    with pytest.raises(PictureLost, match="does not decode") as caught:
        decode_picture(noise, 1.0, 1.0, MODE)
    assert caught.value.cause == "header_lost"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((np.full(800, np.nan), 1.0, 0.1), r"symbols of shape \(800,\), expected one axis of finite symbols"),
        ((np.ones(800), np.inf, 0.1), "with finite gains"),
        ((np.ones((2, 400)), 1.0, 0.1), r"symbols of shape \(2, 400\)"),
        ((np.ones(800), 1.0, 0.0), "n0 is 0.0, expected a finite number > 0"),
        ((np.ones(800), 1.0, np.nan), "n0 is nan"),
    ],
)
def test_what_was_never_received_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match) as caught:
        decode_picture(*arguments, MODE)
    assert not isinstance(caught.value, PictureLost)


def test_the_header_is_no_tone_whatever_is_kept():
    """All and none but one kept, every mode: no QPSK symbol takes more than 45 % of a header (25 % were even)."""
    for mode in TABLE.modes:
        for n_kept in (1, 64):
            header = encode_picture(*picture(mode, n_kept), mode, TABLE)[: mode.header_symbols]
            _, counts = np.unique(np.round(header * 2), return_counts=True)
            assert counts.max() < 0.45 * header.size


def test_peaks_of_gaussian_symbols_stay_within_the_backoff():
    """A burst's root mean square is 0.25: 12.04 dB below full scale, which either part of a sample may reach.

    40 of the longest pictures, seed 0: the power of a sample is exponential, so that of n samples the largest is about
    ln n times the mean, 10.1 dB for 31,000.
    """
    config, mode, peaks = BurstConfig(), TABLE.mode_of(1.0, 0.5), []
    for seed in range(40):
        payload = encode_picture(*picture(mode, 64, seed), mode, TABLE)
        header = Header(SYSTEMS["adaptive"], mode.mode_id, 0, 0, payload.size)
        samples = modulate_burst(header, payload, config)[16 * 4 : -16 * 4]
        assert np.abs(samples.view(np.float32)).max() < 1
        assert np.sqrt(np.mean(np.abs(samples) ** 2)) == pytest.approx(0.25, rel=0.03)
        peaks.append(papr_db(samples))
    assert np.mean(peaks) == pytest.approx(10 * np.log10(np.log(samples.size)), abs=0.5)


def test_whatever_a_header_says_it_is_a_picture_or_lost():
    """400 headers that decode and say anything at all, half of them nearly right; seed 11."""
    rng, came, causes = np.random.default_rng(11), 0, set()
    for number in range(400):
        mode, kept = TABLE.modes[rng.integers(50)], rng.random(64) < rng.random()
        fields = [0x11, mode.mode_id, 1 + int(kept.sum())]
        if number % 2:
            fields[rng.integers(3)] = int(rng.integers(256))
        n_behind = fields[2] * mode.symbols_per_token + int(rng.integers(-1, 2)) * (number % 4 == 3)
        try:
            picture = decode_picture(forged(mode, *fields, kept, n_behind), 1.0, 0.01, mode)
        except PictureLost as error:
            assert len(str(error)) < 120 and "\n" not in str(error)
            causes.add(error.cause)
            continue
        came += 1
        np.testing.assert_array_equal(picture.kept, kept)
        assert picture.symbols.size == (1 + kept.sum()) * mode.symbols_per_token
    assert causes == {"header_disagrees"} and 150 < came < 250


def test_whatever_is_received_nothing_else_is_raised():
    """Noise, tones, steps and nothing, of any length, type and strength; seed 12."""
    rng = np.random.default_rng(12)
    for _ in range(300):
        mode, n = TABLE.modes[rng.integers(50)], int(rng.choice([0, 1, 139, 140, 141, rng.integers(8000)]))
        symbols = rng.choice([0, 1e-30, 1, 1e4]) * (rng.standard_normal(n) + rng.integers(2) * 1j)
        symbols = symbols.astype(rng.choice([np.complex64, np.complex128]), copy=False)
        gain = rng.choice([0, 1e-20, 1, 1e6]) * (np.ones(n) if rng.integers(2) else 1.0)
        with pytest.raises(PictureLost):
            decode_picture(symbols, gain, float(rng.choice([1e-30, 1e-6, 1.0, 1e9])), mode)

# SPDX-License-Identifier: GPL-3.0-or-later
"""int8 where it should be easiest: words that float32 decodes without an error, at any iteration count."""

import numpy as np
import pytest

from tokenlink.phy import ldpc, qam

RATES = (1 / 3, 1 / 2, 2 / 3, 3 / 4, 5 / 6)


def received(k, rate, esn0_db, blocks, rng):
    """Bits and LLRs of blocks sent with 16QAM over AWGN."""
    code = ldpc.LdpcCode(k, 4 * -(-round(k / rate) // 4))
    bits = rng.integers(0, 2, (blocks, k), dtype=np.uint8)
    symbols = qam.map_bits(ldpc.encode(code, bits), "16qam")
    n0 = 10 ** (-esn0_db / 10)
    noise = rng.standard_normal((2, *symbols.shape)) * np.sqrt(n0 / 2)
    return code, bits, qam.demap(symbols + noise[0] + 1j * noise[1], n0, "16qam")


@pytest.mark.parametrize("rate, esn0_db", zip(RATES, (6.5, 9.3, 12, 13.3, 14.8), strict=True))
def test_more_iterations_break_no_block(rate, esn0_db):
    """2.5 dB above the waterfall, seed 51: 64 blocks, all right and all checks satisfied after 5 to 100 iterations."""
    code, bits, llr = received(640, rate, esn0_db, 64, np.random.default_rng(51))
    for iterations in (10, 30, 100):
        result = ldpc.decode(code, llr, iterations, precision="int8", early_stop=False)
        assert ((result.app_llr < 0) == bits).all() and result.parity_ok.all()


@pytest.mark.parametrize("k", [40, 640, 3840, 8448])
@pytest.mark.parametrize("rate", RATES)
def test_clear_words_are_clear(k, rate):
    """20 and 40 dB and certainty, seed 52: no error, no failed check, whether or not decoding stops early."""
    rng = np.random.default_rng(52)
    for esn0_db in (20, 40):
        code, bits, llr = received(k, rate, esn0_db, 8, rng)
        for values in (llr, np.copysign(np.float32(np.inf), llr)) if esn0_db == 40 else (llr,):
            for options in ({}, {"early_stop": False, "max_iterations": 50}):
                result = ldpc.decode(code, values, precision="int8", **options)
                assert ((result.app_llr < 0) == bits).all() and result.parity_ok.all()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The shortest blocks there are, against the reference in numpy: of some no information bit is sent at all."""

import numpy as np
import pytest

from tokenlink.phy import ldpc
from tokenlink.phy.ldpc_reference import decode_reference


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("k", [1, 3, 4, 5, 6])
def test_blocks_of_a_few_bits_decode_as_in_the_reference(k, precision):
    """Lifting size 2: the first four bits are never sent."""
    rng = np.random.default_rng(k)
    code = ldpc.LdpcCode(k, k + 23, 2, 4)
    bits = rng.integers(0, 2, (5, k), dtype=np.uint8)
    signs = 1 - 2.0 * ldpc.encode(code, bits)
    llr = (signs * 2 + rng.standard_normal(signs.shape) * 2).astype(np.float32)
    found = ldpc.decode(code, llr, 6, precision=precision)
    for one, other in zip(found, decode_reference(code, llr, 6, precision=precision), strict=True):
        np.testing.assert_array_equal(one, other)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Gray mapping of TS 38.211 clause 5.1 and soft demapping."""

import numba
import numpy as np

BITS_PER_SYMBOL = {"bpsk": 1, "qpsk": 2, "16qam": 4, "64qam": 6}
METHODS = ("maxlog", "exact")


def _levels(bits):
    """Amplitudes of one real dimension by label, before normalisation: float64 [2**bits], first bit is MSB."""
    labels = np.arange(1 << bits)
    signs = 1 - 2 * ((labels[:, None] >> np.arange(bits - 1, -1, -1)) & 1)
    amplitude = np.zeros(len(labels))
    for i in range(bits - 1, 0, -1):
        amplitude = signs[:, i] * amplitude
        amplitude = (1 << (bits - i)) - amplitude if i < bits - 1 else 2.0 - signs[:, i]
    return signs[:, 0] * (amplitude if bits > 1 else 1.0)


def _normalised_levels(modulation):
    bits = max(1, BITS_PER_SYMBOL[modulation] // 2)
    levels = _levels(bits)
    energy = np.mean(levels**2) * (1 if modulation == "bpsk" else 2)
    return levels / np.sqrt(energy)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Gray mapping of TS 38.211 clause 5.1 and soft demapping."""

import numba
import numpy as np

BITS_PER_SYMBOL = {"bpsk": 1, "qpsk": 2, "16qam": 4, "64qam": 6}
METHODS = ("maxlog", "exact")


def _levels(bits):
    """Gray amplitudes of one real dimension by label, mean energy 1: float64 [2**bits], first bit is MSB."""
    labels = np.arange(1 << bits)
    signs = 1 - 2 * ((labels[:, None] >> np.arange(bits - 1, -1, -1)) & 1)
    amplitude = np.ones(len(labels))
    for i in range(bits - 1, 0, -1):
        amplitude = (1 << (bits - i)) - signs[:, i] * amplitude
    levels = signs[:, 0] * amplitude
    return levels / np.sqrt(np.mean(levels**2))


_LEVELS = {name: _levels(max(1, bits // 2)) for name, bits in BITS_PER_SYMBOL.items()}


def _bits_per_symbol(modulation):
    if modulation not in BITS_PER_SYMBOL:
        raise ValueError(f"modulation is {modulation!r}, must be one of {', '.join(BITS_PER_SYMBOL)}")
    return BITS_PER_SYMBOL[modulation]


def map_bits(bits, modulation):
    """Symbols of bits, mean energy 1.

    Parameters
    ----------
    bits : uint8 0/1 [..., n]   n a multiple of the bits per symbol
    modulation : str            a key of BITS_PER_SYMBOL

    Returns
    -------
    complex64 [..., n / bits_per_symbol]

    Raises
    ------
    ValueError   unknown modulation, wrong length, entries other than 0 and 1

    Notes
    -----
    TS 38.211 clauses 5.1.2 to 5.1.5: even bits choose the real part, odd bits the imaginary part.
    """
    width = _bits_per_symbol(modulation)
    bits = np.asarray(bits, np.uint8)
    if bits.ndim == 0 or bits.shape[-1] % width:
        raise ValueError(f"bits has shape {bits.shape}, its last axis must be a multiple of {width} for {modulation}")
    if bits.size and bits.max() > 1:
        raise ValueError(f"bits reach {bits.max()}, must be 0 or 1")
    if width == 1:
        return ((1 - 2.0 * bits) * np.complex64((1 + 1j) / np.sqrt(2))).astype(np.complex64)
    pairs = bits.reshape(*bits.shape[:-1], -1, width // 2, 2).astype(np.intp)
    weights = 1 << np.arange(width // 2 - 1, -1, -1)
    labels = np.moveaxis(pairs, -1, 0) @ weights
    levels = _LEVELS[modulation] / np.sqrt(2)
    return (levels[labels[0]] + 1j * levels[labels[1]]).astype(np.complex64)


@numba.njit(cache=True)
def _demap(matched, gain2, inverse_n0, levels, bits, exact, llr):
    """LLRs of real dimensions: matched [n, dims], llr [n, bits, dims]; metric is the log likelihood plus a constant."""
    for i in range(matched.shape[0]):
        for dim in range(matched.shape[1]):
            for bit in range(bits):
                best0 = -np.inf
                best1 = -np.inf
                for label in range(levels.size):
                    x = levels[label]
                    metric = (2.0 * matched[i, dim] * x - gain2[i] * x * x) * inverse_n0[i]
                    if (label >> (bits - 1 - bit)) & 1:
                        best1 = max(best1, metric)
                    else:
                        best0 = max(best0, metric)
                value = best0 - best1
                if exact:
                    sum0 = 0.0
                    sum1 = 0.0
                    for label in range(levels.size):
                        x = levels[label]
                        metric = (2.0 * matched[i, dim] * x - gain2[i] * x * x) * inverse_n0[i]
                        if (label >> (bits - 1 - bit)) & 1:
                            sum1 += np.exp(metric - best1)
                        else:
                            sum0 += np.exp(metric - best0)
                    value += np.log(sum0) - np.log(sum1)
                llr[i, bit, dim] = value


def demap(symbols, n0, modulation, channel_gain=1, method="maxlog"):
    """LLRs of the bits carried by noisy symbols y = h x + noise.

    Parameters
    ----------
    symbols : complex64 [..., n_symbols]        received, not equalised
    n0 : float or float32 [..., n_symbols]      total noise variance, linear, > 0
    modulation : str                            a key of BITS_PER_SYMBOL
    channel_gain : complex or complex64 [..., n_symbols]   h; 0 gives LLR 0
    method : "maxlog" or "exact"

    Returns
    -------
    float32 [..., n_symbols * bits_per_symbol]   nat; positive means 0

    Raises
    ------
    ValueError   unknown names, n0 <= 0, values that are not finite, or shapes that do not broadcast

    Notes
    -----
    Exact: log sum exp(-|y - h x|^2 / n0) over x with b = 0, minus the same with b = 1; max-log keeps the largest term.
    Both dimensions of a Gray square constellation separate, so each is a search over its own levels.
    """
    width = _bits_per_symbol(modulation)
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, must be one of {', '.join(METHODS)}")
    symbols = np.asarray(symbols, np.complex128)
    try:
        n0 = np.broadcast_to(np.asarray(n0, np.float64), symbols.shape)
        channel_gain = np.broadcast_to(np.asarray(channel_gain, np.complex128), symbols.shape)
    except ValueError:
        raise ValueError("n0 and channel_gain must be scalars or broadcast to the shape of symbols") from None
    if symbols.ndim == 0:
        raise ValueError("symbols must have at least one axis")
    if not (np.isfinite(symbols).all() and np.isfinite(channel_gain).all() and np.isfinite(n0).all()):
        raise ValueError("symbols, n0 and channel_gain must be finite")
    if n0.size and n0.min() <= 0:
        raise ValueError(f"n0 is {n0.min()}, must be > 0")
    matched = (symbols * channel_gain.conj()).ravel()
    gain2 = np.ascontiguousarray(np.abs(channel_gain) ** 2).ravel()
    if width == 1:
        dims = ((matched.real + matched.imag) / np.sqrt(2))[:, None]
        levels, bits = _LEVELS[modulation], 1
    else:
        dims = np.stack([matched.real, matched.imag], axis=1)
        levels, bits = _LEVELS[modulation] / np.sqrt(2), width // 2
    llr = np.empty((dims.shape[0], bits, dims.shape[1]), np.float32)
    _demap(np.ascontiguousarray(dims), gain2, 1 / n0.ravel(), levels, bits, method == "exact", llr)
    return llr.reshape(*symbols.shape[:-1], symbols.shape[-1] * width)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Gray mapping of TS 38.211 clause 5.1 and soft demapping."""

import math

import numba
import numpy as np

from tokenlink.phy import _qam_kernel as kernel

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


def _points(modulation):
    """Constellation by label, complex64 [2**bits_per_symbol], first bit is MSB."""
    width = BITS_PER_SYMBOL[modulation]
    levels = _LEVELS[modulation] / np.sqrt(2)
    labels = np.arange(1 << width)
    if width == 1:
        return (levels[labels] * (1 + 1j)).astype(np.complex64)
    real, imaginary = (
        sum(((labels >> (width - 1 - bit)) & 1) << (width // 2 - 1 - bit // 2) for bit in range(first, width, 2))
        for first in (0, 1)
    )
    return (levels[real] + 1j * levels[imaginary]).astype(np.complex64)


_POINTS = {name: _points(name) for name in BITS_PER_SYMBOL}
_SMALLEST_LEVEL = {name: float(np.abs(levels).min() / np.sqrt(2)) for name, levels in _LEVELS.items()}


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
    shape = bits.shape
    if not shape or shape[-1] % width:
        raise ValueError(f"bits has shape {shape}, its last axis must be a multiple of {width} for {modulation}")
    symbols = np.empty((*shape[:-1], shape[-1] // width), np.complex64)
    if not kernel.map_labels(np.require(bits, None, "CA").ravel(), _POINTS[modulation], symbols.ravel()):
        raise ValueError(f"bits reach {bits.max()}, must be 0 or 1")
    return symbols


@numba.njit(cache=True)
def _demap_exact(matched, gain2, inverse_n0, levels, bits, llr):
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
                sum0 = 0.0
                sum1 = 0.0
                for label in range(levels.size):
                    x = levels[label]
                    metric = (2.0 * matched[i, dim] * x - gain2[i] * x * x) * inverse_n0[i]
                    if (label >> (bits - 1 - bit)) & 1:
                        sum1 += np.exp(metric - best1)
                    else:
                        sum0 += np.exp(metric - best0)
                llr[i, bit, dim] = best0 - best1 + np.log(sum0) - np.log(sum1)


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
    Both dimensions of a Gray square constellation separate. Max-log is computed in float32 by the closed form of
    `_qam_kernel`, and limited there to some 1e36; exact in float64 by a sum over the levels of each dimension.
    """
    width = _bits_per_symbol(modulation)
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, must be one of {', '.join(METHODS)}")
    if method == "exact":
        return _exact(symbols, n0, modulation, channel_gain)
    shape, *scaled = _scaled(symbols, n0, modulation, channel_gain)
    llr = np.empty((*shape, width), np.float32)
    kernel.demap_in_order(*scaled, _rows(llr, shape))
    return llr.reshape(*shape[:-1], shape[-1] * width)


def demap_planar(symbols, n0, modulation, channel_gain=1):
    """Max-log LLRs, a plane for each bit of the label: with a bit interleaver of NR, the order before it.

    Parameters
    ----------
    symbols, n0, modulation, channel_gain   as in `demap`

    Returns
    -------
    float32 [..., bits_per_symbol, n_symbols]   nat; positive means 0

    Raises
    ------
    ValueError   as `demap`

    Notes
    -----
    The interleaver of TS 38.212 clause 5.4.2.2 writes rows of n_symbols bits and sends columns, so that row j is what
    bit j of every symbol carries.
    """
    width = _bits_per_symbol(modulation)
    shape, *scaled = _scaled(symbols, n0, modulation, channel_gain)
    llr = np.empty((*shape[:-1], width, shape[-1]), np.float32)
    kernel.demap_planar(*scaled, _rows(llr, shape))
    return llr


def demap_int8(symbols, n0, modulation, scale, limit=127, channel_gain=1):
    """Max-log LLRs for a decoder that works on integers, in planes as `demap_planar` gives them.

    Parameters
    ----------
    symbols, n0, modulation, channel_gain   as in `demap`
    scale : float   steps a nat, > 0
    limit : int     largest magnitude, 1 to 127

    Returns
    -------
    int8 [..., bits_per_symbol, n_symbols]   LLR * scale to the nearest integer, held to -limit..limit

    Raises
    ------
    ValueError   as `demap`, and a scale or limit out of range
    """
    width = _bits_per_symbol(modulation)
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"scale is {scale}, must be a finite number > 0")
    if not 1 <= limit <= 127:
        raise ValueError(f"limit is {limit}, must be in 1..127")
    shape, *scaled = _scaled(symbols, n0, modulation, channel_gain, scale)
    llr = np.empty((*shape[:-1], width, shape[-1]), np.int8)
    kernel.demap_to_int8(*scaled, np.float32(limit), _rows(llr, shape))
    return llr


def _rows(llr, shape):
    """The same array with all leading axes as one; for symbols of `shape`."""
    return llr.reshape(math.prod(shape[:-1]), *llr.shape[-2:])


def _scaled(symbols, n0, modulation, channel_gain, scale=1.0):
    """What the max-log kernels take: shape of the symbols, their parts by row, k h and the knees (g = 1 or n a row)."""
    symbols = np.require(symbols, np.complex64, "CA") if np.ndim(symbols) else _no_axis()
    *lead, n = symbols.shape
    rows = symbols.size // n if n else math.prod(lead)
    parts = symbols.reshape(rows, n).view(np.float32)
    n0, channel_gain, gains = np.asarray(n0, np.float64), np.asarray(channel_gain, np.complex128), 1
    if n0.ndim or channel_gain.ndim:
        n0, channel_gain, gains = _spread(n0, channel_gain, lead, n)
    factor = 4 * _SMALLEST_LEVEL[modulation] * scale
    gain_parts, knees = np.empty((rows, gains, 2), np.float32), np.empty((rows, gains), np.float32)
    usable = kernel.scale_gains(channel_gain.ravel(), n0.ravel(), factor, _SMALLEST_LEVEL[modulation],
                                gain_parts.reshape(-1, 2), knees.reshape(-1))
    if not (usable and kernel.all_finite(parts.reshape(-1).view(np.uint32))):
        _check_channel(symbols=symbols, n0=n0, channel_gain=channel_gain)
    return symbols.shape, parts, gain_parts, knees


def _spread(n0, channel_gain, lead, n):
    """Both with one value a row, or one a symbol when either differs between symbols; and how many a row."""
    try:
        shape = np.broadcast_shapes(n0.shape, channel_gain.shape)
        gains = n if shape[-1] != 1 else 1
        return (*(np.ascontiguousarray(np.broadcast_to(each, (*lead, gains))) for each in (n0, channel_gain)), gains)
    except ValueError:
        raise ValueError("n0 and channel_gain must be scalars or broadcast to the shape of symbols") from None


def _no_axis():
    raise ValueError("symbols must have at least one axis")


def _check_channel(**arrays):
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds NaN or infinity, must be finite")
    if arrays["n0"].size and arrays["n0"].min() <= 0:
        raise ValueError(f"n0 is {arrays['n0'].min()}, must be > 0")


def _exact(symbols, n0, modulation, channel_gain):
    width = _bits_per_symbol(modulation)
    symbols = np.asarray(symbols, np.complex128) if np.ndim(symbols) else _no_axis()
    try:
        n0 = np.broadcast_to(np.asarray(n0, np.float64), symbols.shape)
        channel_gain = np.broadcast_to(np.asarray(channel_gain, np.complex128), symbols.shape)
    except ValueError:
        raise ValueError("n0 and channel_gain must be scalars or broadcast to the shape of symbols") from None
    _check_channel(symbols=symbols, n0=n0, channel_gain=channel_gain)
    matched = (symbols * channel_gain.conj()).ravel()
    gain2 = np.ascontiguousarray(np.abs(channel_gain) ** 2).ravel()
    if width == 1:
        dims = ((matched.real + matched.imag) / np.sqrt(2))[:, None]
        levels, bits = _LEVELS[modulation], 1
    else:
        dims = np.stack([matched.real, matched.imag], axis=1)
        levels, bits = _LEVELS[modulation] / np.sqrt(2), width // 2
    llr = np.empty((dims.shape[0], bits, dims.shape[1]), np.float32)
    _demap_exact(np.ascontiguousarray(dims), gain2, 1 / n0.ravel(), levels, bits, llr)
    return llr.reshape(*symbols.shape[:-1], symbols.shape[-1] * width)

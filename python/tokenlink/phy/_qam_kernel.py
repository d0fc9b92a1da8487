# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled loops of the mapper and of the max-log demapper.

The demapper's rows are written plane by plane, each loop over one plane with nothing carried from symbol to symbol, so
that the compiler turns it into the widest vector instructions there are. A Gray square constellation needs no search:
with a the smallest level of a real dimension, g = |h|^2, m one real part of y h*, k = 4 a / n0, u = |k m| and the knee
K = 2 a g k, the max-log LLRs of a dimension are

    4QAM    sign   k m
    16QAM   sign   u + (u - K)+                           with the sign of m;   then   K - u
    64QAM   sign   u + (u - K)+ + (u - 2K)+ + (u - 3K)+   with the sign of m;   then   2K - u + (K - u)+ - (u - 3K)+
                                                                                and    K - |u - 2K|
"""

import numba
import numpy as np

#: parts of symbols and scaled gains are held to this, so that no sum below overflows
HUGE = np.float32(1e18)


@numba.njit(cache=True)
def all_finite(words):
    """True when no float32 among these bit patterns (uint32 [n]) is NaN or infinite; one pass, no array in between."""
    exponent = np.uint32(0x7F800000)
    found = np.uint32(0)
    for i in range(words.size):
        found |= np.uint32((words[i] & exponent) == exponent)
    return found == 0


@numba.njit(cache=True)
def scale_gains(channel_gain, n0, factor, level, gains, knees):
    """k h as [g, 2] and the knees [g], for k = factor / n0; False when a value is not finite or n0 is not positive.

    Of one gain or one n0 all g are made. What overflows is held to the limit.
    """
    for i in range(knees.size):
        h, noise = channel_gain[i % channel_gain.size], n0[i % n0.size]
        if not (noise > 0 and noise < np.inf and np.isfinite(h.real) and np.isfinite(h.imag)):
            return False
        k = min(factor / noise, 1e300)
        gains[i, 0] = min(max(k * h.real, -HUGE), HUGE)
        gains[i, 1] = min(max(k * h.imag, -HUGE), HUGE)
        knees[i] = min(2 * level * (h.real * h.real + h.imag * h.imag) * k, HUGE * HUGE)
    return True


@numba.njit(cache=True)
def map_labels(bits, points, out):
    """Points of the labels that bits spell, MSB first; False when an entry is neither 0 nor 1."""
    seen = np.uint8(0)
    for i in range(bits.size):
        seen |= bits[i]
    if seen > 1:
        return False
    width = bits.size // max(out.size, 1)
    for i in range(out.size):
        label = 0
        for j in range(width):
            label = (label << 1) | bits[width * i + j]
        out[i] = points[label]
    return True


@numba.njit(cache=True)
def _matched(parts, gain_re, gain_im, real, imaginary):
    """k y h* of symbols, given as real and imaginary parts in turn."""
    for i in range(real.size):
        re = min(max(parts[2 * i], -HUGE), HUGE)
        im = min(max(parts[2 * i + 1], -HUGE), HUGE)
        real[i] = re * gain_re + im * gain_im
        imaginary[i] = im * gain_re - re * gain_im


@numba.njit(cache=True)
def _bits_16qam(sign, amplitude, knee):
    for i in range(sign.size):
        u = abs(sign[i])
        amplitude[i] = knee - u
        sign[i] = np.copysign(u + max(u - knee, np.float32(0)), sign[i])


@numba.njit(cache=True)
def _bits_64qam(sign, outer, inner, knee):
    zero, knee2, knee3 = np.float32(0), np.float32(2) * knee, np.float32(3) * knee
    for i in range(sign.size):
        u = abs(sign[i])
        beyond = max(u - knee3, zero)
        outer[i] = knee2 - u + max(knee - u, zero) - beyond
        inner[i] = knee - abs(u - knee2)
        sign[i] = np.copysign(u + max(u - knee, zero) + max(u - knee2, zero) + beyond, sign[i])


@numba.njit(cache=True)
def _row(parts, gains, knees, width, planes):
    """LLRs of one row of symbols, a plane for each bit of the label; `planes` has at least two."""
    n = planes.shape[1]
    span = n // gains.shape[0] if n else 1  # symbols that share a gain
    for j in range(gains.shape[0]):
        here = slice(j * span, (j + 1) * span)
        _matched(parts[2 * j * span : 2 * (j + 1) * span], gains[j, 0], gains[j, 1], planes[0, here], planes[1, here])
        if width == 1:
            planes[0, here] += planes[1, here]
        for dim in range(2):
            if width == 4:
                _bits_16qam(planes[dim, here], planes[2 + dim, here], knees[j])
            elif width == 6:
                _bits_64qam(planes[dim, here], planes[2 + dim, here], planes[4 + dim, here], knees[j])


@numba.njit(cache=True)
def demap_planar(parts, gains, knees, out):
    """float32 [rows, bits, n] of symbols [rows, 2n], scaled gains [rows, g, 2] and knees [rows, g], g = 1 or n."""
    planes = np.empty((2, out.shape[2] if out.shape[1] == 1 else 0), np.float32)
    for row in range(out.shape[0]):
        _row(parts[row], gains[row], knees[row], out.shape[1], out[row] if out.shape[1] > 1 else planes)
        if out.shape[1] == 1:
            out[row, 0] = planes[0]


@numba.njit(cache=True)
def demap_in_order(parts, gains, knees, out):
    """As `demap_planar`, in the order in which the bits were sent: float32 [rows, n, bits]."""
    planes = np.empty((max(out.shape[2], 2), out.shape[1]), np.float32)
    for row in range(out.shape[0]):
        _row(parts[row], gains[row], knees[row], out.shape[2], planes)
        _interleave(planes, out[row])


@numba.njit(cache=True)
def _interleave(planes, out):
    if out.shape[1] == 4:
        for i in range(out.shape[0]):
            for bit in range(4):
                out[i, bit] = planes[bit, i]
    else:
        out[:] = planes[: out.shape[1]].T


@numba.njit(cache=True)
def demap_to_int8(parts, gains, knees, limit, out):
    """As `demap_planar`, rounded to the nearest integer and held to -limit..limit: int8 [rows, bits, n]."""
    planes = np.empty((max(out.shape[1], 2), out.shape[2]), np.float32)
    for row in range(out.shape[0]):
        _row(parts[row], gains[row], knees[row], out.shape[1], planes)
        for bit in range(out.shape[1]):
            _round(planes[bit], limit, out[row, bit])


@numba.njit(cache=True)
def _round(values, limit, out):
    for i in range(out.size):
        out[i] = np.int8(np.int32(np.rint(min(max(values[i], -limit), limit))))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled loops of the burst receiver. Real and imaginary parts lie in arrays of their own, and inner loops run over
slices from 0: only so does the compiler use vector instructions."""

import numba
import numpy as np

#: positions whose accumulators stay in the first-level cache
_TILE = 1024
_PHASORS = 64


@numba.njit(cache=True, nogil=True, fastmath=True)
def correlate_real(x, taps, spacing, out):
    """out[n] = sum_k taps[k] x[n + k * spacing]; the number of taps is a multiple of 8."""
    for start in range(0, out.size, _TILE):
        count = min(_TILE, out.size - start)
        o = out[start : start + count]
        o[:] = 0
        for k in range(0, taps.size, 8):
            p = start + k * spacing
            t0, t1, t2, t3 = taps[k], taps[k + 1], taps[k + 2], taps[k + 3]
            t4, t5, t6, t7 = taps[k + 4], taps[k + 5], taps[k + 6], taps[k + 7]
            x0, x1 = x[p : p + count], x[p + spacing : p + spacing + count]
            x2, x3 = x[p + 2 * spacing : p + 2 * spacing + count], x[p + 3 * spacing : p + 3 * spacing + count]
            p += 4 * spacing
            x4, x5 = x[p : p + count], x[p + spacing : p + spacing + count]
            x6, x7 = x[p + 2 * spacing : p + 2 * spacing + count], x[p + 3 * spacing : p + 3 * spacing + count]
            for j in range(count):
                o[j] += t0 * x0[j] + t1 * x1[j] + t2 * x2[j] + t3 * x3[j] + (
                    t4 * x4[j] + t5 * x5[j] + t6 * x6[j] + t7 * x7[j]
                )


@numba.njit(cache=True, nogil=True, fastmath=True)
def differential_metric(parts, dc, pulse_taps, signs, spacing, terms, value, product):
    """Metric and product of `detection_metric`; both tap arrays are padded with zeros to a multiple of 8.

    value float32 [n], product complex64 [n]: entry m belongs to the matched filter whose first tap is on sample m.
    """
    n = value.size
    n_products = n + (signs.size - 1) * spacing
    n_matched = n_products + spacing
    real = np.zeros(n_matched + pulse_taps.size, np.float32)
    imag = np.zeros(n_matched + pulse_taps.size, np.float32)
    count = min(parts.shape[0], real.size)
    for i in range(count):
        real[i] = parts[i, 0] - np.float32(dc.real)
        imag[i] = parts[i, 1] - np.float32(dc.imag)
    matched_real, matched_imag = np.empty(n_matched, np.float32), np.empty(n_matched, np.float32)
    correlate_real(real, pulse_taps, 1, matched_real)
    correlate_real(imag, pulse_taps, 1, matched_imag)
    products_real, products_imag = np.empty(n_products, np.float32), np.empty(n_products, np.float32)
    energy = np.empty(n_products, np.float32)
    later_real, later_imag = matched_real[spacing:], matched_imag[spacing:]
    for i in range(n_products):
        products_real[i] = later_real[i] * matched_real[i] + later_imag[i] * matched_imag[i]
        products_imag[i] = later_imag[i] * matched_real[i] - later_real[i] * matched_imag[i]
        energy[i] = products_real[i] ** 2 + products_imag[i] ** 2
    sum_real, sum_imag = np.empty(n, np.float32), np.empty(n, np.float32)
    correlate_real(products_real, signs, spacing, sum_real)
    correlate_real(products_imag, signs, spacing, sum_imag)
    _moving_sum(energy, spacing, terms, value)
    # rounding must not turn a pause after a strong burst into a preamble, nor digital silence
    floor = np.float32(1e-14 * terms * np.max(energy[: n + (terms - 1) * spacing]) + 1e-30)
    for i in range(n):
        value[i] = (sum_real[i] ** 2 + sum_imag[i] ** 2) / (terms * max(value[i], floor))
        product[i] = complex(sum_real[i], sum_imag[i])


@numba.njit(cache=True, nogil=True)
def _moving_sum(energy, spacing, terms, sums):
    """sums[n] = sum of `terms` energies at distance `spacing` from n on."""
    running = np.zeros(spacing)
    for start in range(0, sums.size, spacing):
        row = start // spacing
        for phase in range(min(spacing, sums.size - start)):
            n = start + phase
            if row % terms == 0:  # a fresh sum, before rounding adds up
                running[phase] = 0.0
                for k in range(terms):
                    running[phase] += energy[n + k * spacing]
            else:
                running[phase] += energy[n + (terms - 1) * spacing] - energy[n - spacing]
            sums[n] = running[phase]


@numba.njit(cache=True, nogil=True)
def peaks_above(value, threshold, reach, found):
    """Indices of values above the threshold that are the largest within `reach`, into `found`; how many they are."""
    count = 0
    for n in range(value.size):
        if value[n] > threshold:
            largest = True
            for other in value[max(n - reach, 0) : n + reach + 1]:
                if other > value[n]:
                    largest = False
                    break
            if largest:
                found[count] = n
                count += 1
    return count


@numba.njit(cache=True, nogil=True, fastmath=True)
def mean_of_pauses(parts, segment):
    """Mean of segment means, weighted by one over their variance: see `estimate_dc`."""
    n_segments = max(parts.shape[0] // segment, 1)
    length = min(segment, parts.shape[0])
    means, variances = np.empty(n_segments, np.complex128), np.empty(n_segments)
    for s in range(n_segments):
        part = parts[s * length : (s + 1) * length]
        real, imag, spread = 0.0, 0.0, 0.0
        for i in range(length):
            real += part[i, 0]
            imag += part[i, 1]
        real /= length
        imag /= length
        for i in range(length):
            spread += (part[i, 0] - real) ** 2 + (part[i, 1] - imag) ** 2
        means[s], variances[s] = complex(real, imag), spread / length
    weights = 1 / (variances + 1e-9 * variances.max() + 1e-30)
    return np.sum(weights * means) / weights.sum()


@numba.njit(cache=True, nogil=True, fastmath=True)
def mix_to_parts(parts, offset, frequency, first, real, imag):
    """Samples less an offset, times exp(j 2 pi frequency (first + i)), as real and imaginary parts."""
    cos, sin = np.empty(_PHASORS, np.float32), np.empty(_PHASORS, np.float32)
    for j in range(_PHASORS):
        cos[j], sin[j] = np.cos(2 * np.pi * frequency * j), np.sin(2 * np.pi * frequency * j)
    offset_real, offset_imag = np.float32(offset.real), np.float32(offset.imag)
    for start in range(0, parts.shape[0], _PHASORS):
        angle = 2 * np.pi * frequency * (first + start)
        base_real, base_imag = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        part = parts[start : start + _PHASORS]
        r, m = real[start : start + _PHASORS], imag[start : start + _PHASORS]
        for j in range(part.shape[0]):
            turn_real = base_real * cos[j] - base_imag * sin[j]
            turn_imag = base_real * sin[j] + base_imag * cos[j]
            x, y = part[j, 0] - offset_real, part[j, 1] - offset_imag
            r[j] = x * turn_real - y * turn_imag
            m[j] = x * turn_imag + y * turn_real


@numba.njit(cache=True, nogil=True, fastmath=True)
def filter_at(real, imag, first, step, table, half, out):
    """Matched filter at first + k * step; parts are zero outside. `table` as in `pulse`."""
    n_taps, n_samples = table.shape[1], real.size
    weights = np.empty(n_taps, np.float32)
    last = -1.0
    for k in range(out.size):
        centre = first + k * step
        below = int(np.floor(centre))
        offset = (centre - below) * (table.shape[0] - 1)
        if abs(offset - last) > 1e-6:  # without a clock offset all instants have the same fraction
            row = min(int(offset), table.shape[0] - 2)
            fraction = np.float32(offset - row)
            now, later = table[row], table[row + 1]
            for i in range(n_taps):
                weights[i] = now[i] + fraction * (later[i] - now[i])
            last = offset
        left = below - half
        low = max(0, -left)
        count = min(n_taps, n_samples - left) - low
        sum_real = np.float32(0)
        sum_imag = np.float32(0)
        if count > 0:
            w = weights[low : low + count]
            r, m = real[left + low : left + low + count], imag[left + low : left + low + count]
            for i in range(count):
                sum_real += w[i] * r[i]
                sum_imag += w[i] * m[i]
        out[k] = complex(sum_real, sum_imag)

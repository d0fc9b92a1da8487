// SPDX-License-Identifier: GPL-3.0-or-later
#include "resampler.hpp"
#include <algorithm>
#include <cmath>
#include <numeric>
#include <uhd/exception.hpp>

namespace twist {
namespace {

constexpr int64_t LARGEST_TERM = 4096;
constexpr double LOBES         = 16;  // of the sinc, on either side
constexpr double BETA          = 7.0; // of the Kaiser window: side lobes below -70 dB
constexpr double PASS          = 0.92; // of the narrower band

double sinc(double x)
{
    return x == 0 ? 1 : std::sin(M_PI * x) / (M_PI * x);
}

} // namespace

Resampler::Resampler(double from_rate, double to_rate)
{
    const auto from = std::llround(from_rate * 1000), to = std::llround(to_rate * 1000);
    const auto common = std::gcd(from, to);
    _up = to / common, _down = from / common;
    if (_up > LARGEST_TERM || _down > LARGEST_TERM)
        throw uhd::value_error("twist_virtual: a rate of " + std::to_string(from_rate) + " and one of "
                               + std::to_string(to_rate) + " have no ratio of whole numbers up to 4096: use another "
                               + "air_rate or master_clock_rate");
    const double cutoff = PASS * std::min(1.0, double(_up) / double(_down));
    _half               = static_cast<int64_t>(std::ceil(LOBES / cutoff));
    _taps.resize(_up * 2 * _half);
    for (int64_t phase = 0; phase < _up; phase++)
        for (int64_t i = 0; i < 2 * _half; i++) { // tap i meets the input i - half + 1 after the one before the output
            const double x = double(i - _half + 1) - double(phase) / double(_up);
            const double w = std::cyl_bessel_i(0, BETA * std::sqrt(std::max(0.0, 1 - x * x / double(_half * _half))));
            _taps[phase * 2 * _half + i] = float(cutoff * sinc(cutoff * x) * w / std::cyl_bessel_i(0, BETA));
        }
    reset();
}

void Resampler::reset()
{
    _kept.assign(_half, Sample(0)); // silence before the first input
    _first = -_half;
    _next = _end = 0;
}

void Resampler::process(const Sample* samples, size_t n, Samples& out)
{
    _end += n;
    if (is_idle()) {
        out.insert(out.end(), samples, samples + n);
        return;
    }
    _kept.insert(_kept.end(), samples, samples + n);
    for (;; _next++) {
        const int64_t before = _next * _down / _up, phase = _next * _down % _up;
        if (before + _half >= _first + int64_t(_kept.size()))
            break;
        const Sample* in   = _kept.data() + (before - _half + 1 - _first);
        const float* taps  = _taps.data() + phase * 2 * _half;
        float real = 0, imag = 0;
        for (int64_t i = 0; i < 2 * _half; i++) {
            real += taps[i] * in[i].real();
            imag += taps[i] * in[i].imag();
        }
        out.emplace_back(real, imag);
    }
    const int64_t used = std::min<int64_t>(_next * _down / _up - _half + 1 - _first, _kept.size());
    if (used > 0) {
        _kept.erase(_kept.begin(), _kept.begin() + used);
        _first += used;
    }
}

void Resampler::flush(Samples& out)
{
    if (!is_idle()) {
        const auto whole = static_cast<int64_t>(std::ceil(double(_end) * double(_up) / double(_down)));
        const Samples silence(_half + _down / _up + 1, Sample(0));
        const size_t before = out.size();
        const auto wanted   = std::max<int64_t>(whole - _next, 0);
        process(silence.data(), silence.size(), out);
        out.resize(std::min(out.size(), before + size_t(wanted)));
    }
    reset();
}

} // namespace twist

// SPDX-License-Identifier: GPL-3.0-or-later
// Changes the rate of a stream by a ratio of whole numbers; output k belongs to the time of input k * down / up.
#pragma once

#include "wire.hpp"

namespace twist {

class Resampler
{
public:
    //! Hz both; throws uhd::value_error where the ratio is not one of whole numbers up to 4096.
    Resampler(double from_rate, double to_rate);

    bool is_idle() const { return _up == _down; }

    //! Forget what came before; the next input is number 0.
    void reset();

    //! Append what n more inputs make known.
    void process(const Sample* samples, size_t n, Samples& out);

    //! Append what is left when silence follows.
    void flush(Samples& out);

private:
    int64_t _up, _down;
    int64_t _half;             // taps on either side
    std::vector<float> _taps;  // [phase][2 * half]
    Samples _kept;             // inputs from number _first on
    int64_t _first = 0, _next = 0, _end = 0; // output to come; number of inputs that came
};

} // namespace twist

// SPDX-License-Identifier: GPL-3.0-or-later
// A setting that changes at ticks known before, such as a gain with a command time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>

namespace twist {

constexpr int64_t NEVER = std::numeric_limits<int64_t>::max();
constexpr int64_t AT_ONCE = std::numeric_limits<int64_t>::min();

class TimedValue
{
public:
    explicit TimedValue(float value) : _value(value) {}

    //! Change to `value` from a tick on; AT_ONCE: from now on.
    void set(int64_t tick, float value)
    {
        if (tick == AT_ONCE)
            _value = value;
        else
            _changes[tick] = value;
    }

    //! The value at a tick; ticks only rise.
    float at(int64_t tick)
    {
        while (!_changes.empty() && _changes.begin()->first <= tick) {
            _value = _changes.begin()->second;
            _changes.erase(_changes.begin());
        }
        return _value;
    }

    //! How many of n ticks from `tick` on have the value of the first one.
    int64_t run(int64_t tick, int64_t n) const
    {
        const auto change = _changes.upper_bound(tick);
        return change == _changes.end() ? n : std::min(n, change->first - tick);
    }

private:
    float _value;
    std::map<int64_t, float> _changes;
};

} // namespace twist

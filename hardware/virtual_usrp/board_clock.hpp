// SPDX-License-Identifier: GPL-3.0-or-later
// The time of a board: ticks of the air's sample rate, and the seconds that a program has set them to.
#pragma once

#include <cstdint>
#include <mutex>
#include <uhd/types/time_spec.hpp>
#include <vector>

namespace twist {

//! Paced by the wall clock, from a zero that all boards of the process share, or moved on by `advance` in lock step.
//! Thread-safe.
class BoardClock
{
public:
    BoardClock(double tick_rate, bool lock_step);

    int64_t now() const;
    void advance(int64_t tick);
    double tick_rate() const { return _rate; }

    uhd::time_spec_t time_at(int64_t tick) const;
    int64_t tick_of(const uhd::time_spec_t& time) const;
    uhd::time_spec_t time_now() const { return time_at(now()); }

    void set_now(const uhd::time_spec_t& time);
    void set_next_pps(const uhd::time_spec_t& time);
    uhd::time_spec_t time_last_pps() const;

private:
    struct Setting {
        int64_t tick; // from which on it holds
        uhd::time_spec_t time;
    };
    int64_t last_edge() const;
    void set(int64_t tick, const uhd::time_spec_t& time);

    const double _rate;
    const bool _lock_step;
    mutable std::mutex _mutex;
    int64_t _moved = 0;
    std::vector<Setting> _settings;
};

} // namespace twist

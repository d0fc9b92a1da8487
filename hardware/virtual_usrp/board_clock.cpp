// SPDX-License-Identifier: GPL-3.0-or-later
#include "board_clock.hpp"
#include <chrono>
#include <cmath>

namespace twist {
namespace {

//! Wall time; its whole seconds are the edges of the PPS, the same for all processes of a host.
double wall_s()
{
    using namespace std::chrono;
    struct Zero {
        steady_clock::time_point steady = steady_clock::now();
        double wall                     = duration<double>(system_clock::now().time_since_epoch()).count();
    };
    static const Zero zero; // a wall clock that is set does not move the time of a board
    return zero.wall + duration<double>(steady_clock::now() - zero.steady).count();
}

double zero_s()
{
    static const double zero = std::floor(wall_s());
    return zero;
}

} // namespace

BoardClock::BoardClock(double tick_rate, bool lock_step) : _rate(tick_rate), _lock_step(lock_step)
{
    zero_s();
    _settings.push_back({now(), uhd::time_spec_t(0.0)});
}

int64_t BoardClock::now() const
{
    if (!_lock_step)
        return static_cast<int64_t>(std::floor((wall_s() - zero_s()) * _rate));
    std::lock_guard<std::mutex> lock(_mutex);
    return _moved;
}

void BoardClock::advance(int64_t tick)
{
    std::lock_guard<std::mutex> lock(_mutex);
    _moved = std::max(_moved, tick);
}

uhd::time_spec_t BoardClock::time_at(int64_t tick) const
{
    std::lock_guard<std::mutex> lock(_mutex);
    auto setting = _settings.rbegin();
    while (setting + 1 != _settings.rend() && setting->tick > tick)
        setting++;
    return setting->time + uhd::time_spec_t::from_ticks(tick - setting->tick, _rate);
}

int64_t BoardClock::tick_of(const uhd::time_spec_t& time) const
{
    std::lock_guard<std::mutex> lock(_mutex);
    const auto& setting = _settings.back();
    return setting.tick + (time - setting.time).to_ticks(_rate);
}

void BoardClock::set(int64_t tick, const uhd::time_spec_t& time)
{
    std::lock_guard<std::mutex> lock(_mutex);
    while (!_settings.empty() && _settings.back().tick >= tick)
        _settings.pop_back();
    if (_settings.size() > 8) // samples under way are not older than that
        _settings.erase(_settings.begin());
    _settings.push_back({tick, time});
}

void BoardClock::set_now(const uhd::time_spec_t& time)
{
    set(now(), time);
}

int64_t BoardClock::last_edge() const
{
    return static_cast<int64_t>(std::floor(static_cast<double>(now()) / _rate) * _rate);
}

void BoardClock::set_next_pps(const uhd::time_spec_t& time)
{
    set(last_edge() + static_cast<int64_t>(_rate), time);
}

uhd::time_spec_t BoardClock::time_last_pps() const
{
    return time_at(last_edge());
}

} // namespace twist

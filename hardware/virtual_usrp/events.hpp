// SPDX-License-Identifier: GPL-3.0-or-later
// Asynchronous messages of a transmitter, until a program reads them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <uhd/types/metadata.hpp>
#include <uhd/utils/log.hpp>

namespace twist {

//! Thread-safe; the oldest ones go when nobody reads.
class EventQueue
{
public:
    void push(size_t channel, const uhd::time_spec_t& time, uhd::async_metadata_t::event_code_t code)
    {
        using uhd::async_metadata_t;
        if (code == async_metadata_t::EVENT_CODE_UNDERFLOW || code == async_metadata_t::EVENT_CODE_UNDERFLOW_IN_PACKET)
            UHD_LOG_FASTPATH("U")
        else if (code == async_metadata_t::EVENT_CODE_TIME_ERROR)
            UHD_LOG_FASTPATH("L")
        else if (code != async_metadata_t::EVENT_CODE_BURST_ACK)
            UHD_LOG_FASTPATH("S")
        async_metadata_t event{};
        event.channel       = channel;
        event.has_time_spec = true;
        event.time_spec     = time;
        event.event_code    = code;
        {
            std::lock_guard<std::mutex> lock(_mutex);
            if (_events.size() == LARGEST)
                _events.pop_front();
            _events.push_back(event);
        }
        _came.notify_one();
    }

    bool pop(uhd::async_metadata_t& event, double timeout_s)
    {
        std::unique_lock<std::mutex> lock(_mutex);
        const auto patience = std::chrono::duration<double>(timeout_s);
        if (!_came.wait_for(lock, patience, [this] { return !_events.empty(); }))
            return false;
        event = _events.front();
        _events.pop_front();
        return true;
    }

private:
    static constexpr size_t LARGEST = 4096;
    std::mutex _mutex;
    std::condition_variable _came;
    std::deque<uhd::async_metadata_t> _events;
};

} // namespace twist

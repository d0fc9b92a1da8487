// SPDX-License-Identifier: GPL-3.0-or-later
// The transmitting half of a channel: bursts wait here for their time, then go out through amplifier and antenna.
#pragma once

#include "air_end.hpp"
#include "board_clock.hpp"
#include "events.hpp"
#include "settings.hpp"
#include "timed_value.hpp"

namespace twist {

//! A packet of a burst, at the air's rate.
struct TxPiece {
    Samples samples;
    int64_t tick = AT_ONCE; // of its first sample; only where a burst starts
    bool ends    = false;
    size_t sent  = 0;
};

//! Guarded by the board's mutex.
class TxChannel
{
public:
    TxChannel(const Settings& settings, size_t number, BoardClock& clock, int64_t tick);

    bool has_room() const { return _queued < _settings.send_samples; }
    void put(TxPiece piece);
    void set_gain(int64_t tick, double gain_db);

    //! A streamer has this channel: where to report, and whether after a mishap packets are dropped up to the next burst.
    void begin_stream(std::shared_ptr<EventQueue> events, bool next_burst);

    //! Wall clock: go on to a tick, as far as the radio has given credit; silence where nothing is to be sent.
    void go_on(AirSender& air, int64_t until);

    //! Lock step: send what is there, then as much silence as is asked for.
    void go_on_in_step(AirSender& air, int64_t silence);

    int64_t tick() const { return _tick; } //!< of the next sample
    bool is_empty() const { return _queue.empty(); }

private:
    using Code = uhd::async_metadata_t::event_code_t;
    bool start_burst();
    void drop_burst(Code code);
    void send(AirSender* air, int64_t most);
    void pass(AirSender* air, int64_t n);
    void end_piece();
    void report(Code code);
    bool step(AirSender* air, int64_t until, bool waits);

    const Settings& _settings;
    const size_t _number;
    BoardClock& _clock;
    std::shared_ptr<EventQueue> _events;
    std::deque<TxPiece> _queue;
    TimedValue _gain;
    Samples _out;
    size_t _queued = 0;
    int64_t _tick;
    int64_t _idle = 0;          // silence still to follow a burst
    uint64_t _bursts = 0;
    bool _in_burst = false, _dropping = false, _next_burst = false;
};

} // namespace twist

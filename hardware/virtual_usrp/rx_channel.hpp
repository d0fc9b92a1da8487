// SPDX-License-Identifier: GPL-3.0-or-later
// The receiving half of a channel: antenna, amplifier, converter, rate, and packets until a program takes them.
#pragma once

#include "board_clock.hpp"
#include "resampler.hpp"
#include "settings.hpp"
#include "timed_value.hpp"
#include <deque>
#include <uhd/types/metadata.hpp>
#include <uhd/types/stream_cmd.hpp>

namespace twist {

//! Samples at the stream's rate, or an error in their place.
struct RxPacket {
    Samples samples;
    uhd::time_spec_t time; // of the first sample, or of the error
    uhd::rx_metadata_t::error_code_t error = uhd::rx_metadata_t::ERROR_CODE_NONE;
    bool out_of_sequence = false, starts = false, ends = false;
};

//! Guarded by the board's mutex.
class RxChannel
{
public:
    RxChannel(const Settings& settings, BoardClock& clock, int64_t tick);

    void set_gain(int64_t tick, double gain_db);
    void set_rate(double rate);
    void command(const uhd::stream_cmd_t& command, int64_t tick);

    //! Samples of the air from a tick on.
    void take(int64_t tick, const Samples& samples);

    //! The packet in front, nullptr when there is none; `pop` when it is read.
    RxPacket* front() { return _packets.empty() ? nullptr : &_packets.front(); }
    void pop();

    bool is_full() const { return _waiting >= _settings.recv_samples; }
    bool wants_samples() const { return (_streaming || !_commands.empty()) && _waiting < 4 * _settings.packet_samples; }
    int64_t tick() const { return _tick; } //!< of the next sample of the air
    bool link_is_lost() const { return _link_is_lost; }
    double power_db() const { return _power_db; }

private:
    using Error = uhd::rx_metadata_t::error_code_t;
    struct Command {
        uhd::stream_cmd_t what;
        int64_t tick;
    };
    bool start();
    void convert(const Sample* samples, int64_t n);
    void fill_packets();
    void finish_packet(bool ends);
    void mishap(Error error, const char* letter, bool out_of_sequence = false);
    bool keep(RxPacket& packet);
    void end_command();
    uhd::time_spec_t time_of(uint64_t sample) const;

    const Settings& _settings;
    BoardClock& _clock;
    TimedValue _gain;
    double _rate;
    Resampler _resampler;
    std::deque<Command> _commands;
    std::deque<RxPacket> _packets;
    RxPacket _packet;
    Samples _converted, _resampled;
    size_t _waiting = 0;
    int64_t _tick, _start = 0; // of the stream
    uint64_t _sample = 0, _left = 0, _number = 0, _ordered = 0;
    bool _streaming = false, _continuous = false, _chained = false, _overflowing = false, _link_is_lost = false;
    double _power_db = -200;
};

} // namespace twist

// SPDX-License-Identifier: GPL-3.0-or-later
#include "rx_channel.hpp"
#include <cmath>
#include <uhd/utils/log.hpp>

namespace twist {
namespace {

float linear(double db)
{
    return static_cast<float>(std::pow(10.0, db / 20));
}

//! Through an amplifier and a converter of some bits, which clips at full scale; mean power of what comes out.
double digitise(const Sample* in, Sample* out, int64_t n, float gain, int bits)
{
    const float steps = float(1 << (bits - 1)), top = 1 - 1 / steps;
    float power = 0;
    for (int64_t i = 0; i < n; i++) {
        const float re = std::min(std::max(std::nearbyint(in[i].real() * gain * steps) / steps, -1.0f), top);
        const float im = std::min(std::max(std::nearbyint(in[i].imag() * gain * steps) / steps, -1.0f), top);
        power += re * re + im * im;
        out[i] = Sample(re, im);
    }
    return n ? double(power) / double(n) : 0;
}

} // namespace

using Mode = uhd::stream_cmd_t;

RxChannel::RxChannel(const Settings& settings, BoardClock& clock, int64_t tick)
    : _settings(settings)
    , _clock(clock)
    , _gain(linear(-settings.rx_reference_db))
    , _rate(settings.air_rate)
    , _resampler(settings.air_rate, settings.air_rate)
    , _tick(tick)
{
}

void RxChannel::set_gain(int64_t tick, double gain_db)
{
    _gain.set(tick, linear(gain_db - _settings.rx_reference_db));
}

void RxChannel::set_rate(double rate)
{
    _resampler = Resampler(_settings.air_rate, rate);
    _rate      = rate;
    _start     = _tick; // a stream that runs goes on with the new rate from here
    _sample    = 0;
}

void RxChannel::command(const uhd::stream_cmd_t& what, int64_t tick)
{
    if (what.stream_mode == Mode::STREAM_MODE_STOP_CONTINUOUS) {
        _commands.clear();
        if (_streaming) {
            finish_packet(true);
            _streaming = false;
        }
        return;
    }
    const bool is_late = tick != AT_ONCE && tick < std::max(_tick, _clock.now());
    if (strikes(_settings.faults.command, ++_ordered) || is_late) {
        mishap(Error::ERROR_CODE_LATE_COMMAND, "L");
        return;
    }
    _commands.push_back({what, tick == AT_ONCE ? std::max(_tick, _clock.now()) : tick});
}

uhd::time_spec_t RxChannel::time_of(uint64_t sample) const
{
    const double ticks = double(sample) * _settings.air_rate / _rate, whole = std::floor(ticks + 1e-6);
    return _clock.time_at(_start + int64_t(whole)) + uhd::time_spec_t((ticks - whole) / _settings.air_rate);
}

//! Begin with the next command that is due; whether samples are to be kept from here on.
bool RxChannel::start()
{
    if (_streaming || _commands.empty() || _commands.front().tick > _tick)
        return _streaming;
    const auto what = _commands.front().what;
    _commands.pop_front();
    _streaming  = true;
    _continuous = what.stream_mode == Mode::STREAM_MODE_START_CONTINUOUS;
    _chained    = what.stream_mode == Mode::STREAM_MODE_NUM_SAMPS_AND_MORE;
    _left       = what.num_samps;
    _resampler.reset();
    _start         = _tick;
    _sample        = 0;
    _packet        = RxPacket();
    _packet.starts = true;
    return true;
}

void RxChannel::take(int64_t tick, const Samples& samples)
{
    const auto end = tick + int64_t(samples.size());
    if (tick > _tick && _streaming) { // the air went on without us
        finish_packet(false);
        mishap(Error::ERROR_CODE_OVERFLOW, "O");
        _resampler.reset();
        _start  = tick;
        _sample = 0;
    }
    _tick = std::max(_tick, tick);
    while (_tick < end) {
        auto n = end - _tick;
        if (!start()) {
            if (!_commands.empty())
                n = std::min(n, _commands.front().tick - _tick);
            _tick += n;
            continue;
        }
        n = _gain.run(_tick, n);
        convert(samples.data() + (_tick - tick), n);
        _tick += n;
        fill_packets();
    }
}

void RxChannel::convert(const Sample* samples, int64_t n)
{
    _converted.resize(size_t(n));
    const auto power = digitise(samples, _converted.data(), n, _gain.at(_tick), _settings.product.converter_bits);
    _power_db        = 10 * std::log10(std::max(power, 1e-20));
    _resampled.clear();
    _resampler.process(_converted.data(), _converted.size(), _resampled);
}

void RxChannel::fill_packets()
{
    for (size_t used = 0; used < _resampled.size() && _streaming;) {
        auto n = std::min(_resampled.size() - used, _settings.packet_samples - _packet.samples.size());
        if (!_continuous)
            n = size_t(std::min<uint64_t>(n, _left));
        if (_packet.samples.empty())
            _packet.time = time_of(_sample);
        _packet.samples.insert(_packet.samples.end(), _resampled.begin() + used, _resampled.begin() + used + n);
        used += n;
        _sample += n;
        _left -= n;
        const bool done = !_continuous && _left == 0;
        if (done || _packet.samples.size() == _settings.packet_samples)
            finish_packet(done && !_chained);
        if (done)
            end_command();
    }
}

void RxChannel::end_command()
{
    _streaming = false;
    if (!_chained)
        return;
    if (_commands.empty()) {
        mishap(Error::ERROR_CODE_BROKEN_CHAIN, "B");
        return;
    }
    _commands.front().tick = std::min(_commands.front().tick, _tick); // one of a chain follows at once
}

void RxChannel::finish_packet(bool ends)
{
    if (!_packet.samples.empty() || ends) {
        _packet.ends = ends;
        if (_packet.samples.empty())
            _packet.time = time_of(_sample);
        if (keep(_packet)) {
            _waiting += _packet.samples.size();
            _packets.push_back(std::move(_packet));
        }
    }
    _packet = RxPacket();
    _packet.samples.reserve(_settings.packet_samples);
}

//! Whether a packet arrives; what happens in its place if not.
bool RxChannel::keep(RxPacket& packet)
{
    const auto& faults = _settings.faults;
    _number++;
    if (strikes(faults.link, _number))
        _link_is_lost = true;
    if (strikes(faults.broken, _number)) {
        mishap(Error::ERROR_CODE_BROKEN_CHAIN, "B");
        _streaming = false;
        return false;
    }
    if (strikes(faults.overflow, _number)) {
        mishap(Error::ERROR_CODE_OVERFLOW, "O");
        return false;
    }
    if (strikes(faults.drop, _number)) {
        mishap(Error::ERROR_CODE_OVERFLOW, "D", true);
        return false;
    }
    if (strikes(faults.bad, _number)) {
        mishap(Error::ERROR_CODE_BAD_PACKET, "");
        return false;
    }
    if (!is_full() || _settings.lock_step || packet.samples.empty()) {
        _overflowing = false;
        return true;
    }
    if (!_overflowing)
        mishap(Error::ERROR_CODE_OVERFLOW, "O");
    _overflowing = true;
    return false;
}

void RxChannel::mishap(Error error, const char* letter, bool out_of_sequence)
{
    if (*letter)
        UHD_LOG_FASTPATH(letter)
    RxPacket packet;
    packet.error           = error;
    packet.out_of_sequence = out_of_sequence;
    packet.time            = _streaming ? time_of(_sample) : _clock.time_at(_tick);
    _packets.push_back(std::move(packet));
}

void RxChannel::pop()
{
    _waiting -= _packets.front().samples.size();
    _packets.pop_front();
}

} // namespace twist

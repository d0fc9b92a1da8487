// SPDX-License-Identifier: GPL-3.0-or-later
#include "tx_channel.hpp"
#include <cmath>

namespace twist {
namespace {

constexpr int64_t LONGEST_PIECE = 16384;

float amplitude(double gain_db)
{
    return static_cast<float>(std::pow(10.0, gain_db / 20));
}

//! Through an amplifier that saturates at full scale.
void amplify(const Sample* in, Sample* out, int64_t n, float gain)
{
    for (int64_t i = 0; i < n; i++) {
        const float re = in[i].real() * gain, im = in[i].imag() * gain;
        const float power = re * re + im * im;
        const float scale = power > 1 ? 1 / std::sqrt(power) : 1;
        out[i]            = Sample(re * scale, im * scale);
    }
}

} // namespace

TxChannel::TxChannel(const Settings& settings, size_t number, BoardClock& clock, int64_t tick)
    : _settings(settings)
    , _number(number)
    , _clock(clock)
    , _events(std::make_shared<EventQueue>())
    , _gain(amplitude(-settings.tx_reference_db))
    , _tick(tick)
{
}

void TxChannel::put(TxPiece piece)
{
    _queued += piece.samples.size();
    _queue.push_back(std::move(piece));
}

void TxChannel::set_gain(int64_t tick, double gain_db)
{
    _gain.set(tick, amplitude(gain_db - _settings.tx_reference_db));
}

void TxChannel::begin_stream(std::shared_ptr<EventQueue> events, bool next_burst)
{
    _events     = std::move(events);
    _next_burst = next_burst;
}

void TxChannel::report(Code code)
{
    _events->push(_number, _clock.time_at(_tick), code);
}

void TxChannel::end_piece()
{
    const bool ends = _queue.front().ends;
    _queue.pop_front();
    if (!ends)
        return;
    if (_in_burst) {
        report(Code::EVENT_CODE_BURST_ACK);
        _idle = _settings.idle_samples;
    }
    _in_burst = _dropping = false;
}

void TxChannel::drop_burst(Code code)
{
    report(code);
    _in_burst = false;
    _dropping = true;
}

//! Whether the piece in front may be sent at this tick.
bool TxChannel::start_burst()
{
    const auto is_mere_end = [this] { return !_in_burst && _queue.front().ends && _queue.front().samples.empty(); };
    while (!_queue.empty() && (_dropping || is_mere_end())) {
        _queued -= _queue.front().samples.size() - _queue.front().sent;
        end_piece();
    }
    if (_queue.empty() || _in_burst)
        return _in_burst && !_queue.empty();
    const auto due = _queue.front().tick;
    if (due > _tick)
        return false;
    _bursts++;
    if ((due != AT_ONCE && due < _tick) || strikes(_settings.faults.late, _bursts)) {
        drop_burst(Code::EVENT_CODE_TIME_ERROR);
        if (!_next_burst) { // only the packet that was late; those after it have no time, and go at once
            _queued -= _queue.front().samples.size();
            end_piece();
            _dropping = false;
        }
        return start_burst();
    }
    _in_burst = true;
    if (strikes(_settings.faults.underflow, _bursts))
        report(Code::EVENT_CODE_UNDERFLOW_IN_PACKET);
    if (strikes(_settings.faults.seq, _bursts)) {
        drop_burst(Code::EVENT_CODE_SEQ_ERROR);
        return start_burst();
    }
    return true;
}

void TxChannel::send(AirSender* air, int64_t most)
{
    auto& piece   = _queue.front();
    const auto n  = std::min<int64_t>({most, LONGEST_PIECE, int64_t(piece.samples.size() - piece.sent)});
    const auto go = _gain.run(_tick, n);
    if (go > 0) {
        _out.resize(size_t(go));
        amplify(piece.samples.data() + piece.sent, _out.data(), go, _gain.at(_tick));
        if (air)
            air->push(_out.data(), _out.size());
        _tick += go;
        piece.sent += size_t(go);
        _queued -= size_t(go);
    }
    if (piece.sent == piece.samples.size())
        end_piece();
}

void TxChannel::pass(AirSender* air, int64_t n)
{
    if (air)
        air->pass(n);
    _tick += n;
}

//! One piece of samples or of silence, up to a tick; false where only waiting is left.
bool TxChannel::step(AirSender* air, int64_t until, bool waits)
{
    if (start_burst()) {
        send(air, until - _tick);
        return true;
    }
    auto quiet = until - _tick;
    if (!_queue.empty())
        quiet = std::min(quiet, _queue.front().tick - _tick);
    else if (waits)
        quiet = std::min(quiet, _idle);
    else if (_in_burst) { // the next samples start one of their own
        report(Code::EVENT_CODE_UNDERFLOW);
        _in_burst = false;
        _dropping = _next_burst;
    }
    _idle = std::max<int64_t>(_idle - quiet, 0);
    if (quiet > 0)
        pass(air, quiet);
    return quiet > 0;
}

void TxChannel::go_on(AirSender& air, int64_t until)
{
    const auto patience = static_cast<int64_t>(_settings.patience_s * _settings.air_rate);
    while (until - _tick > patience) // nobody takes the samples: they are gone, as on any antenna
        step(nullptr, until - patience / 2, false);
    for (auto credit = air.credit(); _tick < until && credit > 0; credit = air.credit())
        step(&air, std::min(until, _tick + credit), false);
}

void TxChannel::go_on_in_step(AirSender& air, int64_t silence)
{
    _idle = std::max(_idle, silence);
    for (auto credit = air.credit(); credit > 0; credit = air.credit())
        if (!step(&air, _tick + credit, true))
            break;
}

} // namespace twist

// SPDX-License-Identifier: GPL-3.0-or-later
#include "board.hpp"
#include <cmath>
#include <sys/eventfd.h>
#include <uhd/exception.hpp>
#include <unistd.h>
#include <zmq.h>

namespace twist {
namespace {

using Seconds = std::chrono::duration<double>;
constexpr double GONE_S  = 3.0;
constexpr double REST_S  = 1.0; // for what is still to be sent in lock step
constexpr double COMMAND_S = 10.0; // a read that is ordered for later than that is done at once
constexpr long PERIOD_MS = 2;
constexpr int64_t SILENCE_ASKED = 4096; // samples, a block of the emulator

} // namespace

Board::Board(const uhd::device_addr_t& args)
    : settings(with_environment(args)), clock(settings.air_rate, settings.lock_step), _context(zmq_ctx_new(), zmq_ctx_term)
{
    connect();
    open();
    _wake   = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    _thread = std::thread([this] { run(); });
}

Board::~Board()
{
    stop();
    if (_wake >= 0)
        close(_wake);
}

void Board::connect()
{
    for (const auto& links : settings.channels) {
        Channel channel;
        const auto& address = settings.address;
        channel.to_air      = std::make_unique<AirSender>(_context.get(), address, links.tx_link, settings.air_rate);
        channel.from_air    = std::make_unique<AirReceiver>(_context.get(), address, links.rx_link, settings.air_rate);
        _channels.push_back(std::move(channel));
    }
}

//! Wait until the radio serves all ends, then set the channels to the present.
void Board::open()
{
    const auto begin = std::chrono::steady_clock::now();
    std::vector<AirEnd*> ends;
    for (auto& channel : _channels)
        ends.insert(ends.end(), {channel.to_air.get(), channel.from_air.get()});
    for (bool waits = true; waits;) {
        waits                = false;
        const double since_s = Seconds(std::chrono::steady_clock::now() - begin).count();
        for (auto* end : ends) {
            end->serve();
            const bool taken = end->refusal().find("has another") != std::string::npos;
            if (!end->refusal().empty() && !(taken && since_s < settings.wait_s))
                throw uhd::runtime_error("twist_virtual: the emulator at " + settings.address + " refuses: "
                                         + end->refusal() + (taken ? "; another program has this device" : ""));
            waits |= !end->is_open();
        }
        if (waits && since_s > settings.wait_s) {
            uint64_t strange = 0;
            for (auto* end : ends)
                strange += end->strange();
            throw uhd::io_error("twist_virtual: no emulator answers at " + settings.address
                                + (strange ? ", what is there speaks another protocol" : "")
                                + ": start it with ./twist radio usrp --virtual");
        }
        if (waits)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    const auto now = clock.now();
    for (size_t i = 0; i < _channels.size(); i++) {
        _channels[i].tx = std::make_unique<TxChannel>(settings, i, clock, now);
        _channels[i].rx = std::make_unique<RxChannel>(settings, clock, now);
    }
    for (auto& channel : _channels)
        for (size_t i = 0; i < _channels.size(); i++)
            if (settings.channels[i].tx_link == settings.channels[&channel - _channels.data()].rx_link) {
                channel.own    = _channels[i].to_air.get();
                channel.own_tx = _channels[i].tx.get();
            }
}

void Board::stop()
{
    if (settings.lock_step && _thread.joinable()) {
        std::unique_lock<std::mutex> lock(mutex);
        _changed.wait_for(lock, Seconds(REST_S), [this] {
            bool empty = true;
            for (auto& channel : _channels)
                empty &= channel.tx->is_empty();
            return empty || !_lost.empty();
        });
    }
    _stopping = true;
    wake();
    if (_thread.joinable())
        _thread.join();
    _channels.clear(); // its sockets, before their context
}

void Board::wake()
{
    const uint64_t one = 1;
    if (_wake >= 0 && write(_wake, &one, sizeof one) < 0) {
        // it is awake already
    }
}

void Board::run()
{
    while (!_stopping) {
        poll();
        {
            std::lock_guard<std::mutex> lock(mutex);
            for (auto& channel : _channels) {
                channel.to_air->serve();
                channel.from_air->serve();
            }
            tune();
            for (auto& channel : _channels)
                move(channel);
            watch();
        }
        _changed.notify_all();
    }
}

void Board::poll()
{
    std::vector<zmq_pollitem_t> items{{nullptr, _wake, ZMQ_POLLIN, 0}};
    for (auto& channel : _channels)
        for (AirEnd* end : {static_cast<AirEnd*>(channel.to_air.get()), static_cast<AirEnd*>(channel.from_air.get())})
            items.push_back({end->socket(), 0, ZMQ_POLLIN, 0});
    if (settings.lock_step) {
        zmq_poll(items.data(), int(items.size()), 10 * PERIOD_MS);
        uint64_t n;
        while (read(_wake, &n, sizeof n) > 0) {
        }
    } else
        std::this_thread::sleep_for(std::chrono::milliseconds(PERIOD_MS)); // time goes on by itself, in pieces
}

void Board::move(Channel& channel)
{
    if (settings.lock_step) {
        const bool asked = !transmitters && channel.own && channel.rx->wants_samples()
                           && channel.own_tx->tick() - channel.rx->tick() < 4 * SILENCE_ASKED;
        channel.tx->go_on_in_step(*channel.to_air, 0);
        if (asked)
            channel.own_tx->go_on_in_step(*channel.own, SILENCE_ASKED);
        clock.advance(channel.tx->tick());
    } else
        channel.tx->go_on(*channel.to_air, clock.now());
    receive(channel);
}

void Board::receive(Channel& channel)
{
    Samples samples;
    int64_t position = 0;
    auto& rx         = *channel.rx;
    while (!(settings.lock_step && rx.is_full()) && channel.from_air->next(samples, position)) {
        if (channel.own) // what this board sends itself comes at the tick of its sending
            channel.zero = channel.own_tx->tick() - channel.own->position;
        else if (channel.zero == NEVER)
            channel.zero = clock.now() - position - (settings.lock_step ? 0 : int64_t(samples.size()));
        else if (position + channel.zero < rx.tick())
            channel.zero = rx.tick() - position; // silence took the place of what comes late
        rx.take(position + channel.zero, samples);
    }
    channel.from_air->grant();
    const auto lag = settings.lock_step ? 0 : clock.now() - rx.tick();
    if (lag > int64_t(settings.patience_s * settings.air_rate))
        rx.take(rx.tick(), Samples(size_t(lag / 2), Sample(0)));
}

void Board::tune()
{
    const auto now = clock.now();
    const auto due = [now](const Tuning& tuning) { return tuning.tick <= now; };
    for (const auto& tuning : _tunings)
        if (due(tuning))
            tuning.end->set(tuning.name, tuning.freq_hz);
    _tunings.erase(std::remove_if(_tunings.begin(), _tunings.end(), due), _tunings.end());
}

void Board::watch()
{
    _lost.clear();
    for (auto& channel : _channels) {
        if (channel.to_air->silent_s() > GONE_S)
            _lost = "does not answer any more";
        for (AirEnd* end : {static_cast<AirEnd*>(channel.to_air.get()), static_cast<AirEnd*>(channel.from_air.get())})
            if (!end->refusal().empty())
                _lost = "refuses: " + end->refusal();
        if (channel.rx->link_is_lost())
            _lost = "is lost, as ordered by fault=link";
    }
}

bool Board::wait(std::unique_lock<std::mutex>& lock, double timeout_s, const std::function<bool()>& ready)
{
    const bool is_ready = _changed.wait_for(lock, Seconds(timeout_s), [&] { return !_lost.empty() || ready(); });
    if (!_lost.empty())
        throw uhd::io_error("twist_virtual: the emulator at " + settings.address + " " + _lost);
    return is_ready;
}

void Board::set_command_time(const uhd::time_spec_t& time)
{
    std::lock_guard<std::mutex> lock(mutex);
    _command_time = time;
}

int64_t Board::command_tick() const
{
    return _command_time == uhd::time_spec_t(0.0) ? AT_ONCE : clock.tick_of(_command_time);
}

uhd::time_spec_t Board::read_time()
{
    std::unique_lock<std::mutex> lock(mutex);
    const auto tick = command_tick();
    if (tick <= clock.now() || !wait(lock, COMMAND_S, [&] { return clock.now() >= tick; }))
        return clock.time_now();
    return clock.time_at(tick);
}

void Board::set_gain(bool is_tx, size_t channel, double gain_db)
{
    std::lock_guard<std::mutex> lock(mutex);
    if (is_tx)
        tx(channel).set_gain(command_tick(), gain_db);
    else
        rx(channel).set_gain(command_tick(), gain_db);
}

void Board::set_frequency(bool is_tx, size_t channel, double freq_hz)
{
    std::unique_lock<std::mutex> lock(mutex);
    AirEnd* end       = _channels.at(channel).to_air.get();
    const auto tick   = command_tick();
    if (!is_tx)
        end = _channels.at(channel).from_air.get();
    const auto before = end->answers;
    _tunings.push_back({end, tick, is_tx ? "tx_freq_hz" : "rx_freq_hz", freq_hz});
    wake();
    if (tick != AT_ONCE)
        return;
    if (!wait(lock, GONE_S, [&] { return end->answers != before; }))
        throw uhd::io_error("twist_virtual: the emulator at " + settings.address + " does not answer any more");
    if (!end->set_error.empty())
        throw uhd::runtime_error("twist_virtual: the emulator does not tune: " + end->set_error);
}

void Board::set_rx_rate(size_t channel, double rate)
{
    std::lock_guard<std::mutex> lock(mutex);
    rx(channel).set_rate(rate);
}

void Board::command(size_t channel, const uhd::stream_cmd_t& what)
{
    {
        std::lock_guard<std::mutex> lock(mutex);
        const auto commanded = command_tick();
        rx(channel).command(what, what.stream_now ? commanded : clock.tick_of(what.time_spec));
    }
    _changed.notify_all();
    wake();
}

double Board::rx_power_db(size_t channel)
{
    std::lock_guard<std::mutex> lock(mutex);
    return rx(channel).power_db();
}

} // namespace twist

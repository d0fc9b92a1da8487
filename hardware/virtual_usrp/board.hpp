// SPDX-License-Identifier: GPL-3.0-or-later
// A motherboard: clock, channels, and the thread that moves samples between them and the emulator.
#pragma once

#include "air_end.hpp"
#include "rx_channel.hpp"
#include "tx_channel.hpp"
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace twist {

class Board
{
public:
    //! Throws uhd::io_error where no emulator answers, uhd::runtime_error where it refuses.
    explicit Board(const uhd::device_addr_t& args);
    ~Board();
    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;

    const Settings settings;
    BoardClock clock;

    void set_command_time(const uhd::time_spec_t& time); //!< 0: none
    uhd::time_spec_t read_time();                        //!< at the command time where there is one
    void set_gain(bool tx, size_t channel, double gain_db);

    //! Tune the antenna; waits for the emulator's answer unless there is a command time.
    void set_frequency(bool tx, size_t channel, double freq_hz);
    void set_rx_rate(size_t channel, double rate);
    void command(size_t channel, const uhd::stream_cmd_t& command);
    double rx_power_db(size_t channel);

    //! Wait until `ready` says so, under the mutex; false after the timeout. Throws uhd::io_error when the link is lost.
    bool wait(std::unique_lock<std::mutex>& lock, double timeout_s, const std::function<bool()>& ready);
    void wake();

    std::mutex mutex; //!< guards the channels
    TxChannel& tx(size_t channel) { return *_channels.at(channel).tx; }
    RxChannel& rx(size_t channel) { return *_channels.at(channel).rx; }
    std::atomic<int> transmitters{0}; //!< streamers that there are

private:
    struct Tuning {
        AirEnd* end;
        int64_t tick;
        std::string name;
        double freq_hz;
    };
    struct Channel {
        std::unique_ptr<AirSender> to_air;
        std::unique_ptr<AirReceiver> from_air;
        std::unique_ptr<TxChannel> tx;
        std::unique_ptr<RxChannel> rx;
        AirSender* own = nullptr; // the end of this board that sends on the link it receives
        TxChannel* own_tx = nullptr;
        int64_t zero      = NEVER; // tick at which the air's position was 0
    };
    void connect();
    void open();
    void run();
    void poll();
    void move(Channel& channel);
    void receive(Channel& channel);
    void tune();
    void watch();
    int64_t command_tick() const;
    void stop();

    std::unique_ptr<void, int (*)(void*)> _context;
    std::vector<Channel> _channels;
    std::vector<Tuning> _tunings;
    std::condition_variable _changed;
    uhd::time_spec_t _command_time{0.0};
    std::string _lost;
    int _wake = -1;
    std::atomic<bool> _stopping{false};
    std::thread _thread;
};

} // namespace twist

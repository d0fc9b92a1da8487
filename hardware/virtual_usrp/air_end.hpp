// SPDX-License-Identifier: GPL-3.0-or-later
// One end of a link of the emulator: the transmitter's or the receiver's. Belongs to one thread.
#pragma once

#include "wire.hpp"
#include <chrono>
#include <deque>
#include <memory>

namespace twist {

//! What both ends do: a session, signs of life, and what the radio says.
class AirEnd
{
public:
    AirEnd(void* context, const std::string& address, const std::string& link, const std::string& role, double rate);
    virtual ~AirEnd();
    AirEnd(const AirEnd&) = delete;
    AirEnd& operator=(const AirEnd&) = delete;

    //! Take in all that came, and say that this end is alive when it is time to.
    void serve();

    //! Ask the radio to change a setting; its answer is `set_error`, and raises `answers`.
    void set(const std::string& name, double value);

    bool is_open() const { return _open; }
    double silent_s() const;
    void* socket() const { return _socket; }
    const std::string& refusal() const { return _refusal; }
    uint64_t strange() const { return _strange; }

    int64_t position = 0; //!< number of the next sample
    uint64_t answers = 0;
    std::string set_error;

protected:
    virtual void take(Message& message) = 0;
    void say_open(int64_t limit, bool closing = false);
    bool send(const Frames& frames);

    //! Take in a grant; true when another radio speaks than before.
    bool note(const Message& grant);

    EndName _name;
    double _rate;
    uint64_t _epoch = 0;
    int64_t _limit  = 0;
    bool _open      = false;

private:
    bool receive(Frames& frames);

    void* _socket;
    std::string _refusal;
    uint64_t _strange = 0; // messages that were none
    std::chrono::steady_clock::time_point _beat, _heard;
};

//! Sends samples; what is not sent is zero once a later position is declared.
class AirSender : public AirEnd
{
public:
    AirSender(void* context, const std::string& address, const std::string& link, double rate);

    //! Samples that may be sent now.
    int64_t credit() const { return _open ? std::max<int64_t>(_limit - position, 0) : 0; }

    //! Send n samples; false when they did not go.
    bool push(const Sample* samples, size_t n);

    //! Go on by n samples of silence.
    bool pass(int64_t n);

    uint64_t overtaken = 0;

private:
    void take(Message& message) override;
};

//! Receives samples.
class AirReceiver : public AirEnd
{
public:
    AirReceiver(void* context, const std::string& address, const std::string& link, double rate);

    //! The next samples, from `position` on, which moves past them: false when there are none.
    bool next(Samples& samples, int64_t& first);

    //! Give the radio credit for what this end has room for.
    void grant();

private:
    void take(Message& message) override;
    std::deque<Message> _came; // bounded by the credit this end has given
};

} // namespace twist

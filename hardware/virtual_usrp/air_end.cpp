// SPDX-License-Identifier: GPL-3.0-or-later
#include "air_end.hpp"
#include <random>
#include <uhd/exception.hpp>
#include <zmq.h>

namespace twist {
namespace {

using std::chrono::steady_clock;
constexpr int64_t WINDOW = 1 << 17; // samples under way, as of the other clients
constexpr size_t CHUNK   = 16384;   // samples a message
constexpr auto BEAT      = std::chrono::milliseconds(200);
constexpr int QUEUE      = 256;
constexpr int64_t LARGEST = 16 << 20; // bytes a frame

uint64_t new_session()
{
    std::random_device draw;
    return ((uint64_t{draw()} << 32) | draw()) >> 1;
}

} // namespace

AirEnd::AirEnd(
    void* context, const std::string& address, const std::string& link, const std::string& role, double rate)
    : _name{link, role, new_session()}, _rate(rate), _socket(zmq_socket(context, ZMQ_DEALER))
{
    const int linger = 200;
    zmq_setsockopt(_socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(_socket, ZMQ_SNDHWM, &QUEUE, sizeof QUEUE);
    zmq_setsockopt(_socket, ZMQ_RCVHWM, &QUEUE, sizeof QUEUE);
    zmq_setsockopt(_socket, ZMQ_MAXMSGSIZE, &LARGEST, sizeof LARGEST);
    if (zmq_connect(_socket, address.c_str()) != 0) {
        const std::string why = zmq_strerror(zmq_errno());
        zmq_close(_socket);
        throw uhd::value_error("twist_virtual: address is " + address + ", which cannot be used: " + why);
    }
    _heard = steady_clock::now();
    say_open(0);
}

AirEnd::~AirEnd()
{
    say_open(0, true);
    zmq_close(_socket);
}

double AirEnd::silent_s() const
{
    return std::chrono::duration<double>(steady_clock::now() - _heard).count();
}

void AirEnd::serve()
{
    Frames frames;
    Message message;
    while (receive(frames)) {
        if (!decode(frames, message))
            _strange++;
        else if (message.session == _name.session) {
            _heard = steady_clock::now();
            if (message.kind == Kind::set) {
                set_error = message.error;
                answers++;
            } else
                take(message);
        }
    }
    if (steady_clock::now() - _beat > BEAT)
        say_open(_limit);
}

bool AirEnd::receive(Frames& frames)
{
    frames.clear();
    int more = 1;
    for (size_t size = sizeof more; more; zmq_getsockopt(_socket, ZMQ_RCVMORE, &more, &size)) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, _socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            return false;
        }
        if (frames.size() < 8) // of a flood of frames only the first ones are kept: it is no message
            frames.emplace_back(static_cast<const char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
        zmq_msg_close(&part);
    }
    return true;
}

void AirEnd::set(const std::string& name, double value)
{
    send(encode_set(_name, name, value));
}

void AirEnd::say_open(int64_t limit, bool closing)
{
    _beat = steady_clock::now();
    send(encode_open(_name, _epoch, _rate, limit, closing));
}

bool AirEnd::send(const Frames& frames)
{
    for (size_t i = 0; i < frames.size(); i++) {
        const int flags = ZMQ_DONTWAIT | (i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
        if (zmq_send(_socket, frames[i].data(), frames[i].size(), flags) < 0)
            return false; // only the first frame may find no room
    }
    return true;
}

bool AirEnd::note(const Message& grant)
{
    _refusal = grant.error;
    if (!_refusal.empty()) {
        _open = false;
        return false;
    }
    const bool changed = !_open || _epoch != grant.epoch;
    _open              = true;
    _epoch             = grant.epoch;
    return changed;
}

AirSender::AirSender(void* context, const std::string& address, const std::string& link, double rate)
    : AirEnd(context, address, link, "tx", rate)
{
}

bool AirSender::push(const Sample* samples, size_t n)
{
    for (size_t done = 0; done < n;) {
        const auto part = std::min(n - done, CHUNK);
        if (!send(encode_samples(_name, _epoch, position, position + part, samples + done, part)))
            return false;
        position += part;
        done += part;
    }
    return true;
}

bool AirSender::pass(int64_t n)
{
    if (!send(encode_samples(_name, _epoch, position, position + n, nullptr, 0)))
        return false;
    position += n;
    return true;
}

void AirSender::take(Message& message)
{
    if (message.kind != Kind::grant)
        return;
    const bool changed = note(message);
    if (!_open)
        return;
    if (!changed && message.position > position)
        overtaken++;
    position = changed ? message.position : std::max(position, message.position);
    _limit   = message.limit;
}

AirReceiver::AirReceiver(void* context, const std::string& address, const std::string& link, double rate)
    : AirEnd(context, address, link, "rx", rate)
{
}

void AirReceiver::take(Message& message)
{
    if (message.kind == Kind::samples) {
        _came.push_back(std::move(message));
        return;
    }
    const bool changed = note(message);
    if (!_open)
        return;
    if (changed) {
        _came.clear();
        position = _limit = message.position;
    }
    _came.push_back(std::move(message)); // a jump, in its place among the samples
    if (changed)
        grant();
}

bool AirReceiver::next(Samples& samples, int64_t& first)
{
    while (!_came.empty()) {
        Message message = std::move(_came.front());
        _came.pop_front();
        if (message.epoch != _epoch)
            continue;
        position = message.position;
        if (message.kind == Kind::grant) {
            _limit = position;
            grant();
            continue;
        }
        first   = position;
        samples = std::move(message.samples);
        position += samples.size();
        if (!samples.empty())
            return true;
    }
    return false;
}

void AirReceiver::grant()
{
    if (_open && position + WINDOW - _limit >= WINDOW / 4) {
        _limit = position + WINDOW;
        say_open(_limit);
    }
}

} // namespace twist

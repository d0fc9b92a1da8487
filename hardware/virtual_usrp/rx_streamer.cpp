// SPDX-License-Identifier: GPL-3.0-or-later
#include "streamers.hpp"
#include <cmath>
#include <cstring>
#include <uhd/exception.hpp>

namespace twist {
namespace {

class RxStreamer : public uhd::rx_streamer
{
public:
    RxStreamer(const std::vector<Place>& places, const uhd::stream_args_t& args)
        : _places(places)
        , _most(packet_samples(places, args))
        , _bytes(uhd::convert::get_bytes_per_item(args.cpu_format))
        , _convert("fc32", wire_format(args), args.cpu_format)
        , _used(places.size(), 0)
    {
    }

    size_t get_num_channels() const override { return _places.size(); }
    size_t get_max_num_samps() const override { return _most; }

    void issue_stream_cmd(const uhd::stream_cmd_t& command) override
    {
        const bool starts = command.stream_mode != uhd::stream_cmd_t::STREAM_MODE_STOP_CONTINUOUS;
        if (_places.size() > 1 && command.stream_now && starts)
            throw uhd::runtime_error("twist_virtual: stream_now on several channels of a streamer would not align them "
                                     "in time: give a time_spec");
        for (const auto& place : _places)
            place.board->command(place.channel, command);
    }

    size_t recv(
        const buffs_type& buffs, size_t n, uhd::rx_metadata_t& metadata, double timeout_s, bool one_packet) override
    {
        if (buffs.size() < _places.size())
            throw uhd::value_error("twist_virtual: fewer buffers than channels");
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout_s);
        metadata.reset();
        size_t got = 0;
        while (got < n) {
            const double left_s = std::chrono::duration<double>(deadline - std::chrono::steady_clock::now()).count();
            if (!wait_for_packets(std::max(0.0, left_s))) {
                if (!got)
                    metadata.error_code = uhd::rx_metadata_t::ERROR_CODE_TIMEOUT;
                break;
            }
            if (take_error(got, metadata) || (got && !goes_on(metadata, got)))
                break;
            if (!align())
                continue;
            got += copy(buffs, got, n - got, metadata);
            if (one_packet || metadata.end_of_burst)
                break;
        }
        metadata.more_fragments = one_packet && _used[0] > 0;
        return got;
    }

    //! Asked for by newer versions of UHD; nothing here is a block of an RFNoC graph.
    virtual void post_input_action(const std::shared_ptr<uhd::rfnoc::action_info>&, const size_t) {}

private:
    RxChannel& channel(size_t i) { return _places[i].board->rx(_places[i].channel); }

    bool wait_for_packets(double timeout_s)
    {
        for (size_t i = 0; i < _places.size(); i++) {
            auto& board = *_places[i].board;
            std::unique_lock<std::mutex> lock(board.mutex);
            if (!channel(i).front())
                board.wake();
            if (!board.wait(lock, timeout_s, [&] { return channel(i).front() != nullptr; }))
                return false;
        }
        return true;
    }

    //! Whether an error is in front; it is told unless samples came before it, and then next time.
    bool take_error(size_t got, uhd::rx_metadata_t& metadata)
    {
        for (size_t i = 0; i < _places.size(); i++) {
            std::lock_guard<std::mutex> lock(_places[i].board->mutex);
            const auto& packet = *channel(i).front();
            if (packet.error == uhd::rx_metadata_t::ERROR_CODE_NONE)
                continue;
            if (!got) {
                metadata.error_code      = packet.error;
                metadata.out_of_sequence = packet.out_of_sequence;
                metadata.has_time_spec   = true;
                metadata.time_spec       = packet.time;
                channel(i).pop();
            }
            return true;
        }
        return false;
    }

    uhd::time_spec_t front_time(size_t i)
    {
        return channel(i).front()->time + uhd::time_spec_t::from_ticks(int64_t(_used[i]), _places[i].rate);
    }

    double distance(const uhd::time_spec_t& from, const uhd::time_spec_t& to) const
    {
        return (to - from).get_real_secs() * _places[0].rate;
    }

    //! Whether the packet in front continues what was got.
    bool goes_on(const uhd::rx_metadata_t& metadata, size_t got)
    {
        std::lock_guard<std::mutex> lock(_places[0].board->mutex);
        return !channel(0).front()->starts && std::abs(distance(metadata.time_spec, front_time(0)) - double(got)) < 0.5;
    }

    //! Drop what one channel has before the others; whether all stand at the same time.
    bool align()
    {
        auto latest = uhd::time_spec_t(0.0);
        for (size_t i = 0; i < _places.size(); i++) {
            std::lock_guard<std::mutex> lock(_places[i].board->mutex);
            latest = i ? std::max(latest, front_time(i)) : front_time(i);
        }
        bool aligned = true;
        for (size_t i = 0; i < _places.size(); i++) {
            std::lock_guard<std::mutex> lock(_places[i].board->mutex);
            const auto behind = std::llround(distance(front_time(i), latest));
            aligned &= behind == 0;
            use(i, std::min<size_t>(size_t(behind), channel(i).front()->samples.size() - _used[i]));
        }
        return aligned;
    }

    void use(size_t i, size_t n)
    {
        _used[i] += n;
        if (_used[i] >= channel(i).front()->samples.size() && n) {
            channel(i).pop();
            _used[i] = 0;
        }
    }

    size_t copy(const buffs_type& buffs, size_t got, size_t most, uhd::rx_metadata_t& metadata)
    {
        size_t n = most;
        for (size_t i = 0; i < _places.size(); i++) {
            std::lock_guard<std::mutex> lock(_places[i].board->mutex);
            n = std::min(n, channel(i).front()->samples.size() - _used[i]);
        }
        for (size_t i = 0; i < _places.size(); i++) {
            std::unique_lock<std::mutex> lock(_places[i].board->mutex);
            const auto& packet = *channel(i).front();
            if (!got && i == 0) {
                metadata.has_time_spec  = true;
                metadata.time_spec      = front_time(i);
                metadata.start_of_burst = packet.starts && _used[i] == 0;
            }
            metadata.end_of_burst = packet.ends && _used[i] + n == packet.samples.size();
            _samples.assign(packet.samples.begin() + _used[i], packet.samples.begin() + _used[i] + n);
            if (n == 0)
                channel(i).pop(); // the mere end of a stream
            else
                use(i, n);
            lock.unlock();
            _convert(_samples.data(), static_cast<char*>(buffs[i]) + got * _bytes, n);
        }
        return n;
    }

    const std::vector<Place> _places;
    const size_t _most, _bytes;
    Conversion _convert;
    std::vector<size_t> _used; // of the packet in front
    Samples _samples;
};

} // namespace

uhd::rx_streamer::sptr make_rx_streamer(const std::vector<Place>& places, const uhd::stream_args_t& args)
{
    return std::make_shared<RxStreamer>(places, args);
}

} // namespace twist

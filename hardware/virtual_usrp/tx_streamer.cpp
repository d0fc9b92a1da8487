// SPDX-License-Identifier: GPL-3.0-or-later
#include "streamers.hpp"
#include <uhd/exception.hpp>

namespace twist {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

Deadline in(double timeout_s)
{
    return std::chrono::steady_clock::now()
           + std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(timeout_s));
}

double left_s(Deadline deadline)
{
    return std::max(0.0, std::chrono::duration<double>(deadline - std::chrono::steady_clock::now()).count());
}

class TxStreamer : public uhd::tx_streamer
{
public:
    TxStreamer(const std::vector<Place>& places, const uhd::stream_args_t& args)
        : _places(places)
        , _most(packet_samples(places, args))
        , _bytes(uhd::convert::get_bytes_per_item(args.cpu_format))
        , _convert(args.cpu_format, wire_format(args), "fc32")
        , _events(std::make_shared<EventQueue>())
    {
        const auto policy = args.args.get("underflow_policy", "next_packet");
        if (policy != "next_packet" && policy != "next_burst")
            throw uhd::value_error("twist_virtual: underflow_policy is " + policy + ", must be next_packet or next_burst");
        for (const auto& place : _places) {
            _resamplers.emplace_back(place.rate, place.board->settings.air_rate);
            std::lock_guard<std::mutex> lock(place.board->mutex);
            place.board->tx(place.channel).begin_stream(_events, policy == "next_burst");
            place.board->transmitters++;
        }
    }

    ~TxStreamer() override
    {
        for (const auto& place : _places)
            place.board->transmitters--;
    }

    size_t get_num_channels() const override { return _places.size(); }
    size_t get_max_num_samps() const override { return _most; }

    size_t send(const buffs_type& buffs, size_t n, const uhd::tx_metadata_t& metadata, double timeout_s) override
    {
        if (buffs.size() < _places.size())
            throw uhd::value_error("twist_virtual: fewer buffers than channels");
        if (n == 0 && metadata.start_of_burst && !metadata.end_of_burst) { // it goes with the first samples
            _held = metadata;
            return 0;
        }
        auto now = metadata;
        if (_held.start_of_burst) {
            now.start_of_burst = true;
            now.has_time_spec  = _held.has_time_spec;
            now.time_spec      = _held.time_spec;
            _held              = uhd::tx_metadata_t();
        }
        const auto deadline = in(timeout_s);
        size_t sent         = 0;
        do {
            const auto part = std::min(n - sent, _most);
            if (!wait_for_room(deadline))
                break;
            auto flags = now;
            flags.end_of_burst &= sent + part == n;
            for (size_t i = 0; i < _places.size(); i++)
                hand_over(i, static_cast<const char*>(buffs[i]) + sent * _bytes, part, flags);
            now.has_time_spec = now.start_of_burst = false;
            sent += part;
        } while (sent < n);
        for (const auto& place : _places)
            place.board->wake();
        return sent;
    }

    bool recv_async_msg(uhd::async_metadata_t& event, double timeout_s) override
    {
        return _events->pop(event, timeout_s);
    }

    //! Asked for by newer versions of UHD; nothing here is a block of an RFNoC graph.
    virtual void post_output_action(const std::shared_ptr<uhd::rfnoc::action_info>&, const size_t) {}

private:
    bool wait_for_room(Deadline deadline)
    {
        for (const auto& place : _places) {
            std::unique_lock<std::mutex> lock(place.board->mutex);
            auto& channel = place.board->tx(place.channel);
            if (!channel.has_room())
                place.board->wake();
            if (!place.board->wait(lock, left_s(deadline), [&] { return channel.has_room(); }))
                return false;
        }
        return true;
    }

    void hand_over(size_t i, const void* buffer, size_t n, const uhd::tx_metadata_t& metadata)
    {
        auto& board = *_places[i].board;
        TxPiece piece;
        piece.ends = metadata.end_of_burst;
        if (metadata.has_time_spec)
            piece.tick = board.clock.tick_of(metadata.time_spec);
        _samples.resize(n);
        _convert(buffer, _samples.data(), n);
        if (metadata.start_of_burst)
            _resamplers[i].reset();
        _resamplers[i].process(_samples.data(), n, piece.samples);
        if (piece.ends)
            _resamplers[i].flush(piece.samples);
        std::lock_guard<std::mutex> lock(board.mutex);
        board.tx(_places[i].channel).put(std::move(piece));
    }

    const std::vector<Place> _places;
    const size_t _most, _bytes;
    Conversion _convert;
    std::vector<Resampler> _resamplers;
    std::shared_ptr<EventQueue> _events;
    uhd::tx_metadata_t _held;
    Samples _samples;
};

} // namespace

uhd::tx_streamer::sptr make_tx_streamer(const std::vector<Place>& places, const uhd::stream_args_t& args)
{
    return std::make_shared<TxStreamer>(places, args);
}

} // namespace twist

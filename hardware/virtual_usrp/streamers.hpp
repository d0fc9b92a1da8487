// SPDX-License-Identifier: GPL-3.0-or-later
// The streamers of the device, over channels of one or several boards, with UHD's own converters.
#pragma once

#include "board.hpp"
#include <uhd/convert.hpp>
#include <uhd/rfnoc/actions.hpp>
#include <uhd/stream.hpp>

namespace twist {

//! A channel and the board it is on.
struct Place {
    std::shared_ptr<Board> board;
    size_t channel;
    double rate; // of its stream
};

uhd::rx_streamer::sptr make_rx_streamer(const std::vector<Place>& places, const uhd::stream_args_t& args);
uhd::tx_streamer::sptr make_tx_streamer(const std::vector<Place>& places, const uhd::stream_args_t& args);

//! From one format of samples to another, by way of the one on the wire, whose steps and range they take on.
class Conversion
{
public:
    Conversion(const std::string& from, const std::string& wire, const std::string& to);
    void operator()(const void* from, void* to, size_t n);
    size_t bytes() const { return _bytes; } //!< of a sample of the host's

private:
    uhd::convert::converter::sptr _packs, _unpacks;
    std::vector<uint64_t> _wire;
    size_t _bytes = 0;
};

//! Format of the wire, and samples a packet, as stream arguments say; throws uhd::value_error.
std::string wire_format(const uhd::stream_args_t& args);
size_t packet_samples(const std::vector<Place>& places, const uhd::stream_args_t& args);

} // namespace twist

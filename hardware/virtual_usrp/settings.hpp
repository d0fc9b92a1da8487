// SPDX-License-Identifier: GPL-3.0-or-later
// What the device arguments say, and what the device that is resembled can do.
#pragma once

#include <cstdint>
#include <string>
#include <uhd/types/device_addr.hpp>
#include <uhd/types/ranges.hpp>
#include <vector>

namespace twist {

//! What a product can be set to, from its data sheet.
struct Product {
    std::string name, codename, daughterboard, slot;
    std::vector<std::string> frontends; // of channel 0 and 1
    std::vector<std::string> tx_antennas, rx_antennas, sources;
    uhd::meta_range_t freq, tx_gain, rx_gain, bandwidth, clock;
    double default_clock, link_bytes_per_s;
    size_t largest_decimation;
    int converter_bits;
};

//! B210 or X310; throws uhd::value_error for another one.
const Product& product_named(const std::string& name);

//! Mishaps that are ordered: each happens every n-th time, 0 never.
struct Faults {
    uint64_t overflow = 0, drop = 0, broken = 0, bad = 0; // of received packets
    uint64_t late = 0, underflow = 0, seq = 0;            // of bursts sent
    uint64_t command = 0;                                 // of stream commands: comes too late
    uint64_t link = 0;                                    // the link is lost after so many packets received
    bool ref = false, lo = false, pps = false;            // does not lock; does not come

    //! From `overflow:100;late:3;ref`; throws uhd::value_error naming what is wrong.
    static Faults parse(const std::string& text);
};

//! Whether the n-th event, counted from 1, is one that a fault is ordered for.
inline bool strikes(uint64_t every, uint64_t n)
{
    return every && n % every == 0;
}

//! Links of the emulator at which a channel's antennas are.
struct Antennas {
    std::string tx_link, rx_link;
};

//! Device arguments of one board.
struct Settings {
    std::string address, serial;
    Product product;
    std::vector<Antennas> channels;
    double air_rate, clock_rate, patience_s, wait_s;
    double tx_reference_db, rx_reference_db; // gain at which the antenna's level is the air's
    bool lock_step;
    int64_t idle_samples;
    size_t send_samples, recv_samples, packet_samples; // room of a channel, and of one packet
    Faults faults;

    //! Throws uhd::value_error naming argument, value and legal values.
    explicit Settings(const uhd::device_addr_t& args);
};

//! Device arguments, and those of the environment variable TWIST_VIRTUAL_USRP that they do not name.
uhd::device_addr_t with_environment(const uhd::device_addr_t& args);

constexpr char DEVICE_TYPE[]     = "twist_virtual";
constexpr char DEFAULT_ADDRESS[] = "tcp://127.0.0.1:5565";

} // namespace twist

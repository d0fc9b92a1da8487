// SPDX-License-Identifier: GPL-3.0-or-later
#include "settings.hpp"
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <uhd/exception.hpp>

namespace twist {
namespace {

const std::set<std::string> KNOWN = {"type", "address", "serial", "name", "product", "channels", "air_rate",
    "master_clock_rate", "pace", "patience", "wait", "tx", "rx", "tx1", "rx1", "tx_ref", "rx_ref", "idle", "fault",
    "spp", "num_send_frames", "num_recv_frames", "send_frame_size", "recv_frame_size", "recv_buff_size", "send_buff_size",
    "resource", "claimed", "state", "addr", "clock_source", "time_source", "driver", "label"}; // the last two: of SoapySDR
constexpr size_t PACKET_SAMPLES = 2040;

[[noreturn]] void refuse(const std::string& name, const std::string& value, const std::string& legal)
{
    throw uhd::value_error("twist_virtual: " + name + " is " + value + ", must be " + legal);
}

double number(const uhd::device_addr_t& args, const std::string& name, double missing, double low, double high)
{
    if (!args.has_key(name))
        return missing;
    std::ostringstream legal;
    legal << "a number in " << low << ".." << high;
    try {
        size_t end         = 0;
        const double value = std::stod(args[name], &end);
        if (end == args[name].size() && value >= low && value <= high)
            return value;
    } catch (const std::logic_error&) { // none, or beyond a double
    }
    refuse(name, args[name], legal.str());
}

std::string link_name(const uhd::device_addr_t& args, const std::string& name, const std::string& missing)
{
    const auto link   = args.get(name, missing);
    const auto spelt  = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.'; };
    const bool usable = !link.empty() && link.size() <= 64 && std::all_of(link.begin(), link.end(), spelt);
    if (!usable)
        refuse(name, link, "the name of a link: up to 64 letters, digits, _ - .");
    return link;
}

Product b210()
{
    using uhd::meta_range_t;
    return {"B210", "Pangolin", "FE-RX2 / FE-TX2", "A", {"A", "B"}, {"TX/RX"}, {"TX/RX", "RX2"},
        {"internal", "external", "gpsdo"}, meta_range_t(50e6, 6e9, 1.0), meta_range_t(0.0, 89.75, 0.25),
        meta_range_t(0.0, 76.0, 1.0), meta_range_t(200e3, 56e6, 1.0), meta_range_t(5e6, 61.44e6, 0.0), 32e6, 500e6, 512,
        12};
}

Product x310()
{
    using uhd::meta_range_t;
    uhd::meta_range_t clock;
    clock.push_back(uhd::range_t(184.32e6));
    clock.push_back(uhd::range_t(200e6));
    return {"X310", "X310", "UBX-160 v2", "A", {"0", "1"}, {"TX/RX", "CAL"}, {"TX/RX", "RX2", "CAL"},
        {"internal", "external", "gpsdo"}, meta_range_t(10e6, 6e9, 1.0), meta_range_t(0.0, 31.5, 0.5),
        meta_range_t(0.0, 31.5, 0.5), meta_range_t(160e6, 160e6, 0.0), clock, 200e6, 800e6, 1024, 14};
}

} // namespace

uhd::device_addr_t with_environment(const uhd::device_addr_t& args)
{
    const char* text        = std::getenv("TWIST_VIRTUAL_USRP");
    uhd::device_addr_t whole = text ? uhd::device_addr_t(text) : uhd::device_addr_t();
    for (const auto& name : args.keys())
        whole[name] = args[name];
    return whole;
}

const Product& product_named(const std::string& name)
{
    static const std::map<std::string, Product> PRODUCTS = {{"B210", b210()}, {"X310", x310()}};
    const auto found                                      = PRODUCTS.find(name);
    if (found == PRODUCTS.end())
        refuse("product", name, "B210 or X310");
    return found->second;
}

Faults Faults::parse(const std::string& text)
{
    Faults faults;
    const std::map<std::string, uint64_t*> counted = {{"overflow", &faults.overflow}, {"drop", &faults.drop},
        {"broken", &faults.broken}, {"bad", &faults.bad}, {"late", &faults.late}, {"underflow", &faults.underflow},
        {"seq", &faults.seq}, {"command", &faults.command}, {"link", &faults.link}};
    const std::map<std::string, bool*> lasting     = {{"ref", &faults.ref}, {"lo", &faults.lo}, {"pps", &faults.pps}};
    std::istringstream stream(text);
    for (std::string word; std::getline(stream, word, ';');) {
        const auto colon = word.find(':');
        const auto name = word.substr(0, colon), value = colon == std::string::npos ? "" : word.substr(colon + 1);
        const bool whole = !value.empty() && value.size() < 10 && value.find_first_not_of("0123456789") == value.npos;
        if (counted.count(name) && whole && std::stoull(value) > 0)
            *counted.at(name) = std::stoull(value);
        else if (lasting.count(name) && colon == std::string::npos)
            *lasting.at(name) = true;
        else
            refuse("fault", word, "overflow, drop, broken, bad, late, underflow, seq, command or link with :N, every "
                                  "N-th time; or ref, lo, pps");
    }
    return faults;
}

Settings::Settings(const uhd::device_addr_t& args)
    : address(args.get("address", DEFAULT_ADDRESS))
    , serial(args.get("serial", "TWIST0"))
    , product(product_named(args.get("product", "B210")))
    , faults(Faults::parse(args.get("fault", "")))
{
    for (const auto& name : args.keys())
        if (!KNOWN.count(name))
            refuse("an argument", name, "one that this device has: see hardware/virtual_usrp/README.md");
    const auto pace = args.get("pace", "wall");
    if (pace != "wall" && pace != "lock")
        refuse("pace", pace, "wall or lock");
    lock_step = pace == "lock";
    channels.push_back({link_name(args, "tx", "forward"), link_name(args, "rx", "forward")});
    if (number(args, "channels", 1, 1, 2) >= 2)
        channels.push_back({link_name(args, "tx1", "reverse"), link_name(args, "rx1", "reverse")});
    air_rate   = number(args, "air_rate", 1e6, 1e3, 250e6);
    clock_rate = number(args, "master_clock_rate", product.default_clock, 1e6, 500e6);
    clock_rate = product.clock.clip(clock_rate);
    patience_s = number(args, "patience", 0.5, 0.01, 60);
    wait_s     = number(args, "wait", 5, 0, 3600); // longer than the radio keeps the place of a program that died
    // The middle of the range: there the level at the antenna is the one the air is made for.
    tx_reference_db = number(args, "tx_ref", std::round(product.tx_gain.stop() / 2), -100, 100);
    rx_reference_db = number(args, "rx_ref", std::round(product.rx_gain.stop() / 2), -100, 100);
    idle_samples    = static_cast<int64_t>(number(args, "idle", 16384, 0, 1 << 24));
    packet_samples  = static_cast<size_t>(number(args, "spp", PACKET_SAMPLES, 16, 16384));
    send_samples    = packet_samples * static_cast<size_t>(number(args, "num_send_frames", 256, 2, 4096));
    recv_samples    = packet_samples * static_cast<size_t>(number(args, "num_recv_frames", 256, 2, 4096));
}

} // namespace twist

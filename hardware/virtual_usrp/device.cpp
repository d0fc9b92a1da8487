// SPDX-License-Identifier: GPL-3.0-or-later
// The device that UHD finds and makes: type=twist_virtual.
#include "streamers.hpp"
#include "tree.hpp"
#include <netdb.h>
#include <sys/socket.h>
#include <uhd/device.hpp>
#include <uhd/utils/static.hpp>
#include <unistd.h>

namespace twist {
namespace {

//! Whether somebody listens at an address of TCP; other kinds of addresses are taken to be right.
bool somebody_listens(const std::string& address)
{
    const auto colon = address.rfind(':');
    if (address.rfind("tcp://", 0) != 0 || colon < 6)
        return true;
    addrinfo* found = nullptr;
    const auto host = address.substr(6, colon - 6), port = address.substr(colon + 1);
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host.c_str(), port.c_str(), &wanted, &found) != 0)
        return false;
    const int tried     = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    const timeval limit = {0, 300000};
    setsockopt(tried, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const bool listens = connect(tried, found->ai_addr, found->ai_addrlen) == 0;
    close(tried);
    freeaddrinfo(found);
    return listens;
}

uhd::device_addrs_t find_one(const uhd::device_addr_t& given)
{
    const auto hint = with_environment(given);
    const auto type = hint.get("type", "");
    if (!type.empty() && type != DEVICE_TYPE)
        return {};
    if (type.empty() && (hint.has_key("addr") || hint.has_key("resource")))
        return {}; // of another kind of device
    auto found            = hint;
    found["type"]         = DEVICE_TYPE;
    found["address"]      = hint.get("address", DEFAULT_ADDRESS);
    found["product"]      = hint.get("product", "B210");
    found["serial"]       = hint.get("serial", "TWIST0");
    found["name"]         = "virtual " + found["product"];
    const bool is_there   = somebody_listens(found["address"]);
    if (!is_there && type.empty())
        return {};
    if (!is_there)
        found["state"] = "no emulator answers";
    return {found};
}

uhd::device_addrs_t find(const uhd::device_addr_t& hint)
{
    const auto hints = uhd::separate_device_addr(hint);
    if (hints.size() <= 1)
        return find_one(hints.empty() ? hint : hints[0]);
    uhd::device_addrs_t boards;
    for (const auto& each : hints) {
        const auto found = find_one(each);
        if (found.size() != 1)
            return {};
        boards.push_back(found[0]);
    }
    return {uhd::combine_device_addrs(boards)};
}

class VirtualUsrp : public uhd::device
{
public:
    explicit VirtualUsrp(const uhd::device_addr_t& args)
    {
        _type = uhd::device::USRP;
        _tree = uhd::property_tree::make();
        _tree->create<std::string>("/name").set("virtual USRP of gr-twist");
        for (const auto& each : uhd::separate_device_addr(args)) {
            _boards.push_back(std::make_shared<Board>(each));
            grow_board(*_tree, _boards.size() - 1, _boards.back());
        }
    }

    uhd::rx_streamer::sptr get_rx_stream(const uhd::stream_args_t& args) override
    {
        return make_rx_streamer(places("rx", args), args);
    }

    uhd::tx_streamer::sptr get_tx_stream(const uhd::stream_args_t& args) override
    {
        const auto streamer = make_tx_streamer(places("tx", args), args);
        _latest             = streamer;
        return streamer;
    }

    bool recv_async_msg(uhd::async_metadata_t& event, double timeout_s) override
    {
        const auto streamer = _latest.lock();
        return streamer && streamer->recv_async_msg(event, timeout_s);
    }

private:
    //! The channels of stream arguments, counted over all boards.
    std::vector<Place> places(const std::string& side, const uhd::stream_args_t& args)
    {
        std::vector<Place> all, chosen;
        for (size_t i = 0; i < _boards.size(); i++) {
            const uhd::fs_path root = "/mboards/" + std::to_string(i);
            for (size_t dsp : _tree->access<std::vector<size_t>>(root / (side + "_chan_dsp_mapping")).get()) {
                const auto rate = root / (side + "_dsps") / std::to_string(dsp) / "rate" / "value";
                all.push_back({_boards[i], dsp, _tree->access<double>(rate).get()});
            }
        }
        for (size_t number : args.channels.empty() ? std::vector<size_t>{0} : args.channels) {
            if (number >= all.size())
                throw uhd::index_error("twist_virtual: " + side + " channel is " + std::to_string(number)
                                       + ", must be in 0.." + std::to_string(all.size() - 1));
            chosen.push_back(all[number]);
        }
        return chosen;
    }

    std::vector<std::shared_ptr<Board>> _boards;
    std::weak_ptr<uhd::tx_streamer> _latest;
};

uhd::device::sptr make(const uhd::device_addr_t& args)
{
    return std::make_shared<VirtualUsrp>(args);
}

} // namespace

UHD_STATIC_BLOCK(register_twist_virtual)
{
    uhd::device::register_device(&find, &make, uhd::device::USRP);
}

} // namespace twist

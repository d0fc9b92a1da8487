// SPDX-License-Identifier: GPL-3.0-or-later
#include "streamers.hpp"
#include <uhd/exception.hpp>

namespace twist {
namespace {

uhd::convert::converter::sptr converter(const std::string& from, const std::string& to)
{
    uhd::convert::id_type id;
    id.input_format = from, id.output_format = to;
    id.num_inputs = id.num_outputs = 1;
    return uhd::convert::get_converter(id)();
}

} // namespace

Conversion::Conversion(const std::string& from, const std::string& wire, const std::string& to)
    : _packs(converter(from, wire + "_item32_le")), _unpacks(converter(wire + "_item32_le", to))
{
    const double full_scale = wire == "sc8" ? 127.0 : 32767.0;
    _packs->set_scalar(full_scale);
    _unpacks->set_scalar(1 / full_scale);
}

void Conversion::operator()(const void* from, void* to, size_t n)
{
    _wire.resize(n / 2 + 8); // up to 4 bytes a sample, in whole words
    _packs->conv(from, _wire.data(), n);
    _unpacks->conv(static_cast<const void*>(_wire.data()), to, n);
}

std::string wire_format(const uhd::stream_args_t& args)
{
    const auto format = args.otw_format.empty() ? "sc16" : args.otw_format;
    if (format != "sc16" && format != "sc8" && format != "sc12")
        throw uhd::value_error("twist_virtual: otw_format is " + format + ", must be sc16, sc12 or sc8");
    return format;
}

size_t packet_samples(const std::vector<Place>& places, const uhd::stream_args_t& args)
{
    size_t most = places.front().board->settings.packet_samples;
    for (const auto& place : places)
        most = std::min(most, place.board->settings.packet_samples);
    return args.args.has_key("spp") ? std::min(most, args.args.cast<size_t>("spp", most)) : most;
}

} // namespace twist

// SPDX-License-Identifier: GPL-3.0-or-later
#include "wire.hpp"
#include <boost/property_tree/json_parser.hpp>
#include <cstdio>
#include <cstring>
#include <sstream>

namespace twist {
namespace {

constexpr char MAGIC[] = "TLNK";
constexpr uint16_t VERSION = 1;
constexpr size_t HEADER = 26, ARRAY = 7;
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are written as memory holds them");

template <typename T> void append(std::string& to, T value)
{
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T> T read(const std::string& from, size_t at)
{
    T value;
    std::memcpy(&value, from.data() + at, sizeof value);
    return value;
}

std::string header(Kind kind, uint16_t n_arrays)
{
    std::string out(MAGIC, 4);
    append(out, VERSION);
    append(out, static_cast<uint16_t>(kind));
    append(out, uint64_t{0}); // slot
    append(out, uint64_t{0}); // number, which the radio does not follow
    append(out, n_arrays);
    return out;
}

//! JSON wants a number with a fraction where a field is one.
std::string real(double value)
{
    char text[40];
    std::snprintf(text, sizeof text, "%.17g", value);
    return std::strpbrk(text, ".e") ? text : std::string(text) + ".0";
}

std::string quoted(const std::string& text)
{
    return '"' + text + '"'; // of names that have neither quotes nor backslashes, see Settings
}

std::string whole(const char* name, uint64_t value)
{
    return quoted(name) + ':' + std::to_string(value);
}

bool read_small(const std::string& text, Message& message)
{
    boost::property_tree::ptree tree;
    std::istringstream stream(text);
    try {
        boost::property_tree::read_json(stream, tree);
        message.session = tree.get<uint64_t>("session");
        if (message.kind == Kind::set) {
            message.error = tree.get<std::string>("error");
            return true;
        }
        message.epoch    = tree.get<uint64_t>("epoch");
        message.position = tree.get<int64_t>("position");
        if (message.kind == Kind::samples) {
            message.until = tree.get<int64_t>("until");
            message.last  = tree.get<int>("last") != 0;
            return true;
        }
        message.limit = tree.get<int64_t>("limit");
        message.error = tree.get<std::string>("refusal");
        for (const auto& count : tree.get_child("counts"))
            message.counts[count.first] = count.second.get_value<uint64_t>();
        return true;
    } catch (const boost::property_tree::ptree_error&) {
        return false;
    }
}

bool read_array(const std::string& head, const std::string& raw, Samples& samples)
{
    const auto size = read<uint32_t>(head, HEADER + 3);
    if (head.compare(HEADER, 2, "c8") != 0 || head[HEADER + 2] != 1 || raw.size() != size * sizeof(Sample))
        return false;
    samples.resize(size);
    std::memcpy(static_cast<void*>(samples.data()), raw.data(), raw.size());
    return true;
}

} // namespace

Frames encode_open(const EndName& end, uint64_t epoch, double samp_rate, int64_t limit, bool closing)
{
    const auto small = '{' + quoted("link") + ':' + quoted(end.link) + ',' + quoted("role") + ':' + quoted(end.role)
                       + ',' + whole("session", end.session) + ',' + whole("epoch", epoch) + ',' + quoted("samp_rate")
                       + ':' + real(samp_rate) + ',' + whole("limit", limit) + ',' + whole("closing", closing) + '}';
    return {header(Kind::open, 0), small};
}

Frames encode_samples(
    const EndName& end, uint64_t epoch, int64_t position, int64_t until, const Sample* samples, size_t n)
{
    auto head = header(Kind::samples, 1);
    head += "c8";
    append(head, uint8_t{1});
    append(head, static_cast<uint32_t>(n));
    const auto small = '{' + quoted("link") + ':' + quoted(end.link) + ',' + whole("session", end.session) + ','
                       + whole("epoch", epoch) + ',' + whole("position", position) + ',' + whole("until", until) + ','
                       + whole("last", 0) + '}';
    return {head, small, std::string(reinterpret_cast<const char*>(samples), n * sizeof(Sample))};
}

Frames encode_set(const EndName& end, const std::string& name, double value)
{
    const auto small = '{' + quoted("link") + ':' + quoted(end.link) + ',' + quoted("role") + ':' + quoted(end.role)
                       + ',' + whole("session", end.session) + ',' + quoted("values") + ":{" + quoted(name) + ':'
                       + real(value) + "}," + quoted("error") + ":\"\"}";
    return {header(Kind::set, 0), small};
}

bool decode(const Frames& frames, Message& message)
{
    if (frames.size() < 2 || frames[0].size() < HEADER || frames[0].compare(0, 4, MAGIC) != 0
        || read<uint16_t>(frames[0], 4) != VERSION)
        return false;
    message              = Message();
    message.kind         = static_cast<Kind>(read<uint16_t>(frames[0], 6));
    const size_t n_array = message.kind == Kind::samples;
    if (message.kind != Kind::grant && message.kind != Kind::samples && message.kind != Kind::set)
        return false;
    if (frames.size() != 2 + n_array || frames[0].size() != HEADER + n_array * ARRAY)
        return false;
    return read_small(frames[1], message) && (!n_array || read_array(frames[0], frames[2], message.samples));
}

} // namespace twist

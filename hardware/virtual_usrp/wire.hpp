// SPDX-License-Identifier: GPL-3.0-or-later
// Messages of sample streams as the virtual radio speaks them; python/tokenlink/wire/codec.py is the reference.
#pragma once

#include <complex>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace twist {

using Sample = std::complex<float>;
using Samples = std::vector<Sample>;
using Frames = std::vector<std::string>;

//! Number of each kind of message on the wire.
enum class Kind : uint16_t { open = 8, grant = 9, samples = 10, set = 11 };

//! What came from the radio; fields that the kind does not have stay zero.
struct Message {
    Kind kind{};
    uint64_t session = 0, epoch = 0;
    int64_t position = 0, limit = 0, until = 0;
    bool last = false;
    std::string error;                       // refusal of a grant, error of a set
    std::map<std::string, uint64_t> counts;  // of a grant
    Samples samples;
};

//! An end of a link, as each of its messages names it.
struct EndName {
    std::string link, role;
    uint64_t session;
};

//! Sign of life of an end; `limit`: rx only, the radio may send samples before this position.
Frames encode_open(const EndName& end, uint64_t epoch, double samp_rate, int64_t limit, bool closing);

//! Samples from `position` on, zero from their end up to `until`.
Frames encode_samples(
    const EndName& end, uint64_t epoch, int64_t position, int64_t until, const Sample* samples, size_t n);

//! A setting of the end.
Frames encode_set(const EndName& end, const std::string& name, double value);

//! The message of some frames; false when they are none that a client gets.
bool decode(const Frames& frames, Message& message);

} // namespace twist

// SPDX-License-Identifier: GPL-3.0-or-later
#include "tree.hpp"
#include <cmath>
#include <uhd/types/sensors.hpp>
#include <uhd/usrp/dboard_eeprom.hpp>
#include <uhd/usrp/mboard_eeprom.hpp>
#include <uhd/usrp/subdev_spec.hpp>

namespace twist {
namespace {

using uhd::fs_path;
using uhd::sensor_value_t;
using uhd::usrp::subdev_spec_t;
using BoardPtr = std::shared_ptr<Board>;

//! One direction of a board.
struct Side {
    BoardPtr board;
    fs_path root;
    bool tx;
    const char* name() const { return tx ? "tx" : "rx"; }
};

//! What a channel is tuned to: the local oscillator's frequency, and the shift of the DSP.
struct Tuned {
    std::mutex mutex;
    double lo_hz = 2.45e9, dsp_hz = 0;
};

sensor_value_t lock_sensor(const std::string& name, bool locked)
{
    return sensor_value_t(name, locked, "locked", "unlocked");
}

void grow_source(uhd::property_tree& tree, const fs_path& root, const std::vector<std::string>& options)
{
    tree.create<std::vector<std::string>>(root / "options").set(options);
    tree.create<std::string>(root / "value").set_coercer([options](const std::string& wanted) {
        if (std::find(options.begin(), options.end(), wanted) == options.end())
            throw uhd::value_error("twist_virtual: there is no source " + wanted);
        return wanted;
    });
    tree.access<std::string>(root / "value").set(options.front());
}

void grow_time(uhd::property_tree& tree, const fs_path& root, const BoardPtr& board)
{
    using uhd::time_spec_t;
    tree.create<double>(root / "tick_rate").set_coercer([board](double) { return board->settings.clock_rate; });
    tree.access<double>(root / "tick_rate").set(board->settings.clock_rate);
    tree.create<time_spec_t>(root / "time" / "now")
        .set_publisher([board] { return board->read_time(); })
        .add_coerced_subscriber([board](const time_spec_t& time) { board->clock.set_now(time); });
    tree.create<time_spec_t>(root / "time" / "pps")
        .set_publisher([board] { return board->settings.faults.pps ? time_spec_t(0.0) : board->clock.time_last_pps(); })
        .add_coerced_subscriber([board](const time_spec_t& time) {
            if (!board->settings.faults.pps)
                board->clock.set_next_pps(time);
        });
    tree.create<time_spec_t>(root / "time" / "cmd")
        .set(time_spec_t(0.0))
        .add_coerced_subscriber([board](const time_spec_t& time) { board->set_command_time(time); });
    grow_source(tree, root / "time_source", board->settings.product.sources);
    grow_source(tree, root / "clock_source", board->settings.product.sources);
    tree.create<sensor_value_t>(root / "sensors" / "ref_locked").set_publisher([board] {
        return lock_sensor("Ref", !board->settings.faults.ref);
    });
}

void grow_about(uhd::property_tree& tree, const fs_path& root, const Settings& settings)
{
    const auto& product = settings.product;
    tree.create<std::string>(root / "name").set(product.name);
    tree.create<std::string>(root / "codename").set(product.codename);
    tree.create<std::string>(root / "fw_version").set("none");
    tree.create<std::string>(root / "fpga_version").set("none");
    tree.create<double>(root / "link_max_rate").set(product.link_bytes_per_s);
    uhd::usrp::mboard_eeprom_t eeprom;
    eeprom["serial"] = settings.serial;
    eeprom["name"]   = "virtual " + product.name;
    tree.create<uhd::usrp::mboard_eeprom_t>(root / "eeprom").set(eeprom);
}

//! The channels that a specification of subdevices picks, by number; throws for one that is not there.
std::vector<size_t> picked(const Settings& settings, const subdev_spec_t& spec)
{
    const auto& product = settings.product;
    std::vector<size_t> channels;
    for (const auto& pair : spec) {
        const auto begin = product.frontends.begin(), end = begin + settings.channels.size();
        const auto found = std::find(begin, end, pair.sd_name);
        if (pair.db_name != product.slot || found == end)
            throw uhd::value_error("twist_virtual: there is no subdevice " + spec.to_string());
        channels.push_back(size_t(found - begin));
    }
    return channels;
}

void grow_subdevices(uhd::property_tree& tree, const Side& side)
{
    const auto& settings = side.board->settings;
    const auto mapping   = side.root / (std::string(side.name()) + "_chan_dsp_mapping");
    subdev_spec_t all;
    for (size_t i = 0; i < settings.channels.size(); i++)
        all.push_back(uhd::usrp::subdev_spec_pair_t(settings.product.slot, settings.product.frontends[i]));
    tree.create<std::vector<size_t>>(mapping).set(picked(settings, all));
    tree.create<subdev_spec_t>(side.root / (std::string(side.name()) + "_subdev_spec"))
        .set(all)
        .add_coerced_subscriber([&tree, mapping, board = side.board](const subdev_spec_t& spec) {
            tree.access<std::vector<size_t>>(mapping).set(picked(board->settings, spec));
        });
}

double coerced_rate(const Settings& settings, double wanted)
{
    const double ratio = settings.clock_rate / std::max(wanted, 1.0);
    return settings.clock_rate / std::min(std::max(std::round(ratio), 1.0), double(settings.product.largest_decimation));
}

uhd::meta_range_t rates(const Settings& settings)
{
    uhd::meta_range_t range;
    for (size_t n = settings.product.largest_decimation; n > 0; n--)
        range.push_back(uhd::range_t(settings.clock_rate / double(n)));
    return range;
}

void tune(const Side& side, size_t channel, const std::shared_ptr<Tuned>& tuned)
{
    double freq_hz;
    {
        std::lock_guard<std::mutex> lock(tuned->mutex);
        freq_hz = side.tx ? tuned->lo_hz + tuned->dsp_hz : tuned->lo_hz - tuned->dsp_hz;
    }
    side.board->set_frequency(side.tx, channel, freq_hz);
}

void grow_dsp(uhd::property_tree& tree, const Side& side, size_t channel, const std::shared_ptr<Tuned>& tuned)
{
    const auto root      = side.root / (std::string(side.name()) + "_dsps") / std::to_string(channel);
    const auto& settings = side.board->settings;
    tree.create<uhd::meta_range_t>(root / "rate" / "range").set(rates(settings));
    auto& rate = tree.create<double>(root / "rate" / "value");
    rate.set_coercer([board = side.board](double wanted) { return coerced_rate(board->settings, wanted); });
    if (!side.tx) {
        rate.add_coerced_subscriber([board = side.board, channel](double value) { board->set_rx_rate(channel, value); });
        tree.create<uhd::stream_cmd_t>(root / "stream_cmd")
            .add_coerced_subscriber(
                [board = side.board, channel](const uhd::stream_cmd_t& command) { board->command(channel, command); });
    }
    rate.set(settings.air_rate);
    const double clock = settings.clock_rate, step = clock / 4294967296.0;
    tree.create<uhd::meta_range_t>(root / "freq" / "range").set(uhd::meta_range_t(-clock / 2, clock / 2, step));
    tree.create<double>(root / "freq" / "value")
        .set_coercer([clock, step](double wanted) {
            return std::min(std::max(std::round(wanted / step) * step, -clock / 2), clock / 2);
        })
        .set(0.0)
        .add_coerced_subscriber([side, channel, tuned](double value) {
            {
                std::lock_guard<std::mutex> lock(tuned->mutex);
                tuned->dsp_hz = value;
            }
            tune(side, channel, tuned);
        });
}

//! A property with a range that it is clipped to.
uhd::property<double>& grow_ranged(
    uhd::property_tree& tree, const fs_path& root, const uhd::meta_range_t& range, double value)
{
    tree.create<uhd::meta_range_t>(root / "range").set(range);
    auto& property = tree.create<double>(root / "value");
    property.set_coercer([range](double wanted) { return range.clip(wanted, true); });
    property.set(value);
    return property;
}

void grow_front_sensors(uhd::property_tree& tree, const Side& side, const fs_path& root, size_t channel)
{
    tree.create<sensor_value_t>(root / "sensors" / "lo_locked").set_publisher([board = side.board] {
        return lock_sensor("LO", !board->settings.faults.lo);
    });
    if (!side.tx)
        tree.create<sensor_value_t>(root / "sensors" / "rssi").set_publisher([board = side.board, channel] {
            return sensor_value_t("RSSI", board->rx_power_db(channel), "dB");
        });
}

void grow_front(uhd::property_tree& tree, const Side& side, size_t channel, const std::shared_ptr<Tuned>& tuned)
{
    const auto& product = side.board->settings.product;
    const auto root     = side.root / "dboards" / product.slot / (std::string(side.name()) + "_frontends")
                      / product.frontends[channel];
    tree.create<std::string>(root / "name").set("FE-" + std::string(side.tx ? "TX" : "RX") + std::to_string(channel + 1));
    tree.create<std::string>(root / "connection").set("IQ");
    tree.create<bool>(root / "enabled").set(true);
    tree.create<bool>(root / "use_lo_offset").set(false);
    grow_ranged(tree, root / "freq", product.freq, tuned->lo_hz).add_coerced_subscriber([side, channel, tuned](double hz) {
        {
            std::lock_guard<std::mutex> lock(tuned->mutex);
            tuned->lo_hz = hz;
        }
        tune(side, channel, tuned);
    });
    const auto& gains = side.tx ? product.tx_gain : product.rx_gain;
    grow_ranged(tree, root / "gains" / "PGA", gains, 0)
        .add_coerced_subscriber([side, channel](double db) { side.board->set_gain(side.tx, channel, db); });
    grow_ranged(tree, root / "bandwidth", product.bandwidth, product.bandwidth.stop());
    const auto& antennas = side.tx ? product.tx_antennas : product.rx_antennas;
    grow_source(tree, root / "antenna", antennas);
    tree.access<std::string>(root / "antenna" / "value").set(side.tx ? "TX/RX" : "RX2");
    grow_front_sensors(tree, side, root, channel);
}

void grow_side(uhd::property_tree& tree, const Side& side)
{
    const auto& product  = side.board->settings.product;
    const auto name      = std::string(side.name());
    const auto dboard    = side.root / "dboards" / product.slot;
    const size_t n       = side.board->settings.channels.size();
    for (size_t channel = 0; channel < n; channel++) {
        const auto tuned = std::make_shared<Tuned>();
        grow_front(tree, side, channel, tuned);
        grow_dsp(tree, side, channel, tuned);
        tune(side, channel, tuned); // the emulator may know another frequency, of a program before this one
    }
    grow_subdevices(tree, side);
    uhd::usrp::dboard_eeprom_t eeprom;
    eeprom.serial = side.board->settings.serial;
    tree.create<uhd::usrp::dboard_eeprom_t>(dboard / (name + "_eeprom")).set(eeprom);
    tree.create<std::string>(side.root / (name + "_codecs") / product.slot / "name").set(product.name + " converters");
    tree.create<int>(side.root / (name + "_codecs") / product.slot / "gains"); // there are none: a mere folder
}

} // namespace

void grow_board(uhd::property_tree& tree, size_t number, const BoardPtr& board)
{
    const fs_path root = "/mboards/" + std::to_string(number);
    grow_about(tree, root, board->settings);
    grow_time(tree, root, board);
    grow_side(tree, {board, root, true});
    grow_side(tree, {board, root, false});
}

} // namespace twist

# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio profiles: those that ship load, and whatever is wrong is named with its value and what is legal."""

import copy

import pytest
import yaml

from tokenlink.radio.families import FAMILIES
from tokenlink.radio.profiles import (
    KINDS,
    PROFILES,
    ProfileError,
    parse_profile,
    profile_path,
    read_profile,
    with_gains,
)
from tokenlink.radio.virtual_air import VirtualAir, airs

NAMES = sorted(path.stem for path in PROFILES.glob("*.yaml"))
UHD = {
    "kind": "uhd", "samp_rate": 1e6,
    "uhd": {"family": "b200", "args": "type=b200", "tx": {"gain_db": 60}, "rx": {"antenna": "RX2", "gain_db": 30}},
}  # fmt: skip
VIRTUAL = {"kind": "virtual", "samp_rate": 1e6, "virtual": {"links": {"up": {"impairments": {"noise_dbfs": -40}}}}}


def changed(raw, path, value):
    """The mapping with one entry, named by its path, changed or added."""
    raw = copy.deepcopy(raw)
    inner, *names = raw, *path.split(".")
    for name in names[:-1]:
        inner = inner.setdefault(name, {})
    inner[names[-1]] = value
    return raw


@pytest.mark.parametrize("name", NAMES)
def test_profiles_that_ship_load(name):
    profile = read_profile(name)
    assert profile.kind in KINDS and profile.description and profile.name == name
    if profile.kind == "virtual":
        assert set(airs(profile)) == {"forward", "reverse"}
    if profile.kind == "uhd":
        rate = profile.uhd.master_clock_rate / profile.samp_rate
        assert rate == int(rate), "a device would round the sample rate"


def test_there_is_a_profile_for_every_family():
    shipped = [read_profile(name) for name in NAMES]
    assert {profile.uhd.family for profile in shipped if profile.kind == "uhd"} == set(FAMILIES)


def test_values_arrive_where_they_belong():
    profile = parse_profile(changed(changed(UHD, "timing.lead_s", 0.1), "burst.sps", 2))
    assert (profile.samp_rate, profile.uhd.rx.antenna, profile.uhd.tx.gain_db) == (1e6, "RX2", 60.0)
    assert (profile.timing.lead_s, profile.burst.pulse.sps, profile.virtual) == (0.1, 2, None)
    assert profile.impairments if profile.kind == "virtual" else profile.address == profile.uhd.address


def test_numbers_that_yaml_takes_for_text_are_numbers():
    text = "{kind: uhd, samp_rate: 1e6, uhd: {tx: {center_freq: 9e8}, rx: {center_freq: 9e8}}}"
    assert parse_profile(yaml.safe_load(text)).uhd.tx.center_freq == 9e8


@pytest.mark.parametrize(("raw", "message"), [
    ([], "document is \\[\\], must be a mapping"),
    ({"samp_rate": 1e6}, "kind is None, must be one of virtual, uhd, soapy, file"),
    (changed(UHD, "samp_rate", "fast"), "samp_rate is 'fast', must be a number in 1000..2.5e\\+08 sample/s"),
    (changed(UHD, "samp_rate", True), "samp_rate is True, must be a number"),
    (changed(UHD, "samp_rate", 62e6), "samp_rate is 6.2e\\+07, must be in 62500..6.144e\\+07 sample/s for B200/B210"),
    (changed(UHD, "colour", 1), "colour is unknown, must be one of burst, description"),
    (changed(UHD, "virtual", {}), "virtual is unknown"),
    (changed(UHD, "uhd.familiy", "b200"), "uhd.familiy is unknown, must be one of"),
    (changed(UHD, "uhd.family", "b100"), "uhd.family is 'b100', must be one of b200, n200, n310, n320, x300"),
    (changed(UHD, "uhd.tx.gain_db", 90), "uhd.tx.gain_db is 90, must be in 0..89.75 dB for B200/B210"),
    (changed(UHD, "uhd.rx.antenna", "RX1"), "uhd.rx.antenna is 'RX1', must be one of TX/RX, RX2 for B200"),
    (changed(UHD, "uhd.rx.center_freq", 5e7), "uhd.rx.center_freq is 5e\\+07, must be in 7e\\+07..6e\\+09 Hz"),
    (changed(UHD, "uhd.rx.channel", 0.5), "uhd.rx.channel is 0.5, must be a whole number in 0..7"),
    (changed(UHD, "uhd.master_clock_rate", 1e6), "uhd.master_clock_rate is 1e\\+06, must be in 5e\\+06..6.144e\\+07"),
    (changed(changed(UHD, "uhd.family", "n320"), "uhd.master_clock_rate", 1e8),
     "uhd.master_clock_rate is 1e\\+08, must be one of 200 MHz, 245.76 MHz, 250 MHz, or 0 for N320/N321"),
    (changed(UHD, "uhd.clock_source", "mimo"), "uhd.clock_source is 'mimo', must be one of internal, external, gpsdo"),
    (changed(UHD, "uhd.otw_format", "fc32"), "uhd.otw_format is 'fc32', must be one of sc16, sc12, sc8"),
    (changed(UHD, "uhd.tx.subdev", "first"), "uhd.tx.subdev is 'first', must be channels as UHD writes"),
    (changed(UHD, "uhd.rx.bandwidth", 1e5), "uhd.rx.bandwidth is 100000, must be 0 or at least .* 250000"),
    (changed(UHD, "uhd.reverse_freq", 1e6), "uhd.reverse_freq is 1e\\+06, must be in 7e\\+07..6e\\+09 Hz"),
    (changed(UHD, "uhd.stream_args", 3), "uhd.stream_args is 3, must be a text"),
    (changed(UHD, "uhd.tx.lo_offset", 2e8), "uhd.tx.lo_offset is 200000000.0, must be a number in -1e"),
    (changed(UHD, "uhd.time_source", "pps"), "uhd.time_source is 'pps', must be one of internal"),
    (changed(UHD, "uhd.args", 3), "uhd.args is 3, must be a text"),
    (changed(UHD, "timing.lead_s", -1), "timing.lead_s is -1, must be a number in 0..10 s"),
    (changed(UHD, "timing", 3), "timing is 3, must be a mapping"),
    (changed(UHD, "burst.sps", 1), "burst: sps is 1"),
    (changed(UHD, "burst.spss", 1), "burst.spss is unknown"),
    (changed(VIRTUAL, "virtual.links", {}), "virtual.links is {}, must be 1 to 64 links"),
    (changed(VIRTUAL, "virtual.links.up.seed", -1), "virtual.links.up.seed is -1"),
    (changed(VIRTUAL, "virtual.links.up.impairments.fog", 1), "virtual.links.up.impairments: impairment .* has fog"),
    (changed(VIRTUAL, "virtual.links.up.impairments.sro_ppm", 1e4), "virtual.links.up.impairments: sro_ppm is 10000"),
    (changed(VIRTUAL, "virtual.links.up.impairments.samp_rate", 1e6), "impairments.samp_rate is .* must be left to"),
    (changed(VIRTUAL, "virtual.allow_remote", 1), "virtual.allow_remote is 1, must be true or false"),
])  # fmt: skip
def test_what_is_wrong_is_named(raw, message):
    with pytest.raises(ProfileError, match=message):
        parse_profile(raw)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(ProfileError, match="profile is 'b999', must be a .yaml file or one of .*virtual"):
        profile_path("b999")
    with pytest.raises(ProfileError, match="there is no profile file"):
        read_profile(str(tmp_path / "x.yaml"))
    (tmp_path / "x.yaml").write_text("kind: [")
    with pytest.raises(ProfileError, match="x.yaml: while parsing"):
        read_profile(str(tmp_path / "x.yaml"))


def test_other_gains_are_checked_too():
    profile = with_gains(parse_profile(UHD), 10.0, 20.0)
    assert (profile.uhd.tx.gain_db, profile.uhd.rx.gain_db) == (10, 20)
    with pytest.raises(ProfileError, match="uhd.rx.gain_db is 80"):
        with_gains(profile, None, 80.0)
    virtual = with_gains(parse_profile(VIRTUAL), rx_gain_db=5.0)
    assert virtual.virtual.rx_gain_db == 5.0
    with pytest.raises(ValueError, match="rx_gain_db is 99, must be in -60..60 dB"):
        VirtualAir(virtual.impairments("up"), 1, rx_gain_db=99)

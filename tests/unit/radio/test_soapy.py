# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of SoapySDR without one: settings that are asked back, and streams whose samples are counted."""

from types import SimpleNamespace

import numpy as np
import pytest

from tokenlink.radio.profiles import parse_profile
from tokenlink.radio.radio_process import service_command
from tokenlink.radio.soapy import open_side
from tokenlink.radio.soapy_server import SoapyServer
from tokenlink.radio.usrp import DeviceError
from tokenlink.wire.iq_streams import IqReceiver, IqSender


class Block:
    """A sink or source of gr-soapy, as far as its settings go; some are not what they were set to."""

    def __init__(self, rate=None, freq=None):
        self.values, self._rate, self._freq = {}, rate, freq

    def list_antennas(self, channel):
        return ["A", "B"]

    def get_gain_range(self, channel):
        return SimpleNamespace(minimum=lambda: 0.0, maximum=lambda: 70.0)

    def get_sample_rate(self, channel):
        return self._rate or self.values["sample_rate"]

    def get_frequency(self, channel):
        return self._freq or self.values["frequency"]

    def __getattr__(self, name):
        if not name.startswith("set_"):
            raise AttributeError(name)
        return lambda channel, value: self.values.__setitem__(name[4:], value)


def soapy(block=None, error=None):
    def make(*arguments):
        if error:
            raise RuntimeError(error)
        return block

    return SimpleNamespace(sink=make, source=make)


def profile(**front):
    side = {"gain_db": 20, "antenna": "A", **front}
    return parse_profile({"kind": "soapy", "samp_rate": 1e6, "timing": {"lead_s": 0.05},
                          "soapy": {"args": "driver=x", "tx": side, "rx": side}})  # fmt: skip


def test_a_device_is_set_to_what_the_profile_says():
    block = Block()
    assert open_side(profile(bandwidth=1e6), soapy(block), "rx") is block
    assert block.values == {"antenna": "A", "sample_rate": 1e6, "bandwidth": 1e6, "frequency": 2.45e9, "gain": 20.0}


@pytest.mark.parametrize("front, block, sentence", [
    ({"antenna": "C"}, Block(), "soapy.tx.antenna is 'C', this device has A, B"),
    ({"gain_db": 71}, Block(), "soapy.tx.gain_db is 71, this device has 0..70 dB"),
    ({}, Block(rate=1.1e6), "samp_rate is 1e.06, the device rounds it to 1100000 for tx"),
    ({}, Block(freq=2.4e9), "soapy.tx.center_freq is 2.45e.09, the device tunes to 2400000000 Hz"),
])  # fmt: skip
def test_what_a_device_does_not_do_is_named(front, block, sentence):
    with pytest.raises(DeviceError, match=sentence):
        open_side(profile(**front), soapy(block), "tx")


def test_a_device_that_is_missing_is_one_sentence():
    with pytest.raises(DeviceError, match="no device of SoapySDR at 'driver=x': no match .its module for SoapySDR may"):
        open_side(profile(), soapy(error="no\nmatch"), "rx")
    blind = parse_profile({"kind": "soapy", "samp_rate": 1e6, "soapy": {"sides": "tx"}}, "blind")
    with pytest.raises(DeviceError, match="soapy.sides of profile blind is tx: this device has no rx"):
        open_side(blind, soapy(Block()), "rx")
    assert service_command("pluto", blind, "ipc:///x", sides="tx")[-7:] == [
        "serve", "--profile", "pluto", "--sides", "tx", "--address", "ipc:///x"]  # fmt: skip


def test_bursts_are_in_the_stream_at_their_positions_and_what_is_heard_comes_counted():
    block = Block()
    server = SoapyServer(profile(), {"tx": block, "rx": block}, "tcp://127.0.0.1:*")
    rng = np.random.default_rng(1)
    burst, noise = (rng.standard_normal((n, 2), np.float32).view(np.complex64)[:, 0] / 8 for n in (3000, 50_000))
    streamed = []

    def go_on():
        server.step(0.01)
        streamed.append(server.samples(1000))

    with IqSender(server.address) as tx, IqReceiver(server.address) as rx:
        while not (tx.is_open and rx.is_open):
            server.step(0.01), tx.wait_open(0.01), rx.wait_open(0.01)
        at = tx.position + 5000
        assert tx.advance(at, 5) and tx.send(burst, 5) == len(burst)
        while sum(map(len, streamed)) < at + len(burst):
            go_on()
        rx.recv(timeout_s=0.01), server.step(0.1)  # it has room from now on
        for begin in range(0, len(noise), 10_000):
            server.heard(noise[begin : begin + 10_000])
        heard = []
        while sum(map(len, heard)) < len(noise) and not server.counts["no_reader"]:
            server.step(0.01)
            if (item := rx.recv(timeout_s=0.05)) is not None:
                heard.append(item[1])
    stream = np.concatenate(streamed)
    assert np.array_equal(stream[at : at + len(burst)], burst)
    assert not stream[:at].any() and not stream[at + len(burst) :].any()
    assert np.array_equal(np.concatenate(heard), noise) and server.counts["no_reader"] == 0
    server.close()
    assert server.report()["heard"] == len(noise)


def test_a_stream_that_finds_nothing_is_an_underflow_and_goes_on_with_silence():
    server = SoapyServer(profile(), {"tx": Block()}, "tcp://127.0.0.1:*")
    while server.counts["underflow"] < 2:
        assert not server.samples(4096).any()
    server.fail("gone")
    with pytest.raises(DeviceError, match="the device failed: gone"):
        server.run()


def test_gains_are_those_of_the_device():
    server = SoapyServer(profile(), {"tx": (block := Block())}, "tcp://127.0.0.1:*")
    server._set(None, "tx", {"tx_gain_db": 33})
    assert block.values["gain"] == 33.0
    with pytest.raises(DeviceError, match="soapy.tx.gain_db is 99"):
        server._set(None, "tx", {"tx_gain_db": 99})
    with pytest.raises(ValueError, match="rx_gain_db cannot be set at the rx end of this device"):
        server._set(None, "rx", {"rx_gain_db": 1})
    server.fail("over"), server.close()

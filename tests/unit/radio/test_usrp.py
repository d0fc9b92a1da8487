# SPDX-License-Identifier: GPL-3.0-or-later
"""A USRP, with a stand-in for the device: what is set, complaints of one sentence, bursts in time, mishaps counted."""

import importlib.util
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tokenlink.link.modes import load_mode_table
from tokenlink.radio.ends import receive, transmit
from tokenlink.radio.known_bursts import KnownTraffic, TrafficReceiver
from tokenlink.radio.profiles import parse_profile
from tokenlink.radio.radio_process import wait_for_radio
from tokenlink.radio.usrp import DeviceError, Usrp
from tokenlink.radio.usrp_server import BurstAssembler, UsrpServer
from tokenlink.wire.iq_streams import IqReceiver, IqSender, RadioRefused

sys.path.insert(0, str(Path(__file__).parent))
from fake_uhd import Device  # noqa: E402

TABLE = load_mode_table()


def profile(**uhd):
    front = {"gain_db": 20, "subdev": "A:A"}
    return parse_profile({
        "kind": "uhd", "samp_rate": 1e6, "timing": {"slot_s": 0.012, "lead_s": 0.03, "warmup_bursts": 1},
        "uhd": {"master_clock_rate": 32e6, "tx": {**front, "lo_offset": 4e6}, "rx": {**front, "antenna": "RX2"}, **uhd},
    })  # fmt: skip


def opened(device, settings=None, sides=("tx", "rx")):
    return Usrp(settings or profile(), device.module(), sides, sleep=lambda seconds: None)


def test_everything_is_set_and_asked_back():
    device = Device()
    usrp = opened(device)
    for call in (("open", "type=b200,master_clock_rate=32000000"), ("clock_source", "internal"),
                 ("tx_freq", 2.45e9, 4e6), ("rx_freq", 2.45e9), ("rx_antenna", "RX2"), ("tx_antenna", "TX/RX")):
        assert call in device.calls
    assert device.gain == {"tx": 20, "rx": 20} and usrp.notes == []
    facts = usrp.facts
    assert (facts["tx_rate"], facts["rx_rate"], facts["master_clock_rate"], facts["mboard"]) == (1e6, 1e6, 32e6, "B210")
    usrp.streamer("rx")
    assert device.calls[-1] == ("rx_stream", "fc32", "sc16", (0,))


@pytest.mark.parametrize(("changes", "uhd", "message"), [
    ({"addresses": []}, {}, "no USRP answers to 'type=b200': connect it and check uhd_find_devices"),
    ({"addresses": ["serial=1", "serial=2"]}, {}, "2 USRPs answer to 'type=b200': add .*serial=1; serial=2"),
    ({"open_error": "RuntimeError: no images"}, {}, "cannot be opened: RuntimeError: no images .*downloader"),
    ({"subdev_error": "LookupError: no C"}, {}, "uhd.tx.subdev is 'A:A', which this B210 does not have; .*'A:A'"),
    ({"channels": 1}, {"rx": {"channel": 1, "antenna": "RX2"}}, "uhd.rx.channel is 1, must be in 0..0 with subdev"),
    ({"clock": 30.72e6}, {"master_clock_rate": 0},
     "samp_rate is 1e\\+06, the device rounds it to 990967.7419 for tx: it must be its master clock of 30720000 Hz"),
    ({"clock": 16e6}, {}, "uhd.master_clock_rate is 3.2e\\+07, the device took 16000000 Hz"),
    ({"gains": (0, 10)}, {}, "uhd.tx.gain_db is 20, this device has 0..10 dB"),
    ({"antennas": ["TX/RX"]}, {}, "uhd.rx.antenna is 'RX2', this device has TX/RX"),
    ({"sources": ["internal"]}, {"clock_source": "external"}, "clock_source is 'external', this device has internal"),
    ({"ref_locked": False}, {"clock_source": "external"}, "the reference does not lock: connect 10 MHz to REF IN"),
    ({"lo_locked": False}, {}, "the local oscillator of tx does not lock at 2.45e\\+09 Hz"),
    ({"freq_error": 5e4}, {}, "uhd.tx.center_freq is 2.45e\\+09, the device tunes to 2450050000 Hz"),
    ({"pps": iter([3] * 9)}, {"time_source": "external"}, "uhd.time_source is 'external', but no PPS comes"),
    ({"link_rate": 12e6}, {}, "on USB 2 \\(12 MB/s\\) instead of USB 3: use a USB 3 port and cable, or a samp_rate"),
])  # fmt: skip
def test_each_complaint_is_one_sentence(changes, uhd, message):
    with pytest.raises(DeviceError, match=message) as caught:
        opened(Device(**changes), profile(**uhd))
    assert "\n" not in str(caught.value)


def test_usb_2_is_a_note_where_it_is_fast_enough_and_pps_sets_the_time():
    assert "USB 2 (53 MB/s)" in opened(Device(link_rate=53.248e6)).notes[0]
    device = Device()
    opened(device, profile(time_source="external"))
    assert ("next_pps", 0.0) in device.calls


def test_bursts_are_called_with_their_time_at_the_start_and_their_end_at_the_end():
    bursts, piece = BurstAssembler(), np.ones(10, np.complex64)
    calls = bursts.put(100, piece) + bursts.put(110, 2 * piece)
    assert [(at, ends) for at, _, ends in calls] == [(100, False)]
    assert bursts.silence(120) == [], "more may follow without a gap"
    calls = bursts.silence(121)
    assert [(at, samples[0], ends) for at, samples, ends in calls] == [(None, 2, True)]
    calls = bursts.put(200, piece) + bursts.put(300, piece) + bursts.silence(10**6)
    assert [(at, ends) for at, _, ends in calls] == [(200, True), (300, True)]


class Served:
    """A UsrpServer on a stand-in in a thread, with both ends of a client."""

    def __init__(self, device, settings=None):
        self.settings = settings or profile()
        self.server = UsrpServer(opened(device, self.settings), "tcp://127.0.0.1:*")
        self._stop = threading.Event()

    def __enter__(self):
        TrafficReceiver(self.settings.burst, TABLE, 1e6).warm_up()
        self.server.start()
        self._thread = threading.Thread(target=self.server.run, args=(self._stop.is_set,))
        self._thread.start()
        self.tx, self.rx = IqSender(self.server.address), IqReceiver(self.server.address)
        wait_for_radio(self.tx), wait_for_radio(self.rx)
        return self

    def __exit__(self, *_):
        self.tx.close(), self.rx.close()
        self._stop.set()
        self._thread.join()


def exchange(served, n_bursts=8):
    traffic = KnownTraffic(served.settings.burst, TABLE, seed=4)
    traffic.samples(0)
    reader = TrafficReceiver(served.settings.burst, TABLE, 1e6, traffic)
    sent = []
    thread = threading.Thread(target=lambda: sent.append(transmit(served.tx, traffic, served.settings, n_bursts)))
    thread.start()
    got = receive(served.rx, reader, served.settings, TABLE, n_bursts, duration_s=60)
    thread.join()
    return got, sent[0]


def test_bursts_go_through_the_device_in_time():
    with Served(Device()) as served:
        got, sent = exchange(served)
        counts = dict(served.server.counts)
    assert sent["sent"] == 8 and sent["valid"] and got["valid"], (got, sent, counts)
    assert got["bursts"] == 7 and got["warmup_bursts"] == 1 and got["wrong_tokens"] == 0 and got["missed"] == 0
    assert counts["burst_ack"] == 8 and not {"time_error", "underflow", "seq_error", "overflow"} & {
        kind for kind, n in counts.items() if n}


def test_overflow_is_counted_and_the_run_is_marked():
    with Served(Device(overflow_at=183_000)) as served:
        got, _ = exchange(served)
        counts = dict(served.server.counts)
    assert counts["overflow"] == 1 and got["lost_samples"] >= 10_000 and not got["valid"]
    assert "lost_samples" in got["why"]


def test_a_late_burst_is_reported_and_the_run_is_marked():
    device = Device()
    with Served(device) as served:
        traffic = KnownTraffic(served.settings.burst, TABLE)
        device.lead_needed = 10**9  # as if the host were that slow
        transmit(served.tx, traffic, served.settings, 1)
        deadline_s = time.monotonic() + 60
        while not served.tx.counts["device_time_error"]:
            served.tx.wait_open(0.1), time.sleep(0.02)
            assert time.monotonic() < deadline_s
        device.lead_needed = 0
        report = transmit(served.tx, traffic, served.settings, 1)
    assert not report["valid"] and report["late"] == 1 and report["why"] == "late 1, allowed 0"


def test_gains_are_set_while_it_runs_within_the_range_of_the_device():
    device = Device()
    with Served(device) as served:
        served.tx.set(tx_gain_db=33.0)
        served.rx.set(rx_gain_db=12.0)
        assert device.gain == {"tx": 33.0, "rx": 12.0}
        with pytest.raises(RadioRefused, match="uhd.tx.gain_db is 90, this device has 0..76 dB"):
            served.tx.set(tx_gain_db=90.0)
        with pytest.raises(RadioRefused, match="rx_gain_db cannot be set at the tx end of this device"):
            served.tx.set(rx_gain_db=1.0)


@pytest.mark.skipif(importlib.util.find_spec("uhd") is None, reason="python3-uhd is not installed")
def test_the_stand_in_has_the_names_of_the_real_module():
    import uhd

    fake = Device().module()
    assert all(hasattr(uhd.types, name) for name in vars(fake.types))
    assert all(hasattr(uhd.usrp, name) for name in vars(fake.usrp))
    device = fake.usrp.MultiUSRP("")
    real = uhd.usrp.MultiUSRP
    for side in ("tx", "rx"):
        for name in ("get subdev_spec", "get num_channels", "get rate", "get gain_range", "get gain", "get antennas",
                     "get freq", "get sensor_names", "get sensor", "get stream", "set rate", "set gain", "set antenna",
                     "set bandwidth", "set freq", "set subdev_spec"):  # fmt: skip
            verb, what = name.split()
            assert hasattr(real, f"{verb}_{side}_{what}") and getattr(device, f"{verb}_{side}_{what}")
    own = [name for name in dir(type(device)) if not name.startswith("_")]
    assert own and all(hasattr(real, name) for name in own)
    for name in ("time_error", "underflow", "seq_error", "burst_ack"):
        assert hasattr(uhd.types.TXMetadataEventCode, name)
    assert hasattr(uhd.types.RXMetadataErrorCode, "overflow") and hasattr(uhd.types.RXMetadataErrorCode, "none")
    spec = uhd.types.TimeSpec.from_ticks(3_250_000, 1e6)
    assert spec.to_ticks(1e6) == 3_250_000 and spec.get_real_secs() == 3.25

# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the uhd module: a device whose receiver hears its transmitter through a cable, at the pace of `recv`.

Only what has no other way to be tested without hardware: names and signatures are those of UHD 4 (test_usrp.py compares
them with the real module where it is installed).
"""

import threading
import time
from collections import deque
from types import SimpleNamespace

import numpy as np


class TimeSpec:
    def __init__(self, *parts):
        self.seconds = float(sum(parts))
        self.ticks = None

    @classmethod
    def from_ticks(cls, ticks, rate):
        made = cls(ticks / rate)
        made.ticks = ticks
        return made

    def to_ticks(self, rate):
        return self.ticks if self.ticks is not None else round(self.seconds * rate)

    def get_real_secs(self):
        return self.seconds


class Named:
    def __init__(self, name):
        self.name = name


class Sensor:
    def __init__(self, value):
        self.value = value

    def to_bool(self):
        return self.value


class Device:
    """State of the device; tests change its attributes before it is opened."""

    def __init__(self, **changes):
        self.addresses = ["type=b200,serial=1"]
        self.open_error = self.subdev_error = None
        self.sources = ["internal", "external"]
        self.ref_locked = self.lo_locked = True
        self.clock = 32e6
        self.gains, self.antennas = (0.0, 76.0), ["TX/RX", "RX2"]
        self.channels, self.link_rate, self.pps = 1, 500e6, iter(range(100))
        self.rate_step = None  # rates are the clock over a whole number
        self.freq_error = 0.0
        self.lead_needed = 100
        self.elapsed = 123_457  # samples between setting the clock and the first look at it
        self.overflow_at = None
        self.now, self.calls, self.air = 0, [], {}
        self.events, self.lock = deque(), threading.Lock()
        self.rate = {}
        self.gain = {}
        for name, value in changes.items():
            assert hasattr(self, name), name
            setattr(self, name, value)

    def module(self):
        """What `import uhd` would give."""
        types = SimpleNamespace(
            TimeSpec=TimeSpec, TuneRequest=lambda *freq: freq, TXMetadata=SimpleNamespace,
            TXAsyncMetadata=SimpleNamespace, RXMetadata=SimpleNamespace,
            StreamCMD=lambda mode: SimpleNamespace(mode=mode),
            StreamMode=SimpleNamespace(start_cont="start", stop_cont="stop"),
        )  # fmt: skip
        usrp = SimpleNamespace(MultiUSRP=self._open, SubdevSpec=lambda text: text,
                               StreamArgs=lambda cpu, otw: SimpleNamespace(cpu=cpu, otw=otw))
        found = [SimpleNamespace(to_string=lambda text=text: text) for text in self.addresses]
        return SimpleNamespace(find=lambda args: found, usrp=usrp, types=types)

    def _open(self, args):
        if self.open_error:
            raise RuntimeError(self.open_error)
        self.calls.append(("open", args))
        return MultiUsrp(self)


class MultiUsrp:
    def __init__(self, device):
        self._device = device

    def __getattr__(self, name):
        verb, _, rest = name.partition("_")
        side, _, what = rest.partition("_")
        found = getattr(self, f"_{verb}_{what}", None)
        if side not in ("tx", "rx") or found is None:
            raise AttributeError(name)
        return lambda *arguments: found(side, *arguments)

    def get_mboard_name(self, mboard):
        return "B210"

    def get_clock_sources(self, mboard):
        return self._device.sources

    def get_time_sources(self, mboard):
        return [*self._device.sources, "none"]

    def set_clock_source(self, source):
        self._device.calls.append(("clock_source", source))

    def set_time_source(self, source):
        self._device.calls.append(("time_source", source))

    def get_master_clock_rate(self, mboard):
        return self._device.clock

    def get_mboard_sensor_names(self, mboard):
        return ["ref_locked"]

    def get_mboard_sensor(self, name, mboard):
        return Sensor(self._device.ref_locked)

    def get_tree(self):
        return SimpleNamespace(access_double=lambda path: SimpleNamespace(get=lambda: self._device.link_rate))

    def set_time_now(self, spec):
        self._device.now = spec.to_ticks(1e6) + self._device.elapsed

    def set_time_next_pps(self, spec):
        self._device.calls.append(("next_pps", spec.seconds))

    def get_time_last_pps(self, mboard):
        return TimeSpec(next(self._device.pps))

    def get_time_now(self, mboard):
        return TimeSpec.from_ticks(self._device.now, 1e6)

    def _get_subdev_spec(self, side, mboard):
        return SimpleNamespace(to_string=lambda: "A:A")

    def _set_subdev_spec(self, side, spec, mboard):
        if self._device.subdev_error:
            raise RuntimeError(self._device.subdev_error)

    def _get_num_channels(self, side):
        return self._device.channels

    def _set_rate(self, side, rate, channel):
        self._device.rate[side] = self._device.clock / max(round(self._device.clock / rate), 1)

    def _get_rate(self, side, channel):
        return self._device.rate[side]

    def _get_gain_range(self, side, channel):
        low, high = self._device.gains
        return SimpleNamespace(start=lambda: low, stop=lambda: high)

    def _set_gain(self, side, gain, channel):
        self._device.gain[side] = gain

    def _get_gain(self, side, channel):
        return self._device.gain[side]

    def _get_antennas(self, side, channel):
        return self._device.antennas

    def _set_antenna(self, side, antenna, channel):
        self._device.calls.append((f"{side}_antenna", antenna))

    def _set_bandwidth(self, side, bandwidth, channel):
        self._device.calls.append((f"{side}_bandwidth", bandwidth))

    def _set_freq(self, side, request, channel):
        self._device.calls.append((f"{side}_freq", *request))
        self._freq = request[0] + self._device.freq_error

    def _get_freq(self, side, channel):
        return self._freq

    def _get_sensor_names(self, side, channel):
        return ["lo_locked"]

    def _get_sensor(self, side, name, channel):
        return Sensor(self._device.lo_locked)

    def _get_stream(self, side, args):
        self._device.calls.append((f"{side}_stream", args.cpu, args.otw, tuple(args.channels)))
        return TxStreamer(self._device) if side == "tx" else RxStreamer(self._device)


class TxStreamer:
    """Puts samples on the air; late ones, and bursts that are not ended, are reported as the device does."""

    def __init__(self, device):
        self._device, self._at, self._drop = device, None, False

    def send(self, samples, metadata, timeout):
        device, n = self._device, samples.shape[1]
        if metadata.has_time_spec:
            self._at = metadata.time_spec.to_ticks(1e6)
            self._drop = self._at < device.now + device.lead_needed
            if self._drop:
                device.events.append("time_error")
        if self._at is None:
            device.events.append("seq_error")
            return n
        with device.lock:
            if not self._drop:
                device.air[self._at] = samples[0].copy()
                if self._at < device.now:
                    device.events.append("underflow")
        self._at += n
        if metadata.end_of_burst:
            device.events.append("burst_ack")
            self._at = None
        return n

    def recv_async_msg(self, metadata, timeout):
        if not self._device.events:
            time.sleep(0.005)
            return False
        metadata.event_code = Named(self._device.events.popleft())
        return True


class RxStreamer:
    """What is on the air, at its pace: time goes on with every call."""

    def __init__(self, device):
        self._device, self._running = device, False

    def issue_stream_cmd(self, command):
        self._running = command.mode == "start"

    def recv(self, buffer, metadata, timeout):
        device, n = self._device, buffer.shape[1]
        metadata.error_code, metadata.has_time_spec, metadata.out_of_sequence = Named("none"), True, False
        if not self._running:
            metadata.error_code = Named("timeout")
            return 0
        time.sleep(4 * n / 1e6)  # slower than 1 Msample/s, for a machine that has other work
        with device.lock:
            if device.overflow_at is not None and device.now >= device.overflow_at:
                device.overflow_at, device.now = None, device.now + 10_000
                metadata.error_code = Named("overflow")
                return 0
            buffer[0] = 0
            for at in sorted(device.air):
                samples = device.air[at]
                begin, end = max(at, device.now), min(at + len(samples), device.now + n)
                if begin < end:
                    buffer[0, begin - device.now : end - device.now] += samples[begin - at : end - at]
                elif at + len(samples) < device.now:
                    del device.air[at]
            metadata.time_spec = TimeSpec.from_ticks(device.now, 1e6)
            device.now += n
        noise = np.random.default_rng(device.now).standard_normal((n, 2), np.float32).view(np.complex64)[:, 0]
        buffer[0] += np.float32(0.002) * noise
        return n

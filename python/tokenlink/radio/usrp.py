# SPDX-License-Identifier: GPL-3.0-or-later
"""A USRP set to what a profile says, everything asked back, and one sentence for whatever is not as it should be.

The library never imports ``uhd``: its functions take that module, which ``hardware/uhd_radio.py`` imports, or a test's
stand-in for it.
"""

from __future__ import annotations

import time

from tokenlink.process.node import NodeError
from tokenlink.radio.families import OTW_BYTES

USB2_BYTES_PER_S = 100e6  # a B2x0 reports 53 MB/s on USB 2 and 500 MB/s on USB 3
LOCK_S = 2.0
_LINK_RATE = "/mboards/0/link_max_rate"


class DeviceError(NodeError):
    """The device is missing, is another one, or does not do what the profile says."""


def find_device(profile, uhd):
    """Address of the one device that fits a profile, as UHD writes it; DeviceError for none or several."""
    args = profile.uhd.args
    found = [device.to_string() for device in uhd.find(args)]
    if not found:
        raise DeviceError(
            f"no USRP answers to {args!r}: connect it and check uhd_find_devices (USB: the udev rules of uhd-host; "
            f"network: addr=... in uhd.args and the host's own address)"
        )
    if len(found) > 1:
        raise DeviceError(f"{len(found)} USRPs answer to {args!r}: add serial= of one to uhd.args: {'; '.join(found)}")
    return found[0]


def _said(error):
    return " ".join(str(error).split())


class Usrp:
    """An opened device.

    Parameters
    ----------
    profile : RadioProfile   of kind uhd
    uhd : module             or a stand-in for it
    sides : tuple of str     "tx", "rx", or both

    Attributes
    ----------
    device : uhd.usrp.MultiUSRP
    notes : list of str      what is not wrong but should be known
    facts : dict             what the device says it is and is set to

    Raises
    ------
    DeviceError
    """

    def __init__(self, profile, uhd, sides=("tx", "rx"), sleep=time.sleep):
        self.profile, self.uhd, self.sides, self.notes = profile, uhd, sides, []
        self.samp_rate, self._sleep = profile.samp_rate, sleep
        settings = profile.uhd
        self.facts = {"address": find_device(profile, uhd)}
        clock = f",master_clock_rate={settings.master_clock_rate:.0f}" if settings.master_clock_rate else ""
        try:
            self.device = uhd.usrp.MultiUSRP(settings.args + clock)
        except RuntimeError as error:
            raise DeviceError(
                f"the USRP at {settings.args!r} cannot be opened: {_said(error)} (is another program using it, or are "
                f"its images missing? uhd_images_downloader fetches them)"
            ) from None
        self.facts["mboard"] = self.device.get_mboard_name(0)
        self._set_clock(settings)
        for side in sides:
            self._set_front(side, getattr(settings, side))
        self._check_link(settings)
        self._set_time(settings)

    def _call(self, name, *arguments):
        return getattr(self.device, name)(*arguments)

    def _set_clock(self, settings):
        for what in ("clock", "time"):
            wanted, legal = getattr(settings, f"{what}_source"), list(self._call(f"get_{what}_sources", 0))
            if wanted not in legal:
                raise DeviceError(f"uhd.{what}_source is {wanted!r}, this device has {', '.join(legal)}")
            self._call(f"set_{what}_source", wanted)
        rate = self._call("get_master_clock_rate", 0)
        if settings.master_clock_rate and abs(rate - settings.master_clock_rate) > 1:
            wanted = settings.master_clock_rate
            raise DeviceError(f"uhd.master_clock_rate is {wanted:g}, the device took {rate:.10g} Hz")
        self.facts["master_clock_rate"] = rate
        if settings.clock_source != "internal" and not self._locks("ref_locked"):
            raise DeviceError(
                f"uhd.clock_source is {settings.clock_source!r}, but the reference does not lock: connect 10 MHz to "
                f"REF IN, or set it to internal"
            )

    def _locks(self, sensor):
        """Whether a lock sensor of the board says yes within LOCK_S; a board without it counts as locked."""
        if sensor not in self._call("get_mboard_sensor_names", 0):
            return True
        for _ in range(int(LOCK_S / 0.1)):
            if self._call("get_mboard_sensor", sensor, 0).to_bool():
                return True
            self._sleep(0.1)
        return False

    def _set_front(self, side, front):
        if front.subdev:
            before = self._call(f"get_{side}_subdev_spec", 0).to_string().strip()
            try:
                self._call(f"set_{side}_subdev_spec", self.uhd.usrp.SubdevSpec(front.subdev), 0)
            except RuntimeError as error:
                raise DeviceError(
                    f"uhd.{side}.subdev is {front.subdev!r}, which this {self.facts['mboard']} does not have; "
                    f"its own choice is {before!r} ({_said(error)})"
                ) from None
        channels = self._call(f"get_{side}_num_channels")
        if front.channel >= channels:
            what = f"uhd.{side}.channel is {front.channel}"
            raise DeviceError(f"{what}, must be in 0..{channels - 1} with subdev {front.subdev or 'default'!r}")
        self._set_rate(side, front)
        self._set_gain(side, front.gain_db)
        antennas = list(self._call(f"get_{side}_antennas", front.channel))
        if front.antenna not in antennas:
            raise DeviceError(f"uhd.{side}.antenna is {front.antenna!r}, this device has {', '.join(antennas)}")
        self._call(f"set_{side}_antenna", front.antenna, front.channel)
        if front.bandwidth:
            self._call(f"set_{side}_bandwidth", front.bandwidth, front.channel)
        self._tune(side, front)

    def _set_rate(self, side, front):
        self._call(f"set_{side}_rate", self.samp_rate, front.channel)
        rate = self._call(f"get_{side}_rate", front.channel)
        if abs(rate - self.samp_rate) > 1e-6 * self.samp_rate:
            clock = self.facts["master_clock_rate"]
            near = clock / max(round(clock / self.samp_rate), 1)
            raise DeviceError(
                f"samp_rate is {self.samp_rate:g}, the device rounds it to {rate:.10g} for {side}: it must be its "
                f"master clock of {clock:.10g} Hz over a whole number, such as {near:.10g}"
            )
        self.facts[f"{side}_rate"] = rate

    def _set_gain(self, side, gain_db):
        channel = getattr(self.profile.uhd, side).channel
        gains = self._call(f"get_{side}_gain_range", channel)
        if not gains.start() <= gain_db <= gains.stop():
            legal = f"{gains.start():g}..{gains.stop():g} dB"
            raise DeviceError(f"uhd.{side}.gain_db is {gain_db:g}, this device has {legal}")
        self._call(f"set_{side}_gain", gain_db, channel)
        self.facts[f"{side}_gain_db"] = self._call(f"get_{side}_gain", channel)

    def _tune(self, side, front):
        request = self.uhd.types.TuneRequest
        offset = (front.lo_offset,) if front.lo_offset else ()
        self._call(f"set_{side}_freq", request(front.center_freq, *offset), front.channel)
        freq = self._call(f"get_{side}_freq", front.channel)
        if abs(freq - front.center_freq) > 1000:
            raise DeviceError(f"uhd.{side}.center_freq is {front.center_freq:g}, the device tunes to {freq:.10g} Hz")
        self.facts[f"{side}_freq"] = freq
        if "lo_locked" in self._call(f"get_{side}_sensor_names", front.channel):
            if not self._call(f"get_{side}_sensor", "lo_locked", front.channel).to_bool():
                raise DeviceError(f"the local oscillator of {side} does not lock at {front.center_freq:g} Hz")

    def _check_link(self, settings):
        """A B2x0 on USB 2 is slow; too slow for the rate, or only a thing to know."""
        if settings.family != "b200":
            return
        try:
            limit = self.device.get_tree().access_double(_LINK_RATE).get()
        except (RuntimeError, TypeError, AttributeError, KeyError):
            self.notes.append("the speed of the USB port is not known to this version of UHD")
            return
        self.facts["link_bytes_per_s"] = limit
        if limit >= USB2_BYTES_PER_S:
            return
        needed = self.samp_rate * OTW_BYTES[settings.otw_format] * len(self.sides)
        text = f"the device is on USB 2 ({limit / 1e6:.0f} MB/s) instead of USB 3: use a USB 3 port and cable"
        if needed > 0.5 * limit:
            raise DeviceError(f"{text}, or a samp_rate below {0.5 * limit / needed * self.samp_rate:g}")
        self.notes.append(text)

    def _set_time(self, settings):
        zero = self.uhd.types.TimeSpec(0.0)
        if settings.time_source in ("internal", "none"):
            self.device.set_time_now(zero)
            return
        before = self.device.get_time_last_pps(0).get_real_secs()
        self._sleep(1.1)
        if self.device.get_time_last_pps(0).get_real_secs() == before:
            what = f"uhd.time_source is {settings.time_source!r}"
            raise DeviceError(f"{what}, but no PPS comes: connect it, or set it to internal")
        self.device.set_time_next_pps(zero)
        self._sleep(1.1)

    def set_gain(self, side, gain_db):
        """Set a gain while running; DeviceError outside the device's range."""
        self._set_gain(side, float(gain_db))

    def streamer(self, side):
        """TX or RX streamer of the profile's format and arguments."""
        settings = self.profile.uhd
        args = self.uhd.usrp.StreamArgs("fc32", settings.otw_format)
        args.channels = [getattr(settings, side).channel]
        if settings.stream_args:
            args.args = settings.stream_args
        return self._call(f"get_{side}_stream", args)

# SPDX-License-Identifier: GPL-3.0-or-later
"""What families of USRPs can be set to, from their data sheets; the device itself is asked again when it is opened."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tokenlink.files.settings import SettingError, shortened


class ProfileError(SettingError):
    """A profile that cannot be used; the message names the file, the field, its value and what is legal."""

    what = "radio profile"


_SUBDEV = re.compile(r"[A-Za-z0-9]+:[A-Za-z0-9]+( [A-Za-z0-9]+:[A-Za-z0-9]+)*")

#: bytes of a complex sample on the link, by format
OTW_BYTES = {"sc16": 4, "sc12": 3, "sc8": 2}


@dataclass(frozen=True)
class Family:
    """Ranges of a family of devices.

    Parameters
    ----------
    models : str               as people call them
    samp_rate, freq : tuple    smallest and largest, sample/s and Hz
    clock_rates : tuple        master clock rates, Hz; two with `clock_any` are the ends of a range
    tx_gain, rx_gain : tuple   dB
    tx_antennas, rx_antennas : tuple of str   empty: those of the daughterboard
    sources : tuple of str     of clock and time
    clock_any : bool           any master clock rate between the two
    subdev : str               first channel, as UHD calls it; where the profile names none
    """

    models: str
    samp_rate: tuple
    freq: tuple
    clock_rates: tuple
    tx_gain: tuple
    rx_gain: tuple
    tx_antennas: tuple
    rx_antennas: tuple
    sources: tuple = ("internal", "external", "gpsdo")
    clock_any: bool = False
    subdev: str = "A:0"

    def check(self, profile):
        """Refuse what no device of the family can do: ProfileError names field, value and range."""
        uhd = profile.uhd
        self._range("samp_rate", profile.samp_rate, *self.samp_rate, "sample/s")
        self._clock(uhd.master_clock_rate)
        for name in ("clock_source", "time_source"):
            legal = (*self.sources, *(("none",) if name == "time_source" else ()))
            self._choice(f"uhd.{name}", getattr(uhd, name), legal)
        if uhd.reverse_freq:
            self._range("uhd.reverse_freq", uhd.reverse_freq, *self.freq, "Hz")
        for side in ("tx", "rx"):
            front = getattr(uhd, side)
            self._fields(side, front, profile.samp_rate / profile.burst.pulse.sps)
            self._range(f"uhd.{side}.center_freq", front.center_freq, *self.freq, "Hz")
            self._range(f"uhd.{side}.gain_db", front.gain_db, *getattr(self, f"{side}_gain"), "dB")
            if getattr(self, f"{side}_antennas"):
                self._choice(f"uhd.{side}.antenna", front.antenna, getattr(self, f"{side}_antennas"))

    def _fields(self, side, front, symbol_rate):
        if front.subdev and not _SUBDEV.fullmatch(front.subdev):
            legal = "channels as UHD writes them, such as A:A or B:0, or empty"
            self._refuse(f"uhd.{side}.subdev", shortened(front.subdev), legal)
        if front.bandwidth and front.bandwidth < symbol_rate:
            legal = f"0 or at least the symbol rate of {symbol_rate:g} Hz"
            self._refuse(f"uhd.{side}.bandwidth", f"{front.bandwidth:g}", legal)

    def _clock(self, rate):
        if rate == 0:
            return
        if self.clock_any:
            self._range("uhd.master_clock_rate", rate, *self.clock_rates, "Hz")
        elif rate not in self.clock_rates:
            legal = ", ".join(f"{each / 1e6:g} MHz" for each in self.clock_rates)
            self._refuse("uhd.master_clock_rate", f"{rate:g}", f"one of {legal}, or 0")

    def _range(self, name, value, low, high, unit):
        if not low <= value <= high:
            self._refuse(name, f"{value:g}", f"in {low:g}..{high:g} {unit}")

    def _choice(self, name, value, legal):
        if value not in legal:
            self._refuse(name, shortened(value), f"one of {', '.join(legal)}")

    def _refuse(self, name, value, legal):
        legal = f"{legal} for {self.models}"
        raise ProfileError(f"{name} is {value}, must be {legal}", name, value, legal)


FAMILIES = {
    "b200": Family(
        "B200/B210", (62.5e3, 61.44e6), (70e6, 6e9), (5e6, 61.44e6), (0, 89.75), (0, 76),
        ("TX/RX",), ("TX/RX", "RX2"), clock_any=True, subdev="A:A",
    ),
    "n200": Family(
        "N200/N210", (195312.5, 50e6), (0, 6e9), (100e6,), (0, 100), (0, 100), (), (),
        ("internal", "external", "mimo", "gpsdo"),
    ),
    "n310": Family(
        "N300/N310", (100e3, 153.6e6), (10e6, 6e9), (122.88e6, 125e6, 153.6e6), (0, 65), (0, 75),
        ("TX/RX",), ("TX/RX", "RX2", "CAL", "LOCAL"),
    ),
    "n320": Family(
        "N320/N321", (200e3, 250e6), (3e6, 6e9), (200e6, 245.76e6, 250e6), (0, 60), (0, 60),
        ("TX/RX", "CAL"), ("TX/RX", "RX2", "CAL", "TERM"),
    ),
    "x300": Family(
        "X300/X310", (195312.5, 200e6), (0, 6e9), (184.32e6, 200e6), (0, 100), (0, 100), (), (),
    ),
}  # fmt: skip

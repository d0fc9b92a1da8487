# SPDX-License-Identifier: GPL-3.0-or-later
"""The sections of a radio profile: what each kind of radio is set to, with ranges."""

from __future__ import annotations

from dataclasses import dataclass, field

from tokenlink.radio.families import FAMILIES


def _number(default, low, high, unit=""):
    return field(default=default, metadata={"low": low, "high": high, "unit": unit})


def _choice(default, legal):
    return field(default=default, metadata={"legal": tuple(legal)})


@dataclass(frozen=True)
class Front:
    """One direction of a USRP. Frequencies in Hz; ``bandwidth`` 0 leaves the analogue filter to the device;
    ``lo_offset`` puts the local oscillator that far from the centre, so that its leakage is no DC in the band."""

    center_freq: float = _number(2.45e9, 0, 7.2e9, "Hz")
    lo_offset: float = _number(0.0, -100e6, 100e6, "Hz")
    gain_db: float = _number(0.0, -20, 120, "dB")
    antenna: str = "TX/RX"
    subdev: str = ""
    channel: int = _number(0, 0, 7)
    bandwidth: float = _number(0.0, 0, 400e6, "Hz")


@dataclass(frozen=True)
class Uhd:
    """A USRP. ``family``: one of FAMILIES; ``args``: UHD device address; ``stream_args``: of the streamers;
    ``master_clock_rate`` 0 leaves it to the device; ``address``: where its process serves samples; ``reverse_freq``:
    centre frequency of feedback over the air, 0: that of the tokens."""

    family: str = _choice("b200", FAMILIES)
    args: str = "type=b200"
    master_clock_rate: float = _number(0.0, 0, 500e6, "Hz")
    clock_source: str = "internal"
    time_source: str = "internal"
    otw_format: str = _choice("sc16", ("sc16", "sc12", "sc8"))
    stream_args: str = ""
    address: str = "tcp://127.0.0.1:5560"
    reverse_freq: float = _number(0.0, 0, 7.2e9, "Hz")
    tx: Front = field(default_factory=Front)
    rx: Front = field(default_factory=Front)


@dataclass(frozen=True)
class Soapy:
    """A device of SoapySDR, which gr-soapy opens. ``args``: its address, as SoapySDR writes it; ``stream_args``: of
    both streams; ``sides``: what it can; ``half_duplex``: it does one of both at a time; ``address``: where its
    process serves samples."""

    args: str = "driver=plutosdr"
    stream_args: str = ""
    sides: str = _choice("tx,rx", ("tx,rx", "tx", "rx"))
    half_duplex: bool = False
    address: str = "tcp://127.0.0.1:5560"
    tx: Front = field(default_factory=Front)
    rx: Front = field(default_factory=Front)


@dataclass(frozen=True)
class VirtualLink:
    """One direction of the virtual radio. ``impairments``: an ImpairmentProfile without samp_rate; ``seed``: of all
    its draws."""

    seed: int = _number(1, 0, 2**31 - 1)
    impairments: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Virtual:
    """The virtual radio. ``start_s`` and ``stall_s``: patience with an end that has not come, or does not answer;
    ``allow_remote``: reachable from other machines, with keys only; ``tx_gain_db``, ``rx_gain_db``: as on a device, the
    tx gain amplifies before the air and the rx gain after it, noise included, where the converter clips."""

    address: str = "tcp://127.0.0.1:5560"
    start_s: float = _number(60.0, 0, 86400, "s")
    stall_s: float = _number(10.0, 0.5, 86400, "s")
    allow_remote: bool = False
    idle_samples: int = _number(16384, 0, 1 << 24)
    tx_gain_db: float = _number(0.0, -60, 60, "dB")
    rx_gain_db: float = _number(0.0, -60, 60, "dB")
    links: dict = field(default_factory=lambda: {"forward": VirtualLink()})


@dataclass(frozen=True)
class FileRadio:
    """A SigMF recording that is played. ``path``: of the .sigmf-meta file, from the profile's folder; ``repeat``: how
    many times."""

    path: str = ""
    repeat: int = _number(1, 1, 1_000_000)
    address: str = "tcp://127.0.0.1:5560"


@dataclass(frozen=True)
class Timing:
    """Of bursts. ``lead_s``: a timed burst is handed over that long before its time; ``zero_guard_s``: silence sent
    before each burst, in which amplifiers settle; ``warmup_bursts``: first bursts that no figure counts;
    ``slot_s``: from one burst to the next at least."""

    lead_s: float = _number(0.05, 0, 10, "s")
    zero_guard_s: float = _number(0.0005, 0, 1, "s")
    warmup_bursts: int = _number(2, 0, 1000)
    slot_s: float = _number(0.02, 0, 60, "s")


@dataclass(frozen=True)
class Limits:
    """More than that, and a run is marked as not valid."""

    late: int = _number(0, 0, 1_000_000)
    underflow: int = _number(0, 0, 1_000_000)
    lost_samples: int = _number(0, 0, 10**12)
    lost_packets: int = _number(0, 0, 10**12)

# SPDX-License-Identifier: GPL-3.0-or-later
"""A burst: guard, preamble, header and payload with scattered pilots, guard. It knows no kind of payload."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tokenlink.phy.header import FIELDS, HEADER_SYMBOLS, encode_header
from tokenlink.phy.preamble import PREAMBLE_LENGTH, pilot_symbols, preamble_symbols
from tokenlink.phy.pulse import Pulse, modulate


@dataclass(frozen=True)
class BurstConfig:
    """What transmitter and receiver must agree on.

    Parameters
    ----------
    pulse : Pulse                 samples per symbol, roll-off, span
    pilot_spacing : int           header and payload symbols from one pilot to the next, 2 to 65535
    guard_symbols : int           zero symbols before and after, from half the span of the pulse to 65535
    max_payload_symbols : int     longest payload a receiver accepts, 1 to 65535
    amplitude : float             root mean square of the samples of a burst, full scale 1, in (0, 1]

    Raises
    ------
    ValueError   a value outside its range
    """

    pulse: Pulse = field(default_factory=Pulse)
    pilot_spacing: int = 32
    guard_symbols: int = 16
    max_payload_symbols: int = 8192
    amplitude: float = 0.25

    def __post_init__(self):
        most = (1 << FIELDS["payload_symbols"]) - 1
        lowest = {"pilot_spacing": 2, "guard_symbols": self.pulse.span // 2, "max_payload_symbols": 1}
        for name, low in lowest.items():
            value = getattr(self, name)
            if not low <= value <= most or int(value) != value:
                raise ValueError(f"{name} is {value}, must be an integer in {low}..{most}")
        if not 0 < self.amplitude <= 1:
            raise ValueError(f"amplitude is {self.amplitude}, must lie in (0, 1]")


class Layout(NamedTuple):
    """Symbol positions in a burst, counted from the first preamble symbol: int64 arrays, and the number of symbols."""

    preamble: np.ndarray
    header: np.ndarray
    payload: np.ndarray
    pilots: np.ndarray
    n_symbols: int


class ChannelUses(NamedTuple):
    """Channel uses of one burst by purpose; only `payload` is what a budget counts."""

    payload: int
    preamble: int
    header: int
    pilots: int
    guard: int

    @property
    def overhead(self):
        """Channel uses that carry no payload."""
        return self.preamble + self.header + self.pilots + self.guard

    @property
    def total(self):
        """All channel uses."""
        return self.payload + self.overhead


@lru_cache(maxsize=64)
def layout(config, payload_symbols):
    """Where everything lies in a burst.

    Parameters
    ----------
    config : BurstConfig
    payload_symbols : int   >= 0

    Returns
    -------
    Layout   after every `pilot_spacing` symbols of header and payload comes a pilot, and one at the end
    """
    spacing, body = config.pilot_spacing, HEADER_SYMBOLS + payload_symbols
    data = PREAMBLE_LENGTH + np.arange(body) + np.arange(body) // spacing
    n_symbols = PREAMBLE_LENGTH + body + -(-body // spacing)
    pilots = np.append(np.arange(PREAMBLE_LENGTH + spacing, n_symbols - 1, spacing + 1), n_symbols - 1)
    return Layout(np.arange(PREAMBLE_LENGTH), data[:HEADER_SYMBOLS], data[HEADER_SYMBOLS:], pilots, n_symbols)


def channel_uses(config, payload_symbols):
    """ChannelUses of a burst with `payload_symbols` payload symbols."""
    places = layout(config, payload_symbols)
    return ChannelUses(
        payload_symbols, PREAMBLE_LENGTH, HEADER_SYMBOLS, len(places.pilots), 2 * config.guard_symbols
    )


def frame_symbols(header, payload, config):
    """Symbols of a frame, without guard.

    Parameters
    ----------
    header : Header
    payload : complex64 [header.payload_symbols]   digital or analogue, mean energy 1
    config : BurstConfig

    Returns
    -------
    complex64 [n_symbols]

    Raises
    ------
    ValueError   payload of another length than the header says, too long, or not finite
    """
    payload = np.asarray(payload, np.complex64)
    if payload.shape != (header.payload_symbols,):
        raise ValueError(f"payload has shape {payload.shape}, the header says ({header.payload_symbols},)")
    if len(payload) > config.max_payload_symbols:
        raise ValueError(f"payload has {len(payload)} symbols, max_payload_symbols is {config.max_payload_symbols}")
    if not np.isfinite(payload).all():
        raise ValueError("payload must be finite")
    places = layout(config, len(payload))
    symbols = np.empty(places.n_symbols, np.complex64)
    symbols[places.preamble] = preamble_symbols()
    symbols[places.header] = encode_header(header)
    symbols[places.payload] = payload
    symbols[places.pilots] = pilot_symbols(len(places.pilots))
    return symbols


def modulate_burst(header, payload, config):
    """Samples of a burst, guards included.

    Parameters
    ----------
    header : Header
    payload : complex64 [header.payload_symbols]   mean energy 1
    config : BurstConfig

    Returns
    -------
    complex64 [burst_samples(config, payload_symbols)]   RMS between the guards config.amplitude; the first preamble
                                                         symbol peaks at sample guard_symbols * sps

    Raises
    ------
    ValueError   see frame_symbols
    """
    guard = np.zeros(config.guard_symbols, np.complex64)
    symbols = np.concatenate([guard, frame_symbols(header, payload, config), guard])
    return modulate(symbols, config.pulse) * np.float32(config.amplitude * np.sqrt(config.pulse.sps))


def burst_samples(config, payload_symbols):
    """Number of samples of a burst, guards included."""
    return channel_uses(config, payload_symbols).total * config.pulse.sps


def peak(samples: np.ndarray) -> float:
    """Largest real or imaginary part of samples complex [n]; a radio clips beyond 1. 0 for none."""
    return float(np.abs(np.asarray(samples, np.complex64).view(np.float32)).max(initial=0.0))


def papr_db(samples: np.ndarray) -> float:
    """Peak power over mean power of samples complex [n], dB; nan where there is no power."""
    power = np.abs(np.asarray(samples, np.complex128)) ** 2
    return float(10 * np.log10(power.max() / power.mean())) if power.any() else float("nan")

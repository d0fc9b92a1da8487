# SPDX-License-Identifier: GPL-3.0-or-later
"""Bursts that both ends know: what a transmitter sends to be measured, and what a receiver makes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from tokenlink.phy.frame import modulate_burst
from tokenlink.phy.header import FIELDS, Header
from tokenlink.phy.receiver import BurstReceiver
from tokenlink.systems import system_named
from tokenlink.wire import NO_MODE

TWIST = system_named("twist").payload
_SLOTS = 1 << FIELDS["slot"]


class KnownTraffic:
    """Bursts with random frames; slot and seed fix them, so a receiver knows the truth.

    Parameters
    ----------
    burst : BurstConfig
    table : ModeTable       or that of another system
    seed : int
    mode_id : int or None   of all bursts; None: one mode after the other
    payload : Payload       of the system
    """

    def __init__(self, burst, table, seed=1, mode_id=None, payload=TWIST):
        self.config, self.table, self.seed, self.payload = burst, table, seed, payload
        self._mode_id = None if mode_id is None else table.mode(mode_id).mode_id

    def mode_of(self, slot):
        """The Mode of a slot; slots count modulo 2**24, as in the header."""
        slot %= _SLOTS
        return self.table.mode(slot % len(self.table.modes) if self._mode_id is None else self._mode_id)

    def _frame(self, slot):
        rng = np.random.default_rng((self.seed, slot % _SLOTS))
        return self.payload.draw(rng, slot, self.mode_of(slot), self.table)

    def warm_up(self):
        """Make a burst of each mode, so that what is made at first use makes no burst late."""
        for slot in range(len(self.table.modes)):
            self.samples(slot)

    def tokens(self, slot):
        """What of the frame of a slot must come as it was sent, such as its token ids: int32 [n_tokens]."""
        n_packets = self.payload.packets(self.table)
        return self.payload.content(self._frame(slot))[slot % n_packets :: n_packets]

    def symbols(self, slot):
        """Payload symbols of a slot: complex64 [n_symbols]."""
        symbols = self.payload.encode(self._frame(slot), self.mode_of(slot), self.table)
        return symbols if symbols.ndim == 1 else symbols[slot % len(symbols)]

    def samples(self, slot):
        """Samples of the burst of a slot, guards included: complex64 [n]."""
        symbols, mode_id = self.symbols(slot), self.mode_of(slot).mode_id
        header = Header(self.payload.number, mode_id, slot % _SLOTS, slot % _SLOTS, len(symbols))
        return modulate_burst(header, symbols, self.config)


@dataclass(frozen=True, eq=False)
class Reception:
    """One received burst.

    Attributes
    ----------
    slot, mode_id, payload_symbols : int
    start : float              instant of the first preamble symbol, samples
    esn0_db, power_dbfs : float
    cfo_hz : float
    clipped : int              samples at full scale
    token_ids : int32 [n_tokens]   or whatever must come as it was sent; empty for a payload that is lost
    parity_ok : bool [n_groups]    one for a payload without groups: whether it came
    channel_gain : complex     mean over the burst
    n0 : float
    evm_db : float or None     error vector over signal where the truth is known
    wrong_tokens : int or None
    """

    slot: int
    mode_id: int
    payload_symbols: int
    start: float
    esn0_db: float
    power_dbfs: float
    cfo_hz: float
    clipped: int
    token_ids: np.ndarray
    parity_ok: np.ndarray
    channel_gain: complex
    n0: float
    evm_db: float | None = None
    wrong_tokens: int | None = None


class TrafficReceiver:
    """Samples to Receptions.

    Parameters
    ----------
    burst : BurstConfig
    table : ModeTable           or that of another system
    samp_rate : float           sample/s
    truth : KnownTraffic        or None where it is not known
    payload : Payload           of the system

    Attributes
    ----------
    counts : Counter   of the BurstReceiver, and "unknown_mode", "wrong_length", "other_system", and causes of
                       payloads that are lost
    """

    def __init__(self, burst, table, samp_rate, truth=None, payload=TWIST):
        self._receiver, self._table, self._truth, self._payload = BurstReceiver(burst), table, truth, payload
        self._rate, self.counts = samp_rate, self._receiver.counters

    def warm_up(self):
        """Read a burst of every mode and forget it, so that nothing is compiled while a radio waits; returns itself."""
        traffic = KnownTraffic(self._receiver.config, self._table, payload=self._payload)
        reader = TrafficReceiver(self._receiver.config, self._table, self._rate, payload=self._payload)
        for slot in range(len(self._table.modes)):
            reader.feed(traffic.samples(slot))
        reader.flush()
        return self

    def feed(self, samples):
        """Receptions that are complete now: complex64 [n] -> list."""
        return self._read(self._receiver.feed(samples))

    def flush(self):
        """Receptions still to come when the stream has ended or has a gap."""
        return self._read(self._receiver.flush())

    def _read(self, bursts):
        receptions = (self._reception(burst) for burst in bursts)
        return [each for each in receptions if each is not None]

    def _reception(self, burst):
        header = burst.header
        if header.system != self._payload.number:
            return self._refuse("other_system")
        if header.mode_id >= len(self._table.modes):
            return self._refuse("unknown_mode")
        mode = self._table.mode(header.mode_id)
        if not self._payload.fits(header.payload_symbols, mode, self._table):
            return self._refuse("wrong_length")
        tokens, parity_ok = self._decode(burst, mode)
        evm_db, wrong = self._compare(burst, mode, tokens)
        return Reception(
            header.slot, header.mode_id, len(burst.payload), burst.start, burst.esn0_db, burst.power_dbfs,
            burst.cfo * self._rate, burst.clipped, tokens, parity_ok, complex(burst.channel_gain.mean()), burst.n0,
            evm_db, wrong,
        )  # fmt: skip

    def _decode(self, burst, mode):
        link = {"slot": burst.header.slot, "seq": 0, "channel_gain": complex(burst.channel_gain.mean()),
                "n0": float(burst.n0), "esn0_db": burst.esn0_db}  # fmt: skip
        estimate, report = self._payload.decode(burst.payload, burst.channel_gain, burst.n0, mode, self._table, link)
        came = estimate.mode_id != NO_MODE
        if not came:
            self.counts[report.drops["lost"]] += 1
        return self._payload.content(estimate), report.parity_ok if report.parity_ok.size else np.array([came])

    def _compare(self, burst, mode, tokens):
        slot = burst.header.slot
        if self._truth is None or self._truth.mode_of(slot) != mode:
            return None, None
        sent, known = self._truth.symbols(slot), self._truth.tokens(slot)
        if len(sent) != len(burst.payload):  # of another seed
            return None, None
        error = np.mean(np.abs(burst.payload / burst.channel_gain - sent) ** 2, dtype=float)
        wrong = np.count_nonzero(known != tokens) if tokens.size else known.size
        return float(10 * np.log10(max(error, 1e-12))), int(wrong)

    def _refuse(self, cause):
        self.counts[cause] += 1


def unwrap(slot, first):
    """A slot of a header counted on from another one, which came at most half of all slots before or after."""
    return first + (slot - first + _SLOTS // 2) % _SLOTS - _SLOTS // 2


@dataclass
class LinkFigures:
    """Figures of many receptions, as they come.

    Parameters
    ----------
    table : ModeTable
    """

    table: object
    receptions: list = field(default_factory=list)

    def add(self, reception):
        """Take one more."""
        self.receptions.append(reception)

    def summary(self):
        """Figures over all: dict of plain numbers, None where there is nothing to say."""
        groups = np.array([each.parity_ok for each in self.receptions], bool)
        known = [each for each in self.receptions if each.wrong_tokens is not None]
        wrong = sum(each.wrong_tokens for each in known)
        modes = Counter(self.table.mode(each.mode_id).name for each in self.receptions)
        return {
            "bursts": len(self.receptions),
            "bursts_by_mode": dict(modes),
            "bler_by_group": [float(1 - ok) for ok in groups.mean(axis=0)] if len(groups) else None,
            "wrong_tokens": wrong if known else None,
            "token_error_rate": wrong / (len(known) * self.table.n_tokens) if known else None,
            "esn0_db": self._median("esn0_db"),
            "evm_db": self._median("evm_db"),
            "power_dbfs": self._median("power_dbfs"),
            "cfo_hz": self._median("cfo_hz"),
            "clipped_bursts": sum(each.clipped > 0 for each in self.receptions),
        }

    def _median(self, name):
        values = [getattr(each, name) for each in self.receptions if getattr(each, name) is not None]
        return float(np.median(values)) if values else None

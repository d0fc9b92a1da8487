# SPDX-License-Identifier: GPL-3.0-or-later
"""Bursts that both ends know: what a transmitter sends to be measured, and what a receiver makes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from tokenlink.link.twist import decode_frame, encode_frame
from tokenlink.phy.frame import modulate_burst
from tokenlink.phy.header import FIELDS, SYSTEMS, Header
from tokenlink.phy.receiver import BurstReceiver

_SLOTS = 1 << FIELDS["slot"]


class KnownTraffic:
    """Bursts with random tokens; slot and seed fix them, so a receiver knows the truth.

    Parameters
    ----------
    burst : BurstConfig
    table : ModeTable
    seed : int
    mode_id : int or None   of all bursts; None: one mode after the other
    """

    def __init__(self, burst, table, seed=1, mode_id=None):
        self.config, self.table, self.seed = burst, table, seed
        self._mode_id = None if mode_id is None else table.mode(mode_id).mode_id

    def mode_of(self, slot):
        """The Mode of a slot; slots count modulo 2**24, as in the header."""
        slot %= _SLOTS
        return self.table.mode(slot % len(self.table.modes) if self._mode_id is None else self._mode_id)

    def tokens(self, slot):
        """Token ids of a slot: int32 [n_tokens]."""
        rng = np.random.default_rng((self.seed, slot % _SLOTS))
        return rng.integers(0, self.table.vocab_size, self.table.n_tokens).astype(np.int32)

    def samples(self, slot):
        """Samples of the burst of a slot, guards included: complex64 [n]."""
        mode = self.mode_of(slot)
        payload = encode_frame(self.tokens(slot), mode, self.table)
        header = Header(SYSTEMS["twist"], mode.mode_id, slot % _SLOTS, slot % _SLOTS, len(payload))
        return modulate_burst(header, payload, self.config)


@dataclass(frozen=True, eq=False)
class Reception:
    """One received burst.

    Attributes
    ----------
    slot, mode_id : int
    start : float              instant of the first preamble symbol, samples
    esn0_db, power_dbfs : float
    cfo_hz : float
    clipped : int              samples at full scale
    token_ids : int32 [n_tokens]
    confidence : float32 [n_tokens]
    parity_ok : bool [n_groups]
    channel_gain : complex     mean over the burst
    n0 : float
    evm_db : float or None     error vector over signal where the truth is known
    wrong_tokens : int or None
    """

    slot: int
    mode_id: int
    start: float
    esn0_db: float
    power_dbfs: float
    cfo_hz: float
    clipped: int
    token_ids: np.ndarray
    confidence: np.ndarray
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
    table : ModeTable
    samp_rate : float          sample/s
    truth : KnownTraffic        or None where it is not known

    Attributes
    ----------
    counts : Counter   of the BurstReceiver, and "unknown_mode", "wrong_length", "other_system"
    """

    def __init__(self, burst, table, samp_rate, truth=None):
        self._receiver, self._table, self._truth = BurstReceiver(burst), table, truth
        self._rate, self.counts = samp_rate, self._receiver.counters

    def warm_up(self):
        """Read a burst of every mode and forget it, so that nothing is compiled while a radio waits; returns itself."""
        traffic = KnownTraffic(self._receiver.config, self._table)
        reader = TrafficReceiver(self._receiver.config, self._table, self._rate)
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
        if header.system != SYSTEMS["twist"]:
            return self._refuse("other_system")
        if header.mode_id >= len(self._table.modes):
            return self._refuse("unknown_mode")
        mode = self._table.mode(header.mode_id)
        if header.payload_symbols != self._table.total_channel_uses(mode):
            return self._refuse("wrong_length")
        decision = decode_frame(burst.payload, burst.channel_gain, burst.n0, mode, self._table)
        evm_db, wrong = self._compare(burst, mode, decision)
        return Reception(
            header.slot, header.mode_id, burst.start, burst.esn0_db, burst.power_dbfs, burst.cfo * self._rate,
            burst.clipped, decision.token_ids, decision.confidence, decision.parity_ok,
            complex(burst.channel_gain.mean()), burst.n0, evm_db, wrong,
        )  # fmt: skip

    def _compare(self, burst, mode, decision):
        if self._truth is None or self._truth.mode_of(burst.header.slot) != mode:
            return None, None
        tokens = self._truth.tokens(burst.header.slot)
        sent = encode_frame(tokens, mode, self._table)
        error = np.mean(np.abs(burst.payload / burst.channel_gain - sent) ** 2, dtype=float)
        return float(10 * np.log10(max(error, 1e-12))), int(np.count_nonzero(tokens != decision.token_ids))

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
        groups = np.array([each.parity_ok for each in self.receptions], bool).reshape(-1, self.table.n_groups)
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

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packets are lost, without a radio: a fixed number, each on its own, or in bursts."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

_STREAM = 4  # apart from those of `channel.Channel`
_CHUNK = 4096


def _check_share(name, value, low_open=False):
    if not (0 <= value <= 1 and not (low_open and value == 0)):
        raise ValueError(f"{name} is {value}, expected {'0 <' if low_open else '0 <='} {name} <= 1")


@dataclass(frozen=True)
class FixedLoss:
    """So many of the packets of each sequence, drawn evenly: no luck in how many, as the TokCode paper evaluates.

    Parameters
    ----------
    lost : int   packets of a sequence, >= 0
    """

    lost: int

    def __post_init__(self):
        if not (isinstance(self.lost, int) and self.lost >= 0):
            raise ValueError(f"lost is {self.lost}, expected a whole number >= 0")


@dataclass(frozen=True)
class IndependentLoss:
    """Each packet on its own, with probability ``lost`` in [0, 1]."""

    lost: float

    def __post_init__(self):
        _check_share("lost", self.lost)


@dataclass(frozen=True)
class GilbertElliott:
    """Bursts of losses: a channel that is good or bad, and may change before every packet.

    Parameters
    ----------
    to_bad, to_good : float   probability of a change from good to bad and from bad to good, in (0, 1]
    lost_good, lost_bad : float   probability that a packet is lost in either state, in [0, 1]

    Notes
    -----
    Gilbert 1960, Elliott 1963. The state is bad for a share to_bad / (to_bad + to_good) of the time, for 1 / to_good
    packets in a row in the mean, and begins so.
    """

    to_bad: float
    to_good: float
    lost_good: float = 0.0
    lost_bad: float = 1.0

    def __post_init__(self):
        for name in ("to_bad", "to_good"):
            _check_share(name, getattr(self, name), low_open=True)
        for name in ("lost_good", "lost_bad"):
            _check_share(name, getattr(self, name))


LOSSES = {"fixed": FixedLoss, "independent": IndependentLoss, "gilbert-elliott": GilbertElliott}


def loss_named(text: str):
    """The model of a text such as "fixed:2", "independent:0.4" or "gilbert-elliott:0.1,0.3"; ValueError for another."""
    name, _, values = text.partition(":")
    if name not in LOSSES:
        raise ValueError(f"loss is {text!r}, expected one of {', '.join(LOSSES)}, and its numbers behind a colon")
    kind = LOSSES[name]
    try:
        numbers = [int(each) if kind is FixedLoss else float(each) for each in values.split(",")]
        return kind(*numbers)
    except (TypeError, ValueError) as error:
        names = ",".join(each.name.upper() for each in fields(kind))
        raise ValueError(f"loss is {text!r}, expected {name}:{names}: {error}") from None


class PacketLosses:
    """Which packets of each sequence are lost; the same model, seed and sequence give the same, in any order.

    Parameters
    ----------
    model : FixedLoss, IndependentLoss or GilbertElliott
    n_packets : int   of a sequence, >= 1
    seed : int        >= 0

    Raises
    ------
    ValueError   more lost packets than there are, or a value out of range
    """

    def __init__(self, model, n_packets: int, seed: int):
        if n_packets < 1:
            raise ValueError(f"n_packets is {n_packets}, expected >= 1")
        if seed < 0:
            raise ValueError(f"seed is {seed}, expected >= 0")
        if isinstance(model, FixedLoss) and model.lost > n_packets:
            raise ValueError(f"lost is {model.lost}, expected at most the {n_packets} packets of a sequence")
        self.model, self.n_packets, self._seed = model, n_packets, seed
        self._bad = np.zeros(0, bool)

    def lost(self, sequence: int) -> np.ndarray:
        """bool [n_packets] of a sequence, int >= 0."""
        if sequence < 0:
            raise ValueError(f"sequence is {sequence}, expected >= 0")
        rng = np.random.default_rng((self._seed, _STREAM, sequence))
        if isinstance(self.model, FixedLoss):
            return rng.permutation(self.n_packets) < self.model.lost
        drawn = rng.random(self.n_packets)
        if isinstance(self.model, IndependentLoss):
            return drawn < self.model.lost
        first = sequence * self.n_packets
        self._walk(first + self.n_packets)
        bad = self._bad[first : first + self.n_packets]
        return drawn < np.where(bad, self.model.lost_bad, self.model.lost_good)

    def _walk(self, n_packets):
        """Have the states of so many packets; a longer walk begins with the shorter."""
        if n_packets <= len(self._bad):
            return
        length = max(2 * len(self._bad), -(-n_packets // _CHUNK) * _CHUNK)
        drawn = np.random.default_rng((self._seed, _STREAM)).random(length)
        to_bad, to_good = self.model.to_bad, self.model.to_good
        self._bad = np.empty(length, bool)
        bad = drawn[0] < to_bad / (to_bad + to_good)
        for k, value in enumerate(drawn):
            if k:
                bad = value >= to_good if bad else value < to_bad
            self._bad[k] = bad

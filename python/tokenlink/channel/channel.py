# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole channel from one seed: the state of any slot, in any order, always the same."""

from dataclasses import dataclass, field

import numpy as np

from tokenlink.channel.fading import FADING_MODELS, GAINS, diffuse_gain
from tokenlink.channel.markov import gauss_markov
from tokenlink.channel.noise import ESN0_RANGE_DB, apply, n0_from_esn0_db
from tokenlink.channel.trajectory import SnrTrajectory

_TRAJECTORY_STREAM, _FADING_STREAM, _NOISE_STREAM = range(3)
_CHUNK_SLOTS = 256


@dataclass(frozen=True)
class ChannelConfig:
    """What the channel does; together with a seed it fixes every slot.

    Parameters
    ----------
    model : str                  one of FADING_MODELS
    esn0_db : float              nominal Es/N0, the average over |h|^2, dB; with any offset of the trajectory in
                                 -100..100
    rician_k_db : float          Rician only: line of sight over diffuse power, dB, in -100..100
    fading_correlation : float   correlation of the diffuse gain between neighbouring slots, in [0, 1); 0: independent
    trajectory : SnrTrajectory   change of the nominal Es/N0 over the slots

    Raises
    ------
    ValueError   a value outside its range
    """

    model: str = "awgn"
    esn0_db: float = 10.0
    rician_k_db: float = 6.0
    fading_correlation: float = 0.0
    trajectory: SnrTrajectory = field(default_factory=SnrTrajectory)

    def __post_init__(self):
        if self.model not in FADING_MODELS:
            raise ValueError(f"model is {self.model!r}, expected one of {', '.join(FADING_MODELS)}")
        low, high = ESN0_RANGE_DB
        for name in ("esn0_db", "rician_k_db"):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}, expected {low:g} to {high:g} dB")
        lowest, highest = (self.esn0_db + offset for offset in self.trajectory.bounds_db)
        if not low <= lowest <= highest <= high:
            raise ValueError(
                f"esn0_db is {self.esn0_db}, and {lowest:g} to {highest:g} dB with its trajectory, "
                f"expected {low:g} to {high:g} dB"
            )
        if not 0.0 <= self.fading_correlation < 1.0:
            raise ValueError(f"fading_correlation is {self.fading_correlation}, expected 0 <= correlation < 1")


@dataclass(frozen=True)
class ChannelState:
    """The channel in one slot: gain h, total noise variance n0, nominal Es/N0 (without |h|^2) in dB."""

    slot: int
    channel_gain: complex
    n0: float
    esn0_db: float

    @property
    def received_esn0_db(self):
        """Es/N0 at the receiver, |h|^2 / n0 in dB."""
        return float(10.0 * np.log10(max(abs(self.channel_gain) ** 2, 1e-30) / self.n0))


class Channel:
    """Draws the channel state of each slot; the same configuration, seed and slot give the same state.

    Parameters
    ----------
    config : ChannelConfig
    seed : int   >= 0
    """

    def __init__(self, config, seed):
        if seed < 0:
            raise ValueError(f"seed is {seed}, expected >= 0")
        self.config = config
        self.seed = int(seed)
        self._esn0_db = np.zeros(0)
        self._gains = np.zeros(0, complex)

    def draw(self, slot):
        """State of ``slot`` (int >= 0) as a ChannelState; slots may be asked for in any order."""
        if slot < 0:
            raise ValueError(f"slot is {slot}, expected >= 0")
        slot = int(slot)
        esn0_db = self._nominal_esn0_db(slot)
        return ChannelState(slot, self._gain(slot), n0_from_esn0_db(esn0_db), esn0_db)

    def noise_rng(self, slot):
        """Generator of the noise of ``slot``, independent of gains and trajectory."""
        return np.random.default_rng((self.seed, _NOISE_STREAM, int(slot)))

    def transmit(self, symbols, slot):
        """Received symbols and ChannelState of ``slot`` for ``symbols`` (complex64 [n_symbols])."""
        state = self.draw(slot)
        return apply(symbols, state, self.noise_rng(slot)), state

    def _nominal_esn0_db(self, slot):
        if slot >= len(self._esn0_db):
            n_slots = _grown(len(self._esn0_db), slot)
            rng = np.random.default_rng((self.seed, _TRAJECTORY_STREAM))
            self._esn0_db = self.config.esn0_db + self.config.trajectory.offsets_db(n_slots, rng)
        return float(self._esn0_db[slot])

    def _gain(self, slot):
        return GAINS[self.config.model](lambda: self._diffuse(slot), self.config.rician_k_db)

    def _diffuse(self, slot):
        correlation = self.config.fading_correlation
        if correlation == 0.0:
            return complex(diffuse_gain(np.random.default_rng((self.seed, _FADING_STREAM, slot))))
        if slot >= len(self._gains):
            # One generator for all slots: a far slot costs a pass over arrays, not one generator for each before it.
            rng = np.random.default_rng((self.seed, _FADING_STREAM))
            parts = rng.standard_normal((_grown(len(self._gains), slot), 2)) * np.sqrt(0.5)
            self._gains = gauss_markov(parts.view(complex)[:, 0], correlation)
        return complex(self._gains[slot])


def _grown(n_slots, slot):
    """Length that holds the slot; doubled, so that a run that asks for one slot after the other costs O(1) each."""
    return max(2 * n_slots, (slot // _CHUNK_SLOTS + 1) * _CHUNK_SLOTS)

# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole channel from one seed: the state of any slot, in any order, always the same."""

from dataclasses import dataclass, field

import numpy as np

from tokenlink.channel.fading import FADING_MODELS, GAINS, diffuse_gain
from tokenlink.channel.markov import gauss_markov
from tokenlink.channel.noise import ESN0_RANGE_DB, apply, n0_from_esn0_db
from tokenlink.channel.trajectory import SnrTrajectory

_TRAJECTORY_STREAM, _FADING_STREAM, _NOISE_STREAM, _BLOCK_STREAM = range(4)
_CHUNK_SLOTS = 256
MAX_BLOCKS = 64


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
    coherence_blocks : int       equal parts of a frame, one after the other, each with a gain of its own, in
                                 1..MAX_BLOCKS: diversity in time or frequency; 1: one gain a slot

    Raises
    ------
    ValueError   a value outside its range
    """

    model: str = "awgn"
    esn0_db: float = 10.0
    rician_k_db: float = 6.0
    fading_correlation: float = 0.0
    trajectory: SnrTrajectory = field(default_factory=SnrTrajectory)
    coherence_blocks: int = 1

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
        if not (isinstance(self.coherence_blocks, int) and 1 <= self.coherence_blocks <= MAX_BLOCKS):
            raise ValueError(f"coherence_blocks is {self.coherence_blocks}, expected a whole number in 1..{MAX_BLOCKS}")


@dataclass(frozen=True)
class ChannelState:
    """The channel in one slot.

    Attributes
    ----------
    slot : int
    channel_gain : complex    h; with several coherence blocks their mean, as receivers report it
    n0 : float                total noise variance
    esn0_db : float           nominal Es/N0, without |h|^2, dB
    block_gains : tuple of complex   h of each coherence block where there are several, else empty
    """

    slot: int
    channel_gain: complex
    n0: float
    esn0_db: float
    block_gains: tuple[complex, ...] = ()

    @property
    def received_esn0_db(self):
        """Es/N0 at the receiver, the mean of |h|^2 over the frame / n0 in dB."""
        power = sum(abs(gain) ** 2 for gain in self.block_gains) / len(self.block_gains) if self.block_gains else (
            abs(self.channel_gain) ** 2)
        return float(10.0 * np.log10(max(power, 1e-30) / self.n0))

    def gains(self, n_symbols):
        """h of the symbols of a frame: complex where it is one for all, else complex64 [n_symbols].

        Block b of B holds the symbols from floor(b n / B) up to floor((b + 1) n / B).
        """
        if not self.block_gains:
            return self.channel_gain
        n_blocks = len(self.block_gains)
        ends = np.arange(1, n_blocks + 1) * n_symbols // n_blocks
        return np.repeat(np.array(self.block_gains, np.complex64), np.diff(ends, prepend=0))


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
        self._gains = {}  # of each coherence block, where slots are correlated

    def draw(self, slot):
        """State of ``slot`` (int >= 0) as a ChannelState; slots may be asked for in any order."""
        if slot < 0:
            raise ValueError(f"slot is {slot}, expected >= 0")
        slot = int(slot)
        esn0_db = self._nominal_esn0_db(slot)
        n0, blocks = n0_from_esn0_db(esn0_db), range(self.config.coherence_blocks)
        if len(blocks) == 1 or self.config.model == "awgn":
            return ChannelState(slot, self._gain(slot), n0, esn0_db)
        gains = tuple(self._gain(slot, block) for block in blocks)
        return ChannelState(slot, sum(gains) / len(gains), n0, esn0_db, gains)

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

    def _gain(self, slot, block=0):
        return GAINS[self.config.model](lambda: self._diffuse(slot, block), self.config.rician_k_db)

    def _diffuse(self, slot, block):
        correlation = self.config.fading_correlation
        stream = (self.seed, _BLOCK_STREAM, block) if block else (self.seed, _FADING_STREAM)
        if correlation == 0.0:
            return complex(diffuse_gain(np.random.default_rng((*stream, slot))))
        gains = self._gains.get(block, ())
        if slot >= len(gains):
            # One generator for all slots: a far slot costs a pass over arrays, not one generator for each before it.
            rng = np.random.default_rng(stream)
            parts = rng.standard_normal((_grown(len(gains), slot), 2)) * np.sqrt(0.5)
            gains = self._gains[block] = gauss_markov(parts.view(complex)[:, 0], correlation)
        return complex(gains[slot])


def _grown(n_slots, slot):
    """Length that holds the slot; doubled, so that a run that asks for one slot after the other costs O(1) each."""
    return max(2 * n_slots, (slot // _CHUNK_SLOTS + 1) * _CHUNK_SLOTS)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Nominal Es/N0 over the slots: constant, blockwise constant, or a Gauss-Markov walk in dB."""

from dataclasses import dataclass

import numpy as np

from tokenlink.channel.markov import gauss_markov

TRAJECTORY_KINDS = ("constant", "blockwise", "gauss-markov")


@dataclass(frozen=True)
class SnrTrajectory:
    """How the nominal Es/N0 moves from slot to slot, relative to the channel's ``esn0_db``.

    Parameters
    ----------
    kind : str             one of TRAJECTORY_KINDS
    levels_db : tuple      blockwise: offsets from the nominal Es/N0, dB
    block_slots : int      blockwise: slots per block, >= 1
    shuffle : bool         blockwise: True draws each block's level at random, False walks through them in order
    std_db : float         gauss-markov: stationary standard deviation, dB, >= 0
    correlation : float    gauss-markov: correlation of neighbouring slots, in [0, 1)
    min_db, max_db : float gauss-markov: offsets are held within these bounds, dB

    Raises
    ------
    ValueError   a value outside its range
    """

    kind: str = "constant"
    levels_db: tuple = (0.0, -6.0, 3.0, -3.0, 6.0)
    block_slots: int = 20
    shuffle: bool = False
    std_db: float = 3.0
    correlation: float = 0.95
    min_db: float = -60.0
    max_db: float = 60.0

    def __post_init__(self):
        object.__setattr__(self, "levels_db", tuple(float(level) for level in self.levels_db))
        if self.kind not in TRAJECTORY_KINDS:
            raise ValueError(f"kind is {self.kind!r}, expected one of {', '.join(TRAJECTORY_KINDS)}")
        if not self.levels_db or not np.all(np.isfinite(self.levels_db)):
            raise ValueError(f"levels_db is {self.levels_db}, expected at least one finite level")
        if self.block_slots < 1:
            raise ValueError(f"block_slots is {self.block_slots}, expected >= 1")
        if not (np.isfinite(self.std_db) and self.std_db >= 0):
            raise ValueError(f"std_db is {self.std_db}, expected a finite number >= 0")
        if not 0.0 <= self.correlation < 1.0:
            raise ValueError(f"correlation is {self.correlation}, expected 0 <= correlation < 1")
        if not self.min_db <= self.max_db:
            raise ValueError(f"min_db is {self.min_db}, expected <= max_db, which is {self.max_db}")

    @property
    def bounds_db(self):
        """Lowest and highest offset that can come, dB."""
        if self.kind == "constant":
            return 0.0, 0.0
        if self.kind == "blockwise":
            return min(self.levels_db), max(self.levels_db)
        return float(self.min_db), float(self.max_db)

    def offsets_db(self, n_slots, rng):
        """Offsets of slots 0 to n_slots - 1 from the nominal Es/N0; a longer run begins with a shorter one.

        Parameters
        ----------
        n_slots : int                 >= 0
        rng : numpy.random.Generator  freshly seeded; as many draws are taken as slots (or blocks)

        Returns
        -------
        float64 [n_slots]   dB

        Notes
        -----
        Gauss-Markov: x_0 = s w_0, x_t = rho x_{t-1} + sqrt(1 - rho^2) s w_t, w white with variance 1.
        """
        if self.kind == "constant":
            return np.zeros(n_slots)
        if self.kind == "blockwise":
            block = np.arange(n_slots) // self.block_slots
            n_blocks = int(block[-1]) + 1 if n_slots else 0
            # One double per block, so that a longer run keeps the levels of a shorter one.
            pick = np.arange(n_blocks) % len(self.levels_db)
            if self.shuffle:
                pick = (rng.random(n_blocks) * len(self.levels_db)).astype(int)
            return np.asarray(self.levels_db)[pick][block]
        walk = gauss_markov(rng.standard_normal(n_slots) * self.std_db, self.correlation)
        return np.clip(walk, self.min_db, self.max_db)

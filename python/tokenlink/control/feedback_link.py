# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of the twin's commands back to the transmitter: late, and some never come."""

from dataclasses import dataclass

import numpy as np

_FEEDBACK_STREAM = 3


@dataclass(frozen=True)
class FeedbackConfig:
    """How feedback gets late or lost on its way to the transmitter, which then holds its mode or falls back.

    Parameters
    ----------
    loss_probability : float   that of each slot, independently, in [0, 1]
    lost_slots : tuple of int  slots whose feedback is lost in any case
    delay_slots : int          feedback on slot t decides the mode of slot t + delay_slots, >= 1; the slots before the
                               first feedback have the policy's first mode

    Raises
    ------
    ValueError   a value outside its range
    """

    loss_probability: float = 0.0
    lost_slots: tuple[int, ...] = ()
    delay_slots: int = 1

    def __post_init__(self):
        object.__setattr__(self, "lost_slots", tuple(int(slot) for slot in self.lost_slots))
        if not 0.0 <= self.loss_probability <= 1.0:
            raise ValueError(f"loss_probability is {self.loss_probability}, expected 0 to 1")
        if self.delay_slots < 1 or self.delay_slots != int(self.delay_slots):
            raise ValueError(f"delay_slots is {self.delay_slots}, expected a whole number >= 1")

    def lost(self, seed, slot):
        """Whether the feedback on a slot never reaches the transmitter; the same for the same seed and slot."""
        if slot in self.lost_slots:
            return True
        if self.loss_probability == 0.0:
            return False  # a generator for every slot takes its time
        return bool(np.random.default_rng((seed, _FEEDBACK_STREAM, slot)).random() < self.loss_probability)


class FeedbackLink:
    """Commands on their way: what the twin decided after a slot comes to the transmitter as the command of a later one.

    Parameters
    ----------
    config : FeedbackConfig
    seed : int         of the losses, >= 0
    first_mode : int   mode_id of the slots before any feedback
    """

    def __init__(self, config, seed, first_mode):
        self._config = config
        self._seed = seed
        self._first_mode = first_mode
        self._decided = {}

    def decide(self, slot, mode_id):
        """Send the mode decided on feedback of ``slot``."""
        self._decided[slot] = mode_id

    def command(self, slot):
        """Command of ``slot`` as the transmitter gets it: mode_id, or None when it was lost or never decided; slots in
        rising order."""
        told = slot - self._config.delay_slots
        if told < 0:
            return self._first_mode
        mode_id = self._decided.pop(told, None)  # None too for what was decided before this end was started
        return None if self._config.lost(self._seed, told) else mode_id

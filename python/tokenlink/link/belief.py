# SPDX-License-Identifier: GPL-3.0-or-later
"""What the twin goes by when it says what the next frame will be."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

#: frames in a row to which `Belief.doubted` counts
LONGEST = 32


class BeliefError(ValueError):
    """A belief that cannot be; the message names the field, the value and the legal range."""


@dataclass(frozen=True)
class Belief:
    """The twin's state, how it came by it, and how old it is. `None` in its place: nothing is known yet.

    Attributes
    ----------
    state : int32 [n_tokens]             tokens of the last slot of which something was received
    sureness : float32 [n_tokens]        the receiver's confidence where it was accepted, 0 where it was filled in
    before : int32 [n_tokens] or None    the state before that; None: there was none
    age : int                            slots since then, >= 1; 1: it was the slot just before the one foretold
    doubted : int32 [n_tokens]           received frames in a row, up to the state, whose token here was not accepted:
                                         0, it was; LONGEST: so many, or none ever was; None: 1 where sureness is 0

    Raises
    ------
    BeliefError   shapes that differ, a negative token, a sureness outside [0, 1], an age below 1, a `doubted` outside
                  0..LONGEST
    """

    state: np.ndarray
    sureness: np.ndarray
    before: np.ndarray | None = None
    age: int = 1
    doubted: np.ndarray | None = None

    def __post_init__(self):
        state = _tokens("state", self.state)
        before = None if self.before is None else _tokens("before", self.before)
        sureness = np.array(self.sureness, np.float32)
        doubted = (sureness == 0).astype(np.int32) if self.doubted is None else _tokens("doubted", self.doubted)
        for name, values in (("sureness", sureness), ("before", before), ("doubted", doubted)):
            if values is not None and values.shape != state.shape:
                raise BeliefError(f"{name} has shape {values.shape}, must be that of state, {state.shape}")
        if not ((sureness >= 0) & (sureness <= 1)).all():
            raise BeliefError(f"sureness reaches {sureness.min()}..{sureness.max()}, must be in [0, 1]")
        if doubted.size and doubted.max() > LONGEST:
            raise BeliefError(f"doubted is {doubted.max()} somewhere, must be <= {LONGEST}")
        if self.age < 1:
            raise BeliefError(f"age is {self.age}, must be >= 1")
        arrays = {"state": state, "before": before, "sureness": sureness, "doubted": doubted}
        for name, values in (arrays | {"age": int(self.age)}).items():
            if isinstance(values, np.ndarray):
                values.flags.writeable = False
            object.__setattr__(self, name, values)

    @classmethod
    def after(cls, previous: Belief | None, token_ids, erased, confidence, state) -> Belief | None:
        """What is believed once a frame has been taken in.

        Parameters
        ----------
        previous : Belief or None        what was believed before it
        token_ids : int32 [n_tokens]     decided by the receiver
        erased : bool [n_tokens]         not trusted, and filled in
        confidence : float32 [n_tokens]  the receiver's
        state : int32 [n_tokens]         the twin's, filled in

        Returns
        -------
        Belief or None   a frame of which every token is erased counts as `missed`
        """
        erased = np.asarray(erased, bool)
        if erased.all():
            return cls.missed(previous)
        state = np.where(erased, state, token_ids)
        sureness = np.where(erased, np.float32(0), confidence).clip(0, 1)
        if previous is None:
            return cls(state, sureness, doubted=np.where(erased, LONGEST, 0))
        return cls(state, sureness, previous.state, doubted=np.where(erased, previous.doubted + 1, 0).clip(max=LONGEST))

    @staticmethod
    def missed(previous: Belief | None) -> Belief | None:
        """What is believed after a slot of which nothing was received: the same, a slot older."""
        return None if previous is None else replace(previous, age=previous.age + 1)

    @property
    def key(self) -> tuple:
        """Equal for two beliefs just when they are the same to the bit."""
        before = None if self.before is None else self.before.tobytes()
        return self.state.tobytes(), self.sureness.tobytes(), before, self.doubted.tobytes(), self.age


def _tokens(name, values):
    values = np.array(values)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise BeliefError(f"{name} has shape {values.shape} and dtype {values.dtype}, must be integers [n_tokens]")
    if values.size and values.min() < 0:
        raise BeliefError(f"{name} is {values.min()} somewhere, must be >= 0")
    return values.astype(np.int32)

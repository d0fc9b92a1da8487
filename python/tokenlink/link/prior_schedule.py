# SPDX-License-Identifier: GPL-3.0-or-later
"""Which prior a slot is decoded with: those the twin sends come in time, late, of something else, or not at all."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from tokenlink.link.token_prior import SparsePrior, TokenPriorError

OFF = "off"
#: what ``--prior`` takes: no prior, or how often it is exchanged with the LDPC decoder
CHOICES = (OFF, "once", "0", "1", "2", "3", "4")
#: what pays most, see docs/prior.md; more exchanges gain next to nothing
BEST = "3"
#: codes a prior lists at each position; with 16 the mismatch of the state was up to twice that of all codes, with 64
#: the same within its noise
PRIOR_CODES = 64
USED, NONE, MISSING = "used", "none", "missing"
#: s; in lock step a prior leaves before its frame may, so that one still to come is held up on this machine only
LAG_S, PATIENT_TIMES = 0.2, 3


class Expected(NamedTuple):
    """What a frame is decoded with. ``prior``: None for none; ``outcome``: as of `PriorSchedule.take`; ``exchanges``:
    how often prior and decoder may tell each other."""

    prior: SparsePrior | None
    outcome: str
    exchanges: int


def prior_report(outcome: str, doubt: float | None = None, exchanges: int | None = None) -> dict:
    """What a LinkReport says of a frame's prior; ``doubt`` and ``exchanges`` None where it was decoded without."""
    return {"outcome": outcome, "doubt": doubt, "exchanges": exchanges}


def doubt_of(drops: dict) -> float | None:
    """Doubt that a LinkReport's ``drops`` tell of; None where the frame was decoded without a prior."""
    prior = drops.get("prior")
    doubt = prior.get("doubt") if isinstance(prior, dict) else None
    return float(doubt) if isinstance(doubt, int | float) else None


def exchanges_of(choice: str) -> int | None:
    """Exchanges between prior and decoder that one of CHOICES stands for, None for "off"; ValueError for another text.
    With 0 the prior only joins the decision."""
    if choice not in CHOICES:
        raise ValueError(f"prior is {choice!r}, expected one of {', '.join(CHOICES)}")
    if choice == OFF:
        return None
    return 1 if choice == "once" else int(choice)


class PriorSchedule:
    """Keeps priors until their slots come. They come from one sender, in the order of their slots.

    A slot is decoded without a prior where none is there, and with none but its own. Another run begins with `restart`,
    or with a frame more than REORDER slots behind.

    Parameters
    ----------
    vocab_size : int    codes of the codebook
    n_tokens : int      positions of a frame
    codebook : str      mark of the codes; empty: any

    Attributes
    ----------
    counts : Counter   frames by what they were decoded with: "used", "none" (the twin expects nothing), "missing";
        of those missing "late" (came afterwards) and "lost" (a later one came first); of priors "unused" (their
        slots had no frame), "foreign_codebook", "foreign_grid", "foreign_slot" and "refused"
    last_error : str   why the latest one was refused
    """

    MAX_WAITING, REACH, REORDER = 64, 1024, 8

    def __init__(self, vocab_size: int, n_tokens: int, codebook: str = ""):
        self._vocab_size, self._n_tokens, self._codebook = vocab_size, n_tokens, codebook
        self.counts, self.last_error = Counter(), ""
        self._waiting, self._missed = {}, set()
        self._newest = self._last = None
        self._in_vain = 0

    def patience_s(self, timeout_s: float) -> float:
        """How long, s, a frame in lock step may wait for its prior: `timeout_s`, or once one has come at most LAG_S.

        After each that was waited for in vain (`give_up`) it is a quarter, and soon nothing, until another comes.
        """
        if self._newest is None or self._in_vain > PATIENT_TIMES:
            return 0.0 if self._in_vain else timeout_s
        return min(timeout_s, LAG_S) / 4**self._in_vain

    def give_up(self) -> None:
        """A prior was waited for in vain."""
        self._in_vain += 1

    def restart(self) -> None:
        """Forget all that waits: a new run begins."""
        self.counts["unused"] += len(self._waiting)
        self.counts["lost"] += len(self._missed)
        self._waiting, self._missed = {}, set()
        self._newest = self._last = None
        self._in_vain = 0

    def put(self, slot, vocab_size, n_tokens, codebook, listed, probability) -> str:
        """Take in a prior; arguments as the fields of `tokenlink.wire.TokenPrior`.

        Returns
        -------
        str   "waiting"; else why it waits for no frame, a key of `counts`
        """
        self._in_vain = 0
        self._resolve(slot)
        late = slot in self._missed
        self._missed.discard(slot)
        if not (late or self._is_to_come(slot)):
            return self._count("foreign_slot")
        self._newest = slot if self._newest is None else max(self._newest, slot)
        if late:
            return self._count("late")
        found = self._waiting[slot] = self._read(vocab_size, n_tokens, codebook, listed, probability)
        if len(self._waiting) > self.MAX_WAITING:
            del self._waiting[min(self._waiting)]
            self.counts["unused"] += 1
        return self._count(found) if isinstance(found, str) and found != NONE else "waiting"

    def decided(self, slot: int) -> bool:
        """True when the prior of the slot, or one of a later slot, has come: waiting longer would bring nothing.

        Of a slot behind the last one it is False: another run has begun, and its priors are still to come.
        """
        return self._newest is not None and self._newest >= slot and not self._is_behind(slot)

    def take(self, slot: int) -> tuple[SparsePrior | None, str]:
        """The prior of a frame, which is asked for once, and what the frame is decoded with: "used"; without a prior
        "none", "missing", "foreign_codebook", "foreign_grid" or "refused"."""
        if self._last is not None and slot < self._last - self.REORDER:
            self.restart()
        passed = [each for each in self._waiting if each < slot]
        for each in passed:
            del self._waiting[each]
        self.counts["unused"] += len(passed)
        found = self._waiting.pop(slot, MISSING)
        if found == MISSING and not self._is_behind(slot):
            self._missed.add(slot)
            self._resolve(self._newest)
        self._last = slot if self._last is None else max(self._last, slot)
        outcome = found if isinstance(found, str) else USED
        if outcome in (USED, NONE, MISSING):  # all others were counted when they came
            self._count(outcome)
        return None if isinstance(found, str) else found, outcome

    def _is_behind(self, slot):
        return self._last is not None and slot <= self._last

    def _is_to_come(self, slot):
        near = self._last is None or self._last < slot <= self._last + self.REACH
        return near and slot not in self._waiting

    def _resolve(self, newest):
        """Those missing before a slot whose prior has come are lost."""
        lost = {each for each in self._missed if newest is not None and each < newest}
        self._missed -= lost
        self.counts["lost"] += len(lost)

    def _read(self, vocab_size, n_tokens, codebook, listed, probability):
        """SparsePrior, or the outcome of a frame that gets none."""
        if vocab_size != self._vocab_size or (codebook and self._codebook and codebook != self._codebook):
            return "foreign_codebook"
        if n_tokens != self._n_tokens:
            return "foreign_grid"
        if not listed.size and not probability.size:
            return NONE
        try:
            if listed.size % n_tokens or listed.shape != probability.shape:
                raise TokenPriorError(f"listed has {listed.size} codes and probability {probability.size} numbers, "
                                      f"both must be a multiple of n_tokens = {n_tokens}")
            return SparsePrior(listed.reshape(n_tokens, -1), probability.reshape(n_tokens, -1), vocab_size)
        except TokenPriorError as error:
            self.last_error = str(error)
            return "refused"

    def _count(self, cause):
        self.counts[cause] += 1
        return cause

# SPDX-License-Identifier: GPL-3.0-or-later
"""What is expected of a frame's tokens before it is received, and how it joins what the decoder says.

The twin's predictor gives each position a probability of every code. `bit_messages` turns it into LLRs for the LDPC
decoder and takes the decoder's extrinsic LLRs back, `decide` gives the posterior of prior and channel together, and
`trust` says from the received frame itself how far the prior may be believed: a prior may be wrong, and is sometimes
sure of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenlink.link import token_node
from tokenlink.phy.token_bits import bits_per_token

SUM_TOLERANCE = 1e-3
#: shares of "anything may come" that `trust` chooses among
DOUBTS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0)
#: nat by which a frame must be likelier before a smaller doubt is taken: odds of 20 to 1
MARGIN = 3.0


class TokenPriorError(ValueError):
    """A prior that cannot be used; the message names the field, the value and the legal range."""


@dataclass(frozen=True)
class DensePrior:
    """Probability of every code at every position.

    Attributes
    ----------
    probability : float32 [n_tokens, vocab_size]   >= 0; each row adds up to 1

    Raises
    ------
    TokenPriorError   wrong shape, NaN, negative, or a row that does not add up to 1 within 0.001
    """

    probability: np.ndarray

    def __post_init__(self):
        values = np.ascontiguousarray(self.probability, np.float32)
        if values.ndim != 2 or values.shape[1] < 2:
            raise TokenPriorError(f"probability has shape {values.shape}, must be [n_tokens, vocab_size >= 2]")
        _check_probabilities(values)
        sums = values.sum(axis=1, dtype=np.float64)
        wrong = np.abs(sums - 1) > SUM_TOLERANCE
        if wrong.any():
            raise TokenPriorError(f"probability of position {int(wrong.argmax())} adds up to "
                                  f"{sums[wrong.argmax()]:.4g}, must be 1 within {SUM_TOLERANCE}")
        object.__setattr__(self, "probability", values)

    @property
    def n_tokens(self) -> int:
        """Positions."""
        return len(self.probability)

    @property
    def vocab_size(self) -> int:
        """Codes, K."""
        return self.probability.shape[1]

    def mixed(self, doubt: float) -> DensePrior:
        """The prior with a share `doubt` in [0, 1] of "anything may come"."""
        _check_doubt(doubt)
        return DensePrior((1 - doubt) * self.probability + np.float32(doubt / self.vocab_size))

    def take(self, positions) -> DensePrior:
        """The prior of some positions, in the order given."""
        return DensePrior(self.probability[positions])

    def sparse(self, k: int) -> SparsePrior:
        """The `k` most probable codes of each position, of equal ones the first; the others share what is left."""
        if not 1 <= k < self.vocab_size:
            raise TokenPriorError(f"k is {k}, must be in 1..{self.vocab_size - 1}")
        listed = np.empty((self.n_tokens, k), np.int32)
        token_node.most_probable(self.probability, listed)
        return SparsePrior(listed, np.take_along_axis(self.probability, listed, 1), self.vocab_size)


@dataclass(frozen=True)
class SparsePrior:
    """Probability of a few codes at every position; all others share what is left evenly.

    Attributes
    ----------
    listed : int32 [n_tokens, k]          codes, all different within a position, 1 <= k < vocab_size
    probability : float32 [n_tokens, k]   theirs, >= 0; each row adds up to 1 at most
    vocab_size : int                      codes, K

    Raises
    ------
    TokenPriorError   wrong shape, NaN, negative, a row above 1, a code outside the codebook or listed twice

    Notes
    -----
    A listed code whose probability is below that of an unlisted one gets the latter's: such a list is no list of the
    most probable codes. What that adds is taken from nobody, and `messages` do not depend on the scale.
    """

    listed: np.ndarray
    probability: np.ndarray
    vocab_size: int

    def __post_init__(self):
        listed, values = np.asarray(self.listed), np.ascontiguousarray(self.probability, np.float32)
        if listed.ndim != 2 or listed.shape != values.shape or not 1 <= listed.shape[1] < self.vocab_size:
            raise TokenPriorError(f"listed has shape {listed.shape} and probability {values.shape}, both must be "
                                  f"[n_tokens, k], k in 1..{self.vocab_size - 1}")
        if listed.dtype.kind not in "iu":
            raise TokenPriorError(f"listed has dtype {listed.dtype}, must be an integer type")
        if listed.size and not (0 <= listed.min() and listed.max() < self.vocab_size):
            raise TokenPriorError(f"listed reaches {listed.min()}..{listed.max()}, "
                                  f"must lie in 0..{self.vocab_size - 1}")
        if (np.diff(np.sort(listed, axis=1), axis=1) == 0).any():
            raise TokenPriorError("listed names a code twice at a position, must be all different")
        _check_probabilities(values)
        sums = values.sum(axis=1, dtype=np.float64)
        if (sums > 1 + SUM_TOLERANCE).any():
            raise TokenPriorError(f"probability of position {int(sums.argmax())} adds up to {sums.max():.4g}, "
                                  "must be at most 1")
        object.__setattr__(self, "listed", np.ascontiguousarray(listed, np.int32))
        object.__setattr__(self, "probability", values)

    @property
    def n_tokens(self) -> int:
        """Positions."""
        return len(self.listed)

    @property
    def floor(self) -> np.ndarray:
        """Probability of each code that is not listed, float32 [n_tokens]."""
        rest = np.maximum(1 - self.probability.sum(axis=1, dtype=np.float64), 0)
        return (rest / (self.vocab_size - self.listed.shape[1])).astype(np.float32)

    def mixed(self, doubt: float) -> SparsePrior:
        """The prior with a share `doubt` in [0, 1] of "anything may come"."""
        _check_doubt(doubt)
        return SparsePrior(self.listed, (1 - doubt) * self.probability + np.float32(doubt / self.vocab_size),
                           self.vocab_size)

    def take(self, positions) -> SparsePrior:
        """The prior of some positions, in the order given."""
        return SparsePrior(self.listed[positions], self.probability[positions], self.vocab_size)

    def dense(self) -> DensePrior:
        """The same with every code's probability written out."""
        floor = self.floor
        values = np.repeat(floor[:, None], self.vocab_size, axis=1)
        np.put_along_axis(values, self.listed, np.maximum(self.probability, floor[:, None]), 1)
        return DensePrior(values / values.sum(axis=1, keepdims=True))


def bit_messages(prior: DensePrior | SparsePrior, extrinsic_llr: np.ndarray | None = None) -> np.ndarray:
    """What prior and the other bits of its token say of each bit.

    Parameters
    ----------
    prior : DensePrior or SparsePrior
    extrinsic_llr : float32 [n_tokens, bits_per_token]   what the decoder says of each bit beyond what it was told, nat,
        positive means 0; first bit is the MSB. None: nothing yet

    Returns
    -------
    float32 [n_tokens, bits_per_token]   a-priori LLRs for the decoder, nat, within +-15

    Raises
    ------
    ValueError   extrinsic_llr of a wrong shape or with NaN

    Notes
    -----
    The message of the token node in a sum-product exchange between token and code; see `token_node`. The marginals of
    the prior alone are what it gives at the first exchange.
    """
    llr = _checked(prior, extrinsic_llr)
    messages = np.empty_like(llr)
    if isinstance(prior, SparsePrior) and prior.vocab_size == 1 << llr.shape[1]:
        token_node.sparse_messages(*_listed(prior), llr, messages)
    else:
        token_node.dense_messages(_dense(prior), llr, messages)
    return messages


def decide(prior: DensePrior | SparsePrior, extrinsic_llr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Most probable token of each position given prior and channel, and how probable it is.

    Parameters
    ----------
    prior, extrinsic_llr   as for `bit_messages`

    Returns
    -------
    token_ids : int32 [n_tokens]
    confidence : float32 [n_tokens]   posterior probability of the token
    """
    token_ids, confidence, _ = _decisions(prior, extrinsic_llr)
    return token_ids, confidence


def evidence(prior: DensePrior | SparsePrior, llr: np.ndarray) -> np.ndarray:
    """How much better a prior foretells what was received than no prior does.

    Parameters
    ----------
    prior, llr   as for `bit_messages`; LLRs in which the prior has no part, those of the channel for example

    Returns
    -------
    float64 [n_tokens]   ln of P(received | prior) / P(received | all codes evenly likely), for each position
    """
    return _decisions(prior, llr)[2]


def trust(prior: DensePrior | SparsePrior, llr: np.ndarray, doubts=DOUBTS, margin=MARGIN) -> float:
    """Share of "anything may come" that the received frame asks for.

    Parameters
    ----------
    prior, llr   as for `evidence`
    doubts : sequence of float   shares to choose from, in (0, 1], growing
    margin : float               nat, how much likelier a smaller share must make the frame

    Returns
    -------
    float   of `doubts`, the one to give to `mixed`

    Notes
    -----
    The likelihood of the mixture (1 - d) P + d / K over all positions is sum_i ln((1 - d) exp(e_i) + d), e the
    `evidence`. The greatest d within the margin of the best is taken: a prior has to earn its trust from what was
    received. Where nothing is received, or the frame speaks against the prior, that is 1, no prior at all.
    """
    ratio = evidence(prior, llr)
    likelihood = np.array([np.logaddexp(np.log1p(-d) + ratio, np.log(d)).sum() if d < 1 else 0.0 for d in doubts])
    return float(doubts[int(np.flatnonzero(likelihood >= likelihood.max() - margin)[-1])])


def _decisions(prior, llr):
    llr = _checked(prior, llr)
    token_ids, confidence = np.empty(len(llr), np.int32), np.empty(len(llr), np.float32)
    ratio = np.empty(len(llr))
    if isinstance(prior, SparsePrior) and prior.vocab_size == 1 << llr.shape[1]:
        token_node.sparse_decisions(*_listed(prior), llr, token_ids, confidence, ratio)
    else:
        token_node.dense_decisions(_dense(prior), llr, token_ids, confidence, ratio)
    return token_ids, confidence, ratio


def _listed(prior):
    floor = prior.floor
    return prior.listed, np.maximum(prior.probability - floor[:, None], np.float32(0)), floor


def _dense(prior):
    return prior.probability if isinstance(prior, DensePrior) else prior.dense().probability


def _checked(prior, llr):
    shape = prior.n_tokens, bits_per_token(prior.vocab_size)
    if llr is None:
        return np.zeros(shape, np.float32)
    llr = np.ascontiguousarray(llr, np.float32)
    if llr.shape != shape:
        raise ValueError(f"extrinsic_llr has shape {llr.shape}, must be {list(shape)}")
    if np.isnan(llr).any():
        raise ValueError(f"extrinsic_llr holds {int(np.isnan(llr).sum())} NaN, must be numbers")
    return llr


def _check_probabilities(values):
    if not np.isfinite(values).all():
        raise TokenPriorError(f"probability holds {int((~np.isfinite(values)).sum())} NaN or infinities, "
                              "must be numbers in [0, 1]")
    if values.size and values.min() < 0:
        raise TokenPriorError(f"probability is {values.min():.4g} somewhere, must be in [0, 1]")


def _check_doubt(doubt):
    if not 0 <= doubt <= 1:
        raise TokenPriorError(f"doubt is {doubt}, must be in [0, 1]")

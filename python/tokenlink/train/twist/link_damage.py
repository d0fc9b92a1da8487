# SPDX-License-Identifier: GPL-3.0-or-later
"""What a link does to tokens, drawn at random: erasures, confidences, wrongly accepted tokens, stale states."""

from dataclasses import dataclass

import numpy as np

from tokenlink.link.modes import load_mode_table


@dataclass(frozen=True)
class Received:
    """What the receiver has of a batch of frames.

    Attributes
    ----------
    token_ids : int64 [batch, n_tokens]
        Tokens; those under `erased` are right as often as their confidence says.
    erased : bool [batch, n_tokens]
        True where not trusted.
    confidence : float32 [batch, n_tokens]
        Confidence of each token.
    """

    token_ids: np.ndarray
    erased: np.ndarray
    confidence: np.ndarray


def erasures(rng: np.random.Generator, batch: int, group_map: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Erasure masks bool [batch, n_tokens]: scattered, whole groups (a codeword that failed), or bands of columns."""
    n_tokens = len(group_map)
    rate = rng.uniform(0.05, 1.0, (batch, 1))
    mask = rng.random((batch, n_tokens)) < rate
    n_groups = int(group_map.max()) + 1
    column = np.arange(n_tokens) % grid[1]
    for row in mask:
        kind = rng.random()
        if kind < 0.4:
            continue
        some = rng.random(n_tokens) < rng.choice([0.0, 0.05, 0.3])
        if kind < 0.8:
            lost = rng.random(n_groups) < rng.uniform(0.2, 0.9)
            lost[rng.integers(n_groups)] = True
            partly = rng.random(n_tokens) < rng.choice([1.0, 1.0, 0.6])
            row[:] = (lost[group_map] & partly) | some
        else:
            start, width = rng.integers(grid[1]), rng.integers(2, grid[1] // 2)
            row[:] = ((column - start) % grid[1] < width) | some
    return mask


def receive(
    rng: np.random.Generator, truth: np.ndarray, erased: np.ndarray, vocab_size: int, wrong_share: float = 0.3
) -> Received:
    """Received tokens int64 [batch, n_tokens] of the truth under given erasures.

    A share of the frames has wrongly accepted tokens, up to 4 % of them, with one to three flipped bits; confidences
    are near 1 where accepted. Erased ones are as `doubt` draws them.
    """
    flips = np.zeros_like(truth)
    bits = max(1, (vocab_size - 1).bit_length())
    for _ in range(3):
        flips |= (rng.random(truth.shape) < 0.6) * (1 << rng.integers(bits, size=truth.shape))
    batch = len(truth)
    rate = rng.uniform(0, 0.04, (batch, 1)) * (rng.random((batch, 1)) < wrong_share)
    wrong = (rng.random(truth.shape) < rate) & ~erased
    token_ids = np.where(wrong, (truth ^ flips) % vocab_size, truth)
    quality = rng.choice([1e-4, 1e-2, 0.05], size=(batch, 1))
    accepted = 1 - np.minimum(rng.exponential(quality, truth.shape), 0.1)
    accepted = np.where(wrong, rng.uniform(0.9, 1.0, truth.shape), accepted)
    doubted_ids, doubted = doubt(rng, truth, bits)
    return Received(
        np.where(erased, doubted_ids % vocab_size, token_ids),
        erased,
        np.where(erased, doubted, accepted).astype(np.float32),
    )


def doubt(
    rng: np.random.Generator, truth: np.ndarray, bits: int, nothing_share: float = 0.25
) -> tuple[np.ndarray, np.ndarray]:
    """What a decoder that failed says of tokens.

    Their bits have LLRs that are Gaussian and consistent (mean mu, variance 2 mu for a right bit), mu drawn per frame
    between useless and nearly decoded, so the confidence is calibrated by construction; in a share of the frames
    nothing is known.

    Parameters
    ----------
    rng : np.random.Generator
    truth : int64 [batch, n_tokens]
    bits : int
        Bits of a token.
    nothing_share : float
        Share of the frames whose confidences are 0 and whose tokens are drawn blindly.

    Returns
    -------
    (int64 [batch, n_tokens], float64 [batch, n_tokens])
        Tokens and confidences.
    """
    mu = rng.uniform(0.2, 8.0, (len(truth), 1, 1))
    llr = mu + np.sqrt(2 * mu) * rng.standard_normal((*truth.shape, bits))
    flips = ((llr < 0) << np.arange(bits)).sum(-1)
    confidence = np.exp(-np.logaddexp(0, -np.abs(llr)).sum(-1))
    nothing = rng.random((len(truth), 1)) < nothing_share
    blind = rng.integers(1 << bits, size=truth.shape)
    return np.where(nothing, blind, truth ^ flips), np.where(nothing, 0.0, confidence)


def default_group_map() -> tuple[np.ndarray, tuple[int, int]]:
    """Group of each token position and the grid, of the mode table that ships."""
    table = load_mode_table()
    return table.group_map.reshape(-1), table.grid

# SPDX-License-Identifier: GPL-3.0-or-later
"""Token error rates after decoding, by simulation: per group, code rate, channel and Es/N0."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tokenlink.channel.noise import awgn
from tokenlink.phy import ldpc, qam

CHANNELS = ("awgn", "rayleigh")
Z_95 = 1.96


@dataclass(frozen=True)
class ErrorCurve:
    """Token error rate of one code on AWGN.

    Attributes
    ----------
    esn0_db : float64 [n]          rising
    token_error_rate : float64 [n] mean over blocks
    half_width : float64 [n]       of the 95 % interval; blocks are independent, tokens of a block are not. Without
                                   any error it is 3 / blocks, the bound of that level
    blocks : int                   per Es/N0
    """

    esn0_db: np.ndarray
    token_error_rate: np.ndarray
    half_width: np.ndarray
    blocks: int

    def at(self, esn0_db):
        """Token error rate at some Es/N0, linear between measured points and constant beyond the ends."""
        return np.interp(esn0_db, self.esn0_db, self.token_error_rate)


def group_code(n_tokens, code_rate, bits_per_token, modulation):
    """The code of a group of n_tokens at a code rate, and its channel uses, as in the link."""
    bits = qam.BITS_PER_SYMBOL[modulation]
    uses = int(-(-Fraction(n_tokens * bits_per_token) // (Fraction(code_rate) * bits)))
    info_bits = n_tokens * bits_per_token
    return ldpc.LdpcCode(info_bits, uses * bits, ldpc.choose_base_graph(info_bits, float(code_rate)), bits), uses


def measure_curve(code, bits_per_token, modulation, esn0_db, blocks, max_iterations, rng, progress=lambda: None):
    """Send random blocks over AWGN at every Es/N0 and count wrong tokens.

    Parameters
    ----------
    code : LdpcCode              k a multiple of bits_per_token
    bits_per_token : int
    modulation : str
    esn0_db : sequence of float  dB, rising
    blocks : int                 per Es/N0
    max_iterations : int         of the decoder
    rng : numpy.random.Generator
    progress : callable          called after every Es/N0

    Returns
    -------
    ErrorCurve
    """
    mean, half = [], []
    for level in esn0_db:
        info = rng.integers(0, 2, (blocks, code.k), dtype=np.uint8)
        n0 = 10 ** (-level / 10)
        received = awgn(qam.map_bits(ldpc.encode(code, info), modulation), n0, rng)
        decoded = ldpc.decode(code, qam.demap(received, n0, modulation), max_iterations).app_llr
        wrong = ((decoded < 0) != info).reshape(blocks, -1, bits_per_token).any(-1).mean(-1)
        mean.append(wrong.mean())
        half.append(Z_95 * wrong.std(ddof=1) / np.sqrt(blocks) if wrong.any() else 3 / blocks)
        progress()
    return ErrorCurve(np.asarray(esn0_db, float), np.array(mean), np.array(half), blocks)


def on_channel(curve, channel, esn0_db):
    """Token error rate on a channel, float64 like esn0_db.

    Parameters
    ----------
    curve : ErrorCurve
    channel : str              one of CHANNELS
    esn0_db : float or array   nominal Es/N0, dB: in Rayleigh block fading the average over |h|^2

    Raises
    ------
    ValueError   unknown channel

    Notes
    -----
    With h known and fixed within a frame, a faded block is an AWGN block at Es/N0 |h|^2; |h|^2 is exponential, so the
    mean over the fading is an integral over the AWGN curve: no second simulation, and none of its noise.
    """
    if channel == "awgn":
        return curve.at(esn0_db)
    if channel != "rayleigh":
        raise ValueError(f"channel is {channel!r}, expected one of {', '.join(CHANNELS)}")
    edges_db = np.linspace(curve.esn0_db[0], curve.esn0_db[-1], 2001)
    points_db = np.concatenate([edges_db[:1], (edges_db[1:] + edges_db[:-1]) / 2, edges_db[-1:]])
    mean = 10 ** (np.asarray(esn0_db, float)[..., None] / 10)
    below = -np.expm1(-(10 ** (edges_db / 10)) / mean)
    share = np.diff(below, prepend=0.0, append=1.0, axis=-1)
    return share @ curve.at(points_db)


def mean_error_rate(curve, channels, esn0_db):
    """Token error rate averaged over channels and nominal Es/N0 with equal weights: eps of eq. (27), float."""
    return float(np.mean([on_channel(curve, channel, np.asarray(esn0_db, float)) for channel in channels]))

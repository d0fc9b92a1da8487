# SPDX-License-Identifier: GPL-3.0-or-later
"""5G NR LDPC codes (TS 38.212 clauses 5.3.2 and 5.4.2): construction, encoder and soft-output decoder."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tokenlink.phy.ldpc_llvm.arithmetic import ARITHMETIC, held_llr
from tokenlink.phy.ldpc_llvm.batch import runs_of
from tokenlink.phy.ldpc_llvm.kernels import encoder_kernel
from tokenlink.phy.nr_tables import LIFTING_SIZES, SHAPES, base_graph


class DecodeResult(NamedTuple):
    """What a decoder says of blocks.

    Attributes
    ----------
    app_llr : float32 [B, k]   a-posteriori LLRs of the info bits, nat, positive means 0
    iterations : int32 [B]
    parity_ok : bool [B]       all checks hold
    prior_llr : float32 [B, k] or None   what it was told beforehand
    precision, alpha           how it decoded
    """

    app_llr: np.ndarray
    iterations: np.ndarray
    parity_ok: np.ndarray
    prior_llr: np.ndarray | None = None
    precision: str = "float32"
    alpha: float = 0.8

    @property
    def extrinsic_llr(self):
        """What channel and code say without the prior: `app_llr` less the prior as the decoder held it."""
        if self.prior_llr is None:
            return self.app_llr
        return self.app_llr - held_llr(self.prior_llr, self.precision, self.alpha)


def choose_base_graph(info_bits, code_rate):
    """Base graph for a block: 2 for short blocks and for rates up to 3/4, else 1.

    Notes
    -----
    TS 38.212 clause 7.2.2 with the rate border moved from 0.67 to 3/4: at 640 bits graph 1 is better only above that.
    """
    if info_bits <= 292 or (info_bits <= 3840 and code_rate <= 0.75 + 1e-9):
        return 2
    return 1


def _lifting_size(info_bits, graph):
    if graph == 1:
        columns = 22
    else:
        columns = 10 if info_bits > 640 else 9 if info_bits > 560 else 8 if info_bits > 192 else 6
    return next((z for z in LIFTING_SIZES if z * columns >= info_bits), None)


@dataclass(frozen=True)
class LdpcCode:
    """One rate-matched NR LDPC code.

    Parameters
    ----------
    info_bits : int          k >= 1, at most 8448 on base graph 1 and 3840 on base graph 2
    coded_bits : int         n >= 1, any length: punctured or repeated from the circular buffer, redundancy version 0
    base_graph : int         1, 2 or None to choose by length and rate
    bits_per_symbol : int    Q_m of the bit interleaver, 1 for none

    Raises
    ------
    ValueError   a parameter out of range

    Notes
    -----
    `rows` are the check rows in use, `positions` the codeword index of each coded bit in sending order, `filler_bits`
    the known zeros after the info bits. If n is no multiple of Q_m, the first n mod Q_m interleaver rows are one
    bit longer.
    """

    info_bits: int
    coded_bits: int
    base_graph: int | None = None
    bits_per_symbol: int = 4

    def __post_init__(self):
        k, n = self.info_bits, self.coded_bits
        if n < 1 or k < 1:
            raise ValueError(f"info_bits is {k} and coded_bits is {n}, both must be at least 1")
        if self.bits_per_symbol < 1:
            raise ValueError(f"bits_per_symbol is {self.bits_per_symbol}, must be at least 1")
        graph = choose_base_graph(k, k / n) if self.base_graph is None else self.base_graph
        if graph not in SHAPES:
            raise ValueError(f"base_graph is {graph}, must be 1 or 2")
        z = _lifting_size(k, graph)
        if z is None:
            raise ValueError(f"info_bits is {k}, must be at most {SHAPES[graph][2] * 384} on base graph {graph}")
        max_rows, _, systematic = SHAPES[graph]
        buffer = np.concatenate([np.arange(2 * z, k), np.arange(max(systematic, 2) * z, (systematic + max_rows) * z)])
        sent = buffer[np.arange(n) % len(buffer)]
        rows = max(4, -(-(int(sent.max()) + 1) // z) - systematic)
        shifts = base_graph(graph, z)[:rows, : systematic + rows]
        read = np.arange(-(-n // self.bits_per_symbol) * self.bits_per_symbol)
        row, column = read % self.bits_per_symbol, read // self.bits_per_symbol
        length, longer = divmod(n, self.bits_per_symbol)
        keep = column < length + (row < longer)
        interleaved = (row * length + np.minimum(row, longer) + column)[keep]
        derived = {
            "base_graph": graph, "lifting_size": z, "filler_bits": systematic * z - k, "systematic": systematic,
            "rows": rows, "shifts": shifts, "positions": sent[interleaved], "code_rate": k / n,
            "repeats": n > len(buffer),
        }  # fmt: skip
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def k(self):
        """Information bits per block."""
        return self.info_bits

    @property
    def n(self):
        """Coded bits per block."""
        return self.coded_bits


def encode(code, info_bits):
    """Coded bits of blocks, rate matched and interleaved.

    Parameters
    ----------
    code : LdpcCode
    info_bits : uint8 0/1 [B, k]

    Returns
    -------
    uint8 0/1 [B, n]

    Raises
    ------
    ValueError   wrong shape, entries other than 0 and 1
    """
    info_bits = np.asarray(info_bits)
    if info_bits.ndim != 2 or info_bits.shape[1] != code.k:
        raise ValueError(f"info_bits has shape {info_bits.shape}, must be (blocks, {code.k})")
    coded_bits = np.empty((len(info_bits), code.n), np.uint8)
    # The kernel looks for other values than 0 and 1 itself; what is no byte must not become one first.
    legal = info_bits.dtype.itemsize == 1 or np.isin(info_bits, (0, 1)).all()
    if legal and len(info_bits):
        bits = np.ascontiguousarray(info_bits, None if info_bits.dtype.itemsize == 1 else np.uint8)
        kernel = encoder_kernel(code.base_graph, code.lifting_size, code.rows, code.bits_per_symbol)
        legal = kernel.encode(bits, coded_bits)
    if not legal:
        raise ValueError("info_bits must be 0 or 1")
    return coded_bits


def check_decoder_parameters(max_iterations, alpha, precision="float32"):
    """Raise ValueError when a decoder parameter is out of range."""
    if max_iterations < 1:
        raise ValueError(f"max_iterations is {max_iterations}, must be at least 1")
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha is {alpha}, must lie in (0, 1]")
    if precision not in ARITHMETIC:
        raise ValueError(f"precision is {precision!r}, must be one of {', '.join(ARITHMETIC)}")


def decode(code, llr, max_iterations=20, alpha=0.8, precision="float32", early_stop=True, prior_llr=None):
    """A-posteriori LLRs of the information bits by layered normalised min-sum.

    Parameters
    ----------
    code : LdpcCode
    llr : float32 [B, n]     nat, positive means 0, in the order `encode` sends; +-infinity means certain
    max_iterations : int     decoding of a block stops earlier when all its checks hold
    alpha : float            factor on check messages, in (0, 1]; int8 rounds it to eighths
    precision : str          "float32", bit by bit `ldpc_reference`, or "int8", several times faster
    early_stop : bool        False: every block takes max_iterations
    prior_llr : float32 [B, k] or None   of the info bits, punctured ones among them, as known before: ln P(0) / P(1),
                             nat; +-infinity means certain, None is as good as all 0

    Returns
    -------
    DecodeResult   `extrinsic_llr` is `app_llr` without the prior

    Raises
    ------
    ValueError   wrong shape, NaN, or a parameter out of range

    Notes
    -----
    Extension rows come before the four core rows: they resolve the punctured columns first.
    A bit whose LLR is exactly zero is undecided, and its checks do not count as satisfied.
    A prior acts as a bit received once more, and sum and prior are clipped as a channel LLR is: at 1000 nat in float32,
    near 9 in int8, where a channel as sure as its prior adds nothing to it and is missing in `extrinsic_llr`.
    Kernels are compiled at the first call with a code, and kept on disk (see `ldpc_llvm`). Threads may decode at once.
    """
    priors = None if prior_llr is None else [prior_llr]
    return decode_groups([code], [llr], max_iterations, alpha, precision, early_stop, priors)[0]


def decode_groups(codes, llrs, max_iterations=20, alpha=0.8, precision="float32", early_stop=True, prior_llrs=None):
    """Decode several codes in one call, as the groups of a frame or of a batch of frames.

    Parameters
    ----------
    codes : sequence of LdpcCode
    llrs : sequence of float32 [B_g, n_g]   as for `decode`, one array a code
    prior_llrs : sequence of float32 [B_g, k_g] or None   one array a code

    Returns
    -------
    list of DecodeResult   each equal to what `decode` gives for this code alone

    Raises
    ------
    ValueError   as `decode`; different numbers of codes and arrays

    Notes
    -----
    Codes with equal k and base graph are punctured versions of one mother code. Where one code alone would leave
    lanes of the kernel empty, they share a run of the kernel for the lowest rate: bits never sent have LLR 0, and rows
    whose parity bit is unknown tell the others nothing.
    """
    check_decoder_parameters(max_iterations, alpha, precision)
    arrays = llrs_of(codes, llrs)
    priors = priors_of(codes, arrays, prior_llrs)
    results = [None] * len(codes)
    for run in runs_of(tuple(codes), tuple(map(len, arrays)), precision, float(alpha), bool(early_stop)):
        for i, fields in zip(run.members, run.decode(arrays, priors, max_iterations), strict=True):
            results[i] = fields
    given = priors or [None] * len(codes)
    return [DecodeResult(*(fields or _nothing(code)), prior, precision, alpha)
            for code, fields, prior in zip(codes, results, given, strict=True)]


def _nothing(code):
    return np.empty((0, code.k), np.float32), np.empty(0, np.int32), np.empty(0, bool)


def llrs_of(codes, llrs):
    """LLRs of each code as float32 [B_g, n_g]; ValueError for a wrong shape or number of arrays."""
    _must_be_one_each("llrs", llrs, codes)
    arrays = []
    for code, llr in zip(codes, llrs, strict=True):
        llr = np.asarray(llr, np.float32)
        if llr.ndim != 2 or llr.shape[1] != code.coded_bits:
            raise ValueError(f"llr has shape {llr.shape}, must be (blocks, {code.n})")
        arrays.append(llr)
    return arrays


def priors_of(codes, llrs, prior_llrs):
    """Prior LLRs of each code as float32 [B_g, k_g], or None; errors as for `llrs_of`."""
    if prior_llrs is None:
        return None
    _must_be_one_each("prior_llrs", prior_llrs, codes)
    arrays = []
    for code, llr, prior in zip(codes, llrs, prior_llrs, strict=True):
        prior = np.asarray(prior, np.float32)
        if prior.shape != (len(llr), code.info_bits):
            raise ValueError(f"prior_llr has shape {prior.shape}, must be {(len(llr), code.info_bits)}")
        arrays.append(prior)
    return arrays


def _must_be_one_each(name, arrays, codes):
    if len(arrays) != len(codes):
        raise ValueError(f"{name} has {len(arrays)} arrays, must be one for each of the {len(codes)} codes")

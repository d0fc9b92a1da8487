# SPDX-License-Identifier: GPL-3.0-or-later
"""Token sequences in packets, of which some are lost: modular interleaving, and what is left at the receiver."""

from __future__ import annotations

import numpy as np

NOTHING = -1  # in the place of a token that did not come


def check_packets(n_tokens: int, n_packets: int):
    """ValueError unless every packet of a sequence holds a token."""
    if n_packets < 1:
        raise ValueError(f"n_packets is {n_packets}, must be >= 1")
    if n_tokens < n_packets:
        raise ValueError(f"a sequence of {n_tokens} tokens does not fill {n_packets} packets, one token in each")


def interleave(token_ids: np.ndarray, n_packets: int) -> list[np.ndarray]:
    """Tokens of each packet: token n of a sequence, from 1 on, goes to packet 1 + (n - 1 mod P).

    Parameters
    ----------
    token_ids : integer [n_tokens]
    n_packets : int   P, in 1..n_tokens

    Returns
    -------
    list of P arrays   of ceil(n_tokens / P) tokens or one less, in the order of the sequence

    Raises
    ------
    ValueError   not one axis, or more packets than tokens

    Notes
    -----
    TokCode paper, eq. (1). So a lost packet leaves evenly spaced holes and no long one.
    """
    token_ids = np.asarray(token_ids)
    if token_ids.ndim != 1:
        raise ValueError(f"token_ids has shape {token_ids.shape}, must be [n_tokens]")
    check_packets(token_ids.size, n_packets)
    return [token_ids[first::n_packets] for first in range(n_packets)]


def deinterleave(packets: list[np.ndarray | None], n_tokens: int) -> np.ndarray:
    """The sequence again, with NOTHING where a packet was lost.

    Parameters
    ----------
    packets : list of integer arrays or None   those of `interleave`; None: lost
    n_tokens : int

    Returns
    -------
    int32 [n_tokens]

    Raises
    ------
    ValueError   a packet that has not as many tokens as its place asks for, or more packets than tokens

    Notes
    -----
    TokCode paper, eq. (2).
    """
    check_packets(n_tokens, len(packets))
    out = np.full(n_tokens, NOTHING, np.int32)
    for first, packet in enumerate(packets):
        if packet is None:
            continue
        places = out[first :: len(packets)]
        if len(packet) != len(places):
            raise ValueError(f"packet {first + 1} of {len(packets)} has {len(packet)} tokens, must have {len(places)} "
                             f"of {n_tokens}")  # fmt: skip
        places[:] = packet
    return out


def lost_positions(lost_packets: np.ndarray, n_tokens: int) -> np.ndarray:
    """Which tokens go with lost packets: bool [..., n_packets] -> bool [..., n_tokens]."""
    lost_packets = np.asarray(lost_packets, bool)
    return lost_packets[..., np.arange(n_tokens) % lost_packets.shape[-1]]


def compacted(token_ids: np.ndarray, lost: np.ndarray, end_id: int) -> np.ndarray:
    """What a language model gets: the tokens that came, one after the other, and the end token.

    Parameters
    ----------
    token_ids : integer [n_tokens]
    lost : bool [n_tokens]
    end_id : int

    Returns
    -------
    int32 [n_received + 1]
    """
    return np.append(np.asarray(token_ids, np.int32)[~np.asarray(lost, bool)], np.int32(end_id))

# SPDX-License-Identifier: GPL-3.0-or-later
"""JPEG over the same PHY and budget: pictures instead of tokens, a lost picture keeps the previous state.

The receiver turns what arrives into tokens with the camera's tokenizer and reads them with the same head, so that only
the way over the air differs. See `tokenlink.data.jpeg` for what is counted as payload.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tokenlink.data.jpeg import code_to_fit
from tokenlink.files.places import cache_folder
from tokenlink.files.writing import write_arrays
from tokenlink.link.blob import BlobLink
from tokenlink.models.compiled import engine_version
from tokenlink.models.inference import NO_TOKEN
from tokenlink.models.twist.tokenizer import encode_image
from tokenlink.study.simulator import Trace

CODE_RATE = Fraction(1, 2)
CHUNK_FRAMES = 32
_CODING = 1  # one more where pictures are coded differently, so that kept ones are not used again


@dataclass(frozen=True)
class CodedSequence:
    """A sequence as pictures for one budget.

    Attributes
    ----------
    link : BlobLink
    payloads : tuple of bytes [n_frames]
    token_ids : int16 [n_frames, n_tokens]   what the tokenizer makes of the pictures that arrive
    """

    link: BlobLink
    payloads: tuple[bytes, ...]
    token_ids: np.ndarray


def code_sequence(sequence, link, tokenizer, tokenizer_sha256, cache=None, on_frame=lambda slot: None):
    """Code every frame of a sequence; kept in the cache folder.

    Parameters
    ----------
    sequence : Sequence      with its frames
    link : BlobLink          whose `max_bytes` the pictures fill
    tokenizer : Tokenizer
    tokenizer_sha256 : str   of its weights
    cache : Path or None     None: `tokenlink.files.places.cache_folder()`
    on_frame : callable      told each frame that is coded anew

    Returns
    -------
    CodedSequence
    """
    parts = (sequence.sha256(), sequence.images_path.name, tokenizer_sha256, engine_version(), link.max_bytes, _CODING)
    key = hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:16]
    path = (cache or cache_folder()) / "jpeg" / f"{sequence.name}-{key}.npz"
    if not path.is_file():
        _save(path, *_code(sequence, link, tokenizer, on_frame))
    with np.load(path) as kept:
        lengths, stream, token_ids = kept["lengths"], kept["stream"].tobytes(), kept["token_ids"]
    ends = np.cumsum(lengths)
    return CodedSequence(link, tuple(stream[e - n : e] for e, n in zip(ends, lengths, strict=True)), token_ids)


def _code(sequence, link, tokenizer, on_frame):
    payloads, rows, previous = [], [], None
    for slot, image in enumerate(sequence.images()):
        coded = code_to_fit(np.ascontiguousarray(image), link.max_bytes)
        previous = encode_image(tokenizer, coded.picture, previous)
        payloads.append(coded.payload)
        rows.append(previous.astype(np.int16))
        on_frame(slot)
    return payloads, np.stack(rows)


def _save(path, payloads, token_ids):
    path.parent.mkdir(parents=True, exist_ok=True)
    stream, lengths = np.frombuffer(b"".join(payloads), np.uint8), np.array([len(p) for p in payloads])
    write_arrays(path, {"lengths": lengths, "stream": stream, "token_ids": token_ids}, compressed=False)


def arrived(coded: CodedSequence, channel) -> np.ndarray:
    """Which pictures come through a channel, bool [n_frames]: they are sent, received and decoded.

    Raises
    ------
    ValueError   a picture passes its CRC and is not the one that was sent
    """
    through = np.zeros(len(coded.payloads), bool)
    for first in range(0, len(through), CHUNK_FRAMES):
        slots = range(first, min(first + CHUNK_FRAMES, len(through)))
        pairs = [channel.transmit(coded.link.encode(coded.payloads[slot]), slot) for slot in slots]
        gains, n0 = (np.array(values) for values in zip(*((s.gains(len(y)), s.n0) for y, s in pairs), strict=True))
        for slot, got in zip(slots, coded.link.decode(np.stack([y for y, _ in pairs]), gains, n0), strict=True):
            through[slot] = got is not None
            if through[slot] and got[: len(coded.payloads[slot])] != coded.payloads[slot]:
                raise ValueError(f"slot {slot}: a wrong picture passed its CRC")
    return through


def trace_of(coded: CodedSequence, channel, sent_ids, mode_id: int, read):
    """The run of a twin that gets pictures.

    Parameters
    ----------
    coded : CodedSequence
    channel : Channel
    sent_ids : int [n_frames, n_tokens]   tokens of the camera's own pictures
    mode_id : int                         whose budget the pictures fill
    read : int32 [n, n_tokens] -> int64 [n, 3]   car, VRU, density class

    Returns
    -------
    (Trace, int32 [n_frames, n_tokens])   run and states; a lost picture counts as erased as a whole
    """
    through = arrived(coded, channel)
    last = np.maximum.accumulate(np.where(through, np.arange(len(through)), -1))
    states = np.where(last[:, None] >= 0, coded.token_ids[last], NO_TOKEN).astype(np.int32)
    kept, which = np.unique(last, return_inverse=True)
    trace = Trace.empty(len(through))
    trace.mode_ids[:] = mode_id
    trace.state_ids[:] = which
    trace.predicted[:] = read(states[[int(np.flatnonzero(last == value)[0]) for value in kept]])[which]
    wrong = (states != sent_ids).sum(axis=1)
    trace.n_mismatched[:] = wrong
    trace.n_erased[:] = np.where(through, 0, states.shape[1])
    trace.n_accepted_wrong[:] = np.where(through, wrong, 0)
    return trace, states

# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as bits in the channel uses of a budget: at the channel's capacity, or as codewords over the real link.

Resize and JPEG at capacity are the paper's: q log2(1 + SNR) bits arrive without error, and what does not fit is wrong.
JPEG over the link is sent, received and decoded: codewords of the LDPC code, lost when a CRC fails. Its modulation and
code rate are those with the most bytes of which at most one frame in ten is lost at this Es/N0, as measured with random
bytes from the most robust on; where none is that good, the most robust. What arrives is read by the transformer with
the whole budget.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch

from tokenlink.data.jpeg import Coder, JpegError
from tokenlink.link.blob import CRC_BITS
from tokenlink.link.segments import SegmentedLink
from tokenlink.measure.picture_marks import marked_row
from tokenlink.models.adaptive.adaptive_vit import as_input
from tokenlink.models.adaptive.baselines import capacity_bits, resized_to_fit
from tokenlink.phy.qam import BITS_PER_SYMBOL
from tokenlink.study.picture_air import PictureAir
from tokenlink.study.picture_plan import ORIGIN

BATCH = 64
#: modulation and code rate, the most robust first
SCHEMES = (*(("qpsk", Fraction(1, part)) for part in (40, 20, 10, 5, 3, 2)), ("qpsk", Fraction(2, 3)),
           ("16qam", Fraction(1, 2)), ("16qam", Fraction(2, 3)), ("16qam", Fraction(5, 6)), ("64qam", Fraction(3, 4)),
           ("64qam", Fraction(5, 6)))  # fmt: skip
MOST_LOST, TRIALS = 0.1, 100
REHEARSAL = "rehearsal"  # origin of the channels that schemes are chosen on


def rows(task, model, pictures) -> list[dict]:
    """Rows of all runs of pictures as bits, see `tokenlink.study.picture_worker.compute`."""
    shared, side = task.shared, model.config.side
    uses = [round(run["limit"] * 3 * side**2) for run in task.runs]
    if task.method == "jpeg-ldpc":
        air = PictureAir(shared["channel"], ORIGIN, shared["realisation"])
        links = [best_link(n, shared["channel"], run["esn0_db"]) for n, run in zip(uses, task.runs, strict=True)]
        send = _Codewords(links, [run["esn0_db"] for run in task.runs], air)
    else:
        bits = [capacity_bits(n, run["esn0_db"]) for n, run in zip(uses, task.runs, strict=True)]
        send = _AtCapacity(bits, task.method)
    right, fits, came = (np.zeros((len(task.runs), len(pictures)), bool) for _ in range(3))
    for first in range(0, len(pictures), BATCH):
        numbers = range(first, min(first + BATCH, len(pictures)))
        _serve(send, model, pictures, numbers, right, fits, came)
    return [marked_row(right[i], channel_uses=float(n), bandwidth_ratio=n / (3 * side**2), fits=float(fits[i].mean()),
                       arrived=float(came[i].mean()), **send.about(i)) for i, n in enumerate(uses)]  # fmt: skip


def _serve(send, model, pictures, numbers, right, fits, came):
    """One batch: what each run gets of it, read once for all that get the same."""
    coded = [send.code(pictures.picture(number)) for number in numbers]
    for run in range(len(right)):
        fits[run, numbers] = [each[run] is not None for each in coded]
    arrived = send.arrived(coded, numbers)
    came[:, numbers] = arrived
    seen = {}
    for run, i in zip(*np.nonzero(arrived), strict=True):
        seen.setdefault((i, id(coded[i][run].picture)), (coded[i][run].picture, []))[1].append(run)
    labels = pictures.labels.numpy()
    for (i, _), said, (_, runs) in zip(seen, _classes(model, [each for each, _ in seen.values()]), seen.values(),
                                       strict=True):  # fmt: skip
        right[runs, numbers[i]] = said == labels[numbers[i]]


def _classes(model, arrived):
    """Classes that the transformer sees in pictures uint8 [side, side, 3]."""
    said = []
    for first in range(0, len(arrived), BATCH):
        some = torch.from_numpy(np.stack(arrived[first : first + BATCH])).permute(0, 3, 1, 2)
        said.append(model.vit(as_input(some), torch.ones(len(some)))[0].argmax(1).numpy())
    return np.concatenate(said) if said else np.zeros(0, int)


class _Resized:
    """A picture that went smaller."""

    def __init__(self, picture):
        self.picture = picture


class _AtCapacity:
    """Bits without error, each run with its own number of them."""

    def __init__(self, bits, method):
        self._bits, self._method = bits, method

    def code(self, picture):
        """What each run makes of a picture, with `picture` as it arrives; None where it does not fit."""
        make = _jpeg(picture) if self._method == "jpeg" else _smaller(picture)
        return [make(bits) for bits in self._bits]

    def arrived(self, coded, numbers):
        """All that fits, bool [n_runs, n_pictures]."""
        return np.array([[each is not None for each in runs] for runs in zip(*coded, strict=True)])

    def about(self, run):
        """What a row says of it."""
        return {"bits": self._bits[run]}


class _Codewords:
    """JPEG over a link, each run with its own."""

    def __init__(self, links, esn0_db, air):
        self._links, self._esn0_db, self._air = links, esn0_db, air

    def code(self, picture):
        make = _jpeg(picture)
        return [make(8 * link.max_bytes) for link in self._links]

    def arrived(self, coded, numbers):
        drawn = self._air.of(numbers, max(link.channel_uses for link in self._links))
        through = np.zeros((len(self._links), len(coded)), bool)
        for run, (link, esn0_db) in enumerate(zip(self._links, self._esn0_db, strict=True)):
            there = [i for i, each in enumerate(coded) if each[run] is not None]
            if there:
                payloads = [coded[i][run].payload for i in there]
                through[run, there] = came_through(link, payloads, drawn.part(there), esn0_db)
        return through

    def about(self, run):
        link = self._links[run]
        return {"bits": 8 * link.max_bytes, "modulation": link.modulation, "code_rate": str(link.code_rate)}


def _smaller(picture):
    made = lru_cache(maxsize=None)(lambda side: _Resized(resized_to_fit(picture, 24 * side**2)))

    def fit(bits):
        side = min(len(picture), int((bits / 24) ** 0.5))
        return made(side) if side else None

    return fit


def _jpeg(picture):
    coder = Coder(picture)

    def fit(bits):
        try:
            return coder.fit(bits // 8)
        except JpegError:
            return None

    return fit


def came_through(link, payloads, drawn, esn0_db) -> np.ndarray:
    """Which payloads arrive over a link, bool [n]; a wrong one that passes its CRC, one in 16 million, is lost."""
    received, n0 = drawn.receive(np.stack([link.encode(each) for each in payloads]), esn0_db)
    got = link.decode(received, drawn.gain, n0)
    return np.array([each is not None and each.startswith(sent) for each, sent in zip(got, payloads, strict=True)])


@lru_cache(maxsize=1024)
def best_link(channel_uses: int, channel: str, esn0_db: float) -> SegmentedLink:
    """The link with the most bytes that loses at most MOST_LOST of its frames, see the module."""
    links = [SegmentedLink(channel_uses, rate, modulation) for modulation, rate in SCHEMES
             if channel_uses * BITS_PER_SYMBOL[modulation] * rate >= CRC_BITS + 8]  # fmt: skip
    if not links:
        raise ValueError(f"channel_uses is {channel_uses}: not one byte fits with any modulation and code rate")
    drawn = PictureAir(channel, REHEARSAL, 0).of(range(TRIALS), channel_uses)
    rng = np.random.default_rng(0)
    best = links[0]
    for link in links:
        payloads = [rng.bytes(link.max_bytes) for _ in range(TRIALS)]
        if 1 - came_through(link, payloads, drawn, esn0_db).mean() > MOST_LOST:
            break
        best = link
    return best

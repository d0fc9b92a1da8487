# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel as every picture meets it: gain and noise of each from one seed, whatever is sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tokenlink.channel import Channel, SnrTrajectory
from tokenlink.channel.noise import n0_from_esn0_db
from tokenlink.models.adaptive.djscc import equalise
from tokenlink.study.plan import channel_named, channel_seed


@dataclass(frozen=True)
class Drawn:
    """What a batch of pictures meets.

    Attributes
    ----------
    gain : complex64 [batch]         h
    noise : complex64 [batch, n]     of variance 1
    slip : complex64 [batch]         error of an estimate of h from one known symbol at n0 = 1, of variance 1
    """

    gain: np.ndarray
    noise: np.ndarray
    slip: np.ndarray

    def part(self, chosen: np.ndarray) -> Drawn:
        """What some of the pictures meet: int [n], in this order."""
        return Drawn(self.gain[chosen], self.noise[chosen], self.slip[chosen])

    def receive(self, symbols: np.ndarray, esn0_db) -> tuple[np.ndarray, np.ndarray]:
        """Received symbols and their n0.

        Parameters
        ----------
        symbols : complex64 [batch, ...]   no more than there is noise for
        esn0_db : float or float [batch]

        Returns
        -------
        (complex64 [batch, ...], float32 [batch])
        """
        batch, n0 = len(symbols), self._n0(esn0_db)
        flat = symbols.reshape(batch, -1)
        received = self.gain[:, None] * flat + np.sqrt(n0)[:, None] * self.noise[:, : flat.shape[1]]
        return received.astype(np.complex64).reshape(symbols.shape), n0

    def known_gain(self, esn0_db, pilots: int = 0) -> np.ndarray:
        """What the receiver takes for h, complex64 [batch]: h exactly, or its estimate from so many known symbols of
        energy 1, the mean of received over sent, whose error has variance n0 / pilots."""
        if not pilots:
            return self.gain
        return (self.gain + np.sqrt(self._n0(esn0_db) / pilots) * self.slip).astype(np.complex64)

    def _n0(self, esn0_db):
        values = np.broadcast_to(np.asarray(esn0_db, float), self.gain.shape)
        return np.array([n0_from_esn0_db(value) for value in values.tolist()], np.float32)


class PictureAir:
    """A channel, slot by picture.

    Parameters
    ----------
    channel : str   as of `tokenlink.study.plan.channel_named`
    origin : str    of the pictures
    realisation : int
    """

    def __init__(self, channel: str, origin: str, realisation: int):
        self._channel, self._slips = (
            Channel(channel_named(name, 0.0, SnrTrajectory()), channel_seed(what, realisation))
            for name, what in ((channel, origin), ("rayleigh", f"{origin}, pilots"))
        )

    def of(self, pictures, n_symbols: int) -> Drawn:
        """What pictures meet, by their numbers: noise for so many symbols each."""
        silence = np.zeros(n_symbols, np.complex64)
        met = [self._channel.transmit(silence, number) for number in pictures]
        slips = [self._slips.draw(number).channel_gain for number in pictures]
        return Drawn(np.array([state.channel_gain for _, state in met], np.complex64),
                     np.stack([noise for noise, _ in met]), np.array(slips, np.complex64))  # fmt: skip


def joined(parts: list[Drawn]) -> Drawn:
    """Batches one after the other."""
    return Drawn(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("gain", "noise", "slip")))


def through(symbols: torch.Tensor, drawn: Drawn, esn0_db) -> torch.Tensor:
    """Equalised symbols of a batch behind a channel that the receiver knows; esn0_db : float or float [batch]."""
    received, n0 = drawn.receive(symbols.numpy(), esn0_db)
    gain, noise = (torch.from_numpy(each).view(-1, *[1] * (symbols.ndim - 1)) for each in (drawn.gain, n0))
    return equalise(torch.from_numpy(received), gain, noise)

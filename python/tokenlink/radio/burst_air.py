# SPDX-License-Identifier: GPL-3.0-or-later
"""A channel that changes from burst to burst, in front of the air of a virtual radio: the fading and the SNR of a run's
slots, so that a run over samples meets what the same run over symbols does."""

import numpy as np

from tokenlink.channel import Channel
from tokenlink.radio.virtual_air import VirtualAir

#: silence that parts two bursts, samples; within one there is none as long
GAP_SAMPLES = 1024


class BurstAir(VirtualAir):
    """A VirtualAir in which the n-th burst has the gain of slot n of a channel, and its Es/N0.

    The noise of a profile is the same all the time, so a slot's Es/N0 comes from the level of its burst: in all that a
    receiver does it is the ratio that counts. In lock step every slot has one burst, so bursts count slots.

    Parameters
    ----------
    impairments : ImpairmentProfile   its noise and path gain make the Es/N0 that a channel gain of 1 would have
    seed : int                        >= 0, of the impairments
    channel : ChannelConfig
    channel_seed : int                >= 0
    burst : BurstConfig               its amplitude and pulse; the transmitter's
    gains : float                     tx_gain_db and rx_gain_db of VirtualAir

    Raises
    ------
    ValueError   impairments without noise
    """

    def __init__(self, impairments, seed, channel, channel_seed, burst, **gains):
        super().__init__(impairments, seed, **gains)
        if impairments.noise_dbfs is None:
            raise ValueError("noise_dbfs is None, must be a number where a channel sets the Es/N0 of each burst")
        self._channel, self._slot = Channel(channel, channel_seed), -1
        energy_db = 20 * np.log10(burst.amplitude) + impairments.gain_db + 10 * np.log10(burst.pulse.sps)
        self._own_db = energy_db - impairments.noise_dbfs
        self._gain, self._quiet = np.complex64(0), GAP_SAMPLES

    def _next_gain(self):
        self._slot += 1
        state = self._channel.draw(self._slot)
        return np.complex64(state.channel_gain * 10 ** ((state.esn0_db - self._own_db) / 20))

    def process(self, samples):
        """The next samples: complex64 [n] -> complex64 [n'], full scale 1."""
        samples = np.array(samples, np.complex64)
        sounding = np.flatnonzero(samples)
        if not sounding.size:
            self._quiet += len(samples)
            return super().process(samples)
        pauses = np.diff(sounding, prepend=-1 - self._quiet) - 1
        begin = 0
        for start in sounding[pauses >= GAP_SAMPLES]:
            samples[begin:start] *= self._gain
            self._gain, begin = self._next_gain(), start
        samples[begin:] *= self._gain
        self._quiet = len(samples) - 1 - int(sounding[-1])
        return super().process(samples)

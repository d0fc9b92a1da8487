# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies between two ends of the virtual radio: transmitter gain, impairments, receiver gain."""

import numpy as np

from tokenlink.channel.impairments import ImpairmentStream

GAIN_RANGE_DB = (-60.0, 60.0)


class VirtualAir:
    """A stream of samples through amplifier, path and receiver.

    Parameters
    ----------
    impairments : ImpairmentProfile   its noise_dbfs and gain_db hold at gains of 0 dB
    seed : int                        >= 0
    tx_gain_db : float                before the air; what is then beyond full scale saturates
    rx_gain_db : float                after the noise, before the converter, whose bits and full scale it does not move

    Raises
    ------
    ValueError   a gain outside GAIN_RANGE_DB
    """

    def __init__(self, impairments, seed, tx_gain_db=0.0, rx_gain_db=0.0):
        self._impairments = impairments
        self._gains = {"tx_gain_db": 0.0, "rx_gain_db": 0.0}
        self._stream = ImpairmentStream(impairments, seed)
        self.set(tx_gain_db=tx_gain_db, rx_gain_db=rx_gain_db)

    def set(self, **gains):
        """Change tx_gain_db or rx_gain_db from the next sample on."""
        low, high = GAIN_RANGE_DB
        for name, value in gains.items():
            if name not in self._gains:
                raise ValueError(f"{name} cannot be set, only {', '.join(self._gains)}")
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}, must be in {low:g}..{high:g} dB")
        self._gains |= gains
        rx, profile = self._gains["rx_gain_db"], self._impairments
        noise = None if profile.noise_dbfs is None else float(np.clip(profile.noise_dbfs + rx, -200, 40))
        self._stream.set(gain_db=float(np.clip(profile.gain_db + rx, -200, 60)), noise_dbfs=noise)

    def process(self, samples):
        """The next samples: complex64 [n] -> complex64 [n'], full scale 1."""
        gain = np.float32(10 ** (self._gains["tx_gain_db"] / 20))
        if gain != 1:
            samples = samples * gain
            magnitude = np.abs(samples)
            if magnitude.max(initial=0) > 1:
                samples = samples / np.maximum(magnitude, np.float32(1))
        return self._stream.process(samples)


def airs(profile):
    """VirtualAir of each link of a virtual RadioProfile: dict by name."""
    virtual = profile.virtual
    return {
        name: VirtualAir(profile.impairments(name), link.seed, virtual.tx_gain_db, virtual.rx_gain_db)
        for name, link in virtual.links.items()
    }



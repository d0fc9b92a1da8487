# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies between two ends of the virtual radio: transmitter gain, carriers, impairments, receiver gain."""

import numpy as np

from tokenlink.channel.impairments import ImpairmentStream
from tokenlink.radio.retuning import Retuning

GAIN_RANGE_DB = (-60.0, 60.0)
FREQ_RANGE_HZ = (0.0, 100e9)


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

    Notes
    -----
    Both ends are tuned to the same frequency until each has said which, as tx_freq_hz and rx_freq_hz.
    """

    def __init__(self, impairments, seed, tx_gain_db=0.0, rx_gain_db=0.0):
        self._impairments = impairments
        self._gains = {"tx_gain_db": 0.0, "rx_gain_db": 0.0}
        self._freqs = {"tx_freq_hz": None, "rx_freq_hz": None}
        self._retuning = Retuning(impairments.samp_rate)
        self._stream = ImpairmentStream(impairments, seed)
        self.set(tx_gain_db=tx_gain_db, rx_gain_db=rx_gain_db)

    def set(self, **values):
        """Change tx_gain_db, rx_gain_db, tx_freq_hz or rx_freq_hz from the next sample on."""
        for name, value in values.items():
            if name not in {**self._gains, **self._freqs}:
                raise ValueError(f"{name} cannot be set, only {', '.join({**self._gains, **self._freqs})}")
            low, high, unit = (*GAIN_RANGE_DB, "dB") if name in self._gains else (*FREQ_RANGE_HZ, "Hz")
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}, must be in {low:g}..{high:g} {unit}")
        self._freqs |= {name: value for name, value in values.items() if name in self._freqs}
        if None not in self._freqs.values():
            self._retuning.set(self._freqs["tx_freq_hz"] - self._freqs["rx_freq_hz"])
        gains = {name: value for name, value in values.items() if name in self._gains}
        if gains:
            self._set_gains(gains)

    def _set_gains(self, gains):
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
        return self._stream.process(self._retuning.process(samples))


def airs(profile):
    """VirtualAir of each link of a virtual RadioProfile: dict by name."""
    virtual = profile.virtual
    return {
        name: VirtualAir(profile.impairments(name), link.seed, virtual.tx_gain_db, virtual.rx_gain_db)
        for name, link in virtual.links.items()
    }

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a receiver hears of a transmitter that is tuned to another frequency."""

import numpy as np
from scipy.signal import firwin, lfilter

_TAPS = 129


class Retuning:
    """A stream moved by the difference of two carriers; what leaves the band on the way is gone.

    With a difference of 0 samples pass as they are. Otherwise they are 64 samples later, by the filter that takes away
    what would come back at the other edge of the band; beyond the sample rate nothing is heard.

    Parameters
    ----------
    samp_rate : float   sample/s
    """

    def __init__(self, samp_rate):
        self._rate, self._offset_hz, self._turns = float(samp_rate), 0.0, 0.0
        self._taps = self._state = None

    def set(self, offset_hz):
        """Frequency of the transmitter less that of the receiver, Hz, from the next sample on."""
        if offset_hz == self._offset_hz:
            return
        self._offset_hz = float(offset_hz)
        kept_hz = self._rate - abs(self._offset_hz)
        if 0 < kept_hz < self._rate:
            centred = firwin(_TAPS, min(kept_hz / self._rate, 0.999))
            middle = -self._offset_hz / 2 / self._rate
            self._taps = centred * np.exp(2j * np.pi * middle * np.arange(_TAPS))
            self._state = np.zeros(_TAPS - 1, complex)

    def process(self, samples):
        """The next samples: complex64 [n] -> complex64 [n]."""
        if self._offset_hz == 0:
            return samples
        step = self._offset_hz / self._rate
        turns = self._turns + step * np.arange(len(samples))
        self._turns = (self._turns + step * len(samples)) % 1.0
        if abs(self._offset_hz) >= self._rate:
            return np.zeros_like(samples)
        kept, self._state = lfilter(self._taps, 1, samples, zi=self._state)
        return (kept * np.exp(2j * np.pi * turns)).astype(np.complex64)

# SPDX-License-Identifier: GPL-3.0-or-later
"""All impairments of an air interface in one chain on a sample stream: a profile, a seed, and nothing else."""

from dataclasses import dataclass, fields, replace

import numba
import numpy as np

from tokenlink.channel.iq_imbalance import dc_offset, iq_imbalance, quantise
from tokenlink.channel.sro import HALF_SAMPLES, ClockStream
from tokenlink.channel.tdl import DelayLineStream, FadingStream, TdlProfile, draw_paths
from tokenlink.files.settings import SettingError, read_settings

FADING = ("none", "rayleigh", "rician")
_NOISE_STREAM, _PHASE_STREAM, _FADING_STREAM = range(3)
#: field -> smallest and largest value
_RANGES = {
    "samp_rate": (1.0, 1e9),
    "gain_db": (-200.0, 60.0),
    "delay_samples": (0.0, 1e6),
    "sro_ppm": (-1000.0, 1000.0),
    "rician_k_db": (-100.0, 100.0),
    "phase_noise_linewidth_hz": (0.0, 1e6),
    "noise_dbfs": (-200.0, 40.0),
    "iq_gain_db": (-20.0, 20.0),
    "iq_phase_deg": (-90.0, 90.0),
    "dc_real": (-1.0, 1.0),
    "dc_imag": (-1.0, 1.0),
    "adc_bits": (2, 24),
}
_OPTIONAL = {"noise_dbfs", "adc_bits"}
_LISTS = {"tap_delays_s", "tap_powers_db", "tap_phases_deg"}
#: fields that may change while a stream runs
LIVE_FIELDS = (
    "gain_db", "cfo_hz", "phase_noise_linewidth_hz", "noise_dbfs", "iq_gain_db", "iq_phase_deg", "dc_real", "dc_imag",
    "adc_bits",
)  # fmt: skip


class ImpairmentError(SettingError):
    """A file of impairments that cannot be used; the message names the field, the value and the legal range."""

    what = "impairments"


@dataclass(frozen=True)
class ImpairmentProfile:
    """What lies between two radios; the default is a wire. Applied in this order.

    Parameters
    ----------
    samp_rate : float                  Hz
    delay_samples : float              propagation delay in samples, any fraction
    sro_ppm : float                    how much faster the receiver's sample clock is, parts per million
    tap_delays_s : tuple of float      multipath: delay of each tap, s; fractions of a sample are interpolated
    tap_powers_db : tuple of float     mean power of each tap, dB; normalised to a sum of 1
    tap_phases_deg : tuple of float    phase of each tap where fading is "none"; default 0
    fading : str                       "none", "rayleigh", or "rician": a line of sight on the first tap
    rician_k_db : float                line of sight over diffuse power of the first tap, dB
    doppler_hz : float                 largest Doppler shift; 0 draws gains once and holds them
    gain_db : float                    of the path
    cfo_hz : float                     carrier offset, transmitter minus receiver
    phase_noise_linewidth_hz : float   Lorentzian line of both oscillators together
    noise_dbfs : float                 noise power over the whole band, complex, full scale 1; None for no noise
    iq_gain_db, iq_phase_deg : float   imbalance of the receiver, as in `iq_imbalance`
    dc_real, dc_imag : float           DC offset of the receiver, full scale 1
    adc_bits : int                     resolution of the converter, which clips at 1; None for float samples

    Raises
    ------
    ValueError   a value outside its range, names the field
    """

    samp_rate: float = 1e6
    delay_samples: float = 0.0
    sro_ppm: float = 0.0
    tap_delays_s: tuple = (0.0,)
    tap_powers_db: tuple = (0.0,)
    tap_phases_deg: tuple = ()
    fading: str = "none"
    rician_k_db: float = 6.0
    doppler_hz: float = 0.0
    gain_db: float = 0.0
    cfo_hz: float = 0.0
    phase_noise_linewidth_hz: float = 0.0
    noise_dbfs: float | None = None
    iq_gain_db: float = 0.0
    iq_phase_deg: float = 0.0
    dc_real: float = 0.0
    dc_imag: float = 0.0
    adc_bits: int | None = None

    def __post_init__(self):
        for name in _LISTS:
            object.__setattr__(self, name, _numbers(name, getattr(self, name)))
        for name, (low, high) in _RANGES.items():
            self._check(name, low, high)
        for name in ("doppler_hz", "cfo_hz"):
            self._check(name, 0 if name == "doppler_hz" else -self.samp_rate / 2, self.samp_rate / 2)
        if self.adc_bits is not None and int(self.adc_bits) != self.adc_bits:
            raise ValueError(f"adc_bits is {self.adc_bits}, must be a whole number")
        if self.fading not in FADING:
            raise ValueError(f"fading is {self.fading!r}, must be one of {', '.join(FADING)}")
        if self.tap_phases_deg and len(self.tap_phases_deg) != len(self.tap_delays_s):
            raise ValueError(f"tap_phases_deg has {len(self.tap_phases_deg)} taps, tap_delays_s has another number")
        if max(self.tap_delays_s, default=0) * self.samp_rate > 1e6:
            raise ValueError(f"tap_delays_s is {self.tap_delays_s}, must stay within a million samples")
        self.delay_profile()

    def _check(self, name, low, high):
        value = getattr(self, name)
        if value is None and name in _OPTIONAL:
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"{name} is {value!r}, must be a number in {low:g}..{high:g}")

    def delay_profile(self):
        """The taps as a TdlProfile."""
        return TdlProfile(self.tap_delays_s, self.tap_powers_db, self.rician_k_db if self.fading == "rician" else None)


def _numbers(name, values):
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {values!r}, must be a list of numbers") from None
    if len(numbers) > 64:
        raise ValueError(f"{name} has {len(numbers)} entries, must be at most 64")
    return numbers


def load_profile(raw):
    """ImpairmentProfile of a plain mapping, such as a YAML file holds.

    Raises
    ------
    ValueError   no mapping, an unknown field, or a value out of range
    """
    if not isinstance(raw, dict):
        raise ValueError(f"impairment profile is {type(raw).__name__}, must be a mapping")
    known = [field.name for field in fields(ImpairmentProfile)]
    unknown = sorted(set(map(str, raw)) - set(known))
    if unknown:
        raise ValueError(f"impairment profile has {', '.join(unknown)}, must have only {', '.join(known)}")
    return ImpairmentProfile(**raw)


def read_profile(path):
    """ImpairmentProfile of a YAML file; ImpairmentError names the file and what is wrong."""
    return read_settings(path, lambda raw: load_profile({} if raw is None else raw), ImpairmentError)


def noise_dbfs_at(esn0_db, burst_dbfs, sps):
    """Noise power over the whole band that gives a burst an Es/N0.

    Parameters
    ----------
    esn0_db : float      per data symbol, dB
    burst_dbfs : float   mean power of the burst where the noise is added, after all gains
    sps : int            samples per symbol

    Returns
    -------
    float   dBFS; a matched filter of energy 1 keeps the noise of a sample and gathers that of sps samples of signal
    """
    return float(burst_dbfs + 10 * np.log10(sps) - esn0_db)


class ImpairmentStream:
    """Applies a profile to a stream; the output depends on profile and seed only, not on how the stream is cut.

    Parameters
    ----------
    profile : ImpairmentProfile
    seed : int   >= 0; noise, phase noise and fading have generators of their own

    Notes
    -----
    `latency_samples` is what interpolation adds to the delay: 0, 24 or 48. Without `sro_ppm` as many samples come out
    as go in; with it the receiver's clock says how many, and the long-term ratio is 1 + sro.
    """

    def __init__(self, profile, seed):
        if seed < 0:
            raise ValueError(f"seed is {seed}, must be >= 0")
        self.profile = profile
        self._noise = np.random.default_rng((seed, _NOISE_STREAM))
        self._walk = np.random.default_rng((seed, _PHASE_STREAM))
        self._phase = np.zeros(1)
        clock = profile.sro_ppm != 0 or profile.delay_samples != 0
        self._clock = ClockStream(profile.sro_ppm, profile.delay_samples) if clock else None
        self._taps = _delay_line(profile, np.random.default_rng((seed, _FADING_STREAM)))
        self.latency_samples = HALF_SAMPLES * clock + (self._taps.latency if self._taps else 0)

    def set(self, **changes):
        """Change LIVE_FIELDS from the next sample on; ValueError for another field or a value out of range."""
        fixed = sorted(set(changes) - set(LIVE_FIELDS))
        if fixed:
            raise ValueError(f"{', '.join(fixed)} cannot change in a running stream, only {', '.join(LIVE_FIELDS)}")
        self.profile = replace(self.profile, **changes)

    def process(self, samples):
        """The next samples: complex64 [n] -> complex64 [n'], full scale 1; ValueError if it is no vector."""
        samples = np.array(samples, np.complex64)
        if samples.ndim != 1:
            raise ValueError(f"samples has shape {samples.shape}, must be a vector")
        profile = self.profile
        if self._clock:
            samples = self._clock.process(samples)
        if self._taps:
            samples = self._taps.process(samples)
        if profile.gain_db:
            samples *= np.float32(10 ** (profile.gain_db / 20))
        samples = self._oscillate(samples)
        if profile.noise_dbfs is not None:
            noise = self._noise.standard_normal(2 * len(samples), np.float32).view(np.complex64)
            samples += np.float32(np.sqrt(0.5) * 10 ** (profile.noise_dbfs / 20)) * noise
        if profile.iq_gain_db or profile.iq_phase_deg:
            samples = iq_imbalance(samples, profile.iq_gain_db, profile.iq_phase_deg)
        if profile.dc_real or profile.dc_imag:
            samples = dc_offset(samples, complex(profile.dc_real, profile.dc_imag))
        return quantise(samples, int(profile.adc_bits)) if profile.adc_bits else samples

    def _oscillate(self, samples):
        turns = self.profile.cfo_hz / self.profile.samp_rate
        std = np.sqrt(self.profile.phase_noise_linewidth_hz / (2 * np.pi * self.profile.samp_rate))
        if std:
            _mix(samples, turns, std * self._walk.standard_normal(len(samples)), True, self._phase)
        elif turns or self._phase[0]:
            _mix(samples, turns, np.zeros(0), False, self._phase)
        return samples


def _delay_line(profile, rng):
    """DelayLineStream of a profile; None where it would change nothing."""
    delays = np.array(profile.tap_delays_s) * profile.samp_rate
    amplitudes = np.sqrt(profile.delay_profile().powers()).astype(complex)
    if profile.fading == "none":
        if len(delays) == 1 and delays[0] == 0 and not any(profile.tap_phases_deg):
            return None
        if profile.tap_phases_deg:
            amplitudes *= np.exp(1j * np.deg2rad(profile.tap_phases_deg))
        still = np.ones(1, complex), np.zeros(1)
        return DelayLineStream(delays, [FadingStream(*still) for _ in delays], amplitudes)
    doppler, k_db = profile.doppler_hz / profile.samp_rate, profile.delay_profile().rician_k_db
    paths = [draw_paths(doppler, rng, k_db if i == 0 else None) for i in range(len(delays))]
    return DelayLineStream(delays, [FadingStream(*path) for path in paths], amplitudes)


@numba.njit(cache=True, nogil=True)
def _mix(samples, turns, steps, walk, phase):
    """In place; `phase` in turns goes on from call to call; with `walk` the `steps` are added to it."""
    now = phase[0]
    for m in range(samples.size):
        if walk:
            now += steps[m]
        angle = 2 * np.pi * now
        samples[m] *= np.complex64(complex(np.cos(angle), np.sin(angle)))
        now += turns
        now -= np.floor(now)
    phase[0] = now

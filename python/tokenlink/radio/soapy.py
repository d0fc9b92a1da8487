# SPDX-License-Identifier: GPL-3.0-or-later
"""A device of SoapySDR set to what a profile says, everything asked back, and one sentence for what is not so.

The library never imports ``gnuradio``: its functions take gr-soapy's module, which ``hardware/soapy_radio.py`` imports.
"""

from __future__ import annotations

from tokenlink.radio.usrp import DeviceError

MODULES = "its module for SoapySDR may be missing: soapysdr-module-lms7, -hackrf, -uhd, ...; SoapySDRUtil --find"


def open_side(profile, soapy, side):
    """gr-soapy's source or sink of a profile's device, set.

    Parameters
    ----------
    profile : RadioProfile   of kind soapy
    soapy : module           gnuradio.soapy
    side : str               "tx" or "rx"

    Returns
    -------
    gnuradio.soapy.sink or source   of complex64, full scale 1

    Raises
    ------
    DeviceError
    """
    settings = profile.soapy
    if side not in settings.sides.split(","):
        raise DeviceError(f"soapy.sides of profile {profile.name} is {settings.sides}: this device has no {side}")
    make, front = soapy.sink if side == "tx" else soapy.source, getattr(settings, side)
    try:
        block = make(settings.args, "fc32", 1, "", settings.stream_args, [""], [""])
    except RuntimeError as error:
        raise DeviceError(f"no device of SoapySDR at {settings.args!r}: {_said(error)} ({MODULES})") from None
    try:
        _set(block, profile.samp_rate, side, front)
    except RuntimeError as error:
        raise DeviceError(f"the device at {settings.args!r} refuses its {side} settings: {_said(error)}") from None
    return block


def _said(error):
    return " ".join(str(error).split())


def _set(block, samp_rate, side, front):
    at = f"soapy.{side}"
    antennas = list(block.list_antennas(0))
    if front.antenna and antennas and front.antenna not in antennas:
        raise DeviceError(f"{at}.antenna is {front.antenna!r}, this device has {', '.join(antennas)}")
    if front.antenna:
        block.set_antenna(0, front.antenna)
    block.set_sample_rate(0, samp_rate)
    if abs((rate := block.get_sample_rate(0)) - samp_rate) > 1e-6 * samp_rate:
        raise DeviceError(f"samp_rate is {samp_rate:g}, the device rounds it to {rate:.10g} for {side}")
    if front.bandwidth:
        block.set_bandwidth(0, front.bandwidth)
    block.set_frequency(0, front.center_freq)
    if abs((freq := block.get_frequency(0)) - front.center_freq) > 1000:
        raise DeviceError(f"{at}.center_freq is {front.center_freq:g}, the device tunes to {freq:.10g} Hz")
    set_gain(block, side, front.gain_db)


def set_gain(block, side, gain_db):
    """Set the gain of a source or sink ("rx", "tx") in dB; DeviceError outside the device's range."""
    gains = block.get_gain_range(0)
    if not gains.minimum() <= gain_db <= gains.maximum():
        legal = f"{gains.minimum():g}..{gains.maximum():g} dB"
        raise DeviceError(f"soapy.{side}.gain_db is {gain_db:g}, this device has {legal}")
    block.set_gain(0, float(gain_db))

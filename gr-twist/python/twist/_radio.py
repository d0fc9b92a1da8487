# SPDX-License-Identifier: GPL-3.0-or-later
"""What flowgraphs with a radio at their end call: errors in one sentence, the radio's clock."""

import sys

from tokenlink.wire.curve_keys import load_host_keys
from tokenlink.wire.errors import KeysRefused

OTW_FORMATS = ("", "sc16", "sc12", "sc8")


def explain_radio_errors(device_args):
    """Let this program end with one sentence when UHD finds no device, or refuses what it is told.

    Parameters
    ----------
    device_args : str   device address the program uses, for the text
    """

    def explain(kind, error, traceback):
        if not issubclass(kind, RuntimeError):
            sys.__excepthook__(kind, error, traceback)
            return
        text = " ".join(str(error).split())
        if "No devices found" in text:
            text = (f"no USRP found for device address {device_args!r}: connect it, switch it on, and see whether "
                    "uhd_find_devices lists it")
        else:
            text = f"the radio refuses: {text}"
        print(f"Error: {text}", file=sys.stderr)

    sys.excepthook = explain


def set_up_radio(radio, samp_rate, otw_format="", stream_args="", bandwidth_hz=0.0):
    """Set what the fields of the UHD blocks cannot take from parameters, and refuse a sample rate that was rounded:
    bursts would have another symbol rate than the peer expects.

    Parameters
    ----------
    radio : block           uhd.usrp_sink or uhd.usrp_source, of complex samples, one channel
    samp_rate : float       what was asked for, Hz
    otw_format : str        samples on the link to the device: sc16, sc12 or sc8; empty: UHD's own choice
    stream_args : str       of UHD, such as "peak=0.1"
    bandwidth_hz : float    of the analogue filter; 0: the device's own choice

    Raises
    ------
    SystemExit   with one sentence
    """
    if otw_format not in OTW_FORMATS:
        raise SystemExit(f"Error: otw_format is {otw_format!r}, must be sc16, sc12, sc8 or empty")
    if otw_format or stream_args:
        from gnuradio import uhd

        radio.set_stream_args(uhd.stream_args("fc32", otw_format, stream_args, [0]))
    if bandwidth_hz:
        radio.set_bandwidth(bandwidth_hz, 0)
    got = radio.get_samp_rate()
    if abs(got - samp_rate) > 1e-6 * samp_rate:
        raise SystemExit(f"Error: the device makes {got:g} sample/s of {samp_rate:g}: choose a rate that its master "
                         "clock divides into")


def load_keys(keys, peer):
    """CurveKeys of the folder ``keys`` for a socket that connects to ``peer``; None for an empty folder name.

    Raises
    ------
    KeysRefused   of the folder; a peer that is not named though there are several
    """
    if not keys:
        return None
    loaded = load_host_keys(keys, peer or None)
    if loaded.server_public is None:
        raise KeysRefused(f"peer is empty, and {keys} has keys of several hosts: name the one whose radio this is")
    return loaded


def follow_clock(framer, radio):
    """Let a burst framer schedule its slots by the clock of the radio that sends them.

    Parameters
    ----------
    framer : burst_framer
    radio : block           uhd.usrp_sink, or a block with its method get_time_now
    """
    framer.set_clock(lambda: radio.get_time_now().get_real_secs())

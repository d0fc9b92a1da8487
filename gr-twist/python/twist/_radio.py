# SPDX-License-Identifier: GPL-3.0-or-later
"""What flowgraphs with a radio at their end call: errors in one sentence, the radio's clock."""

import sys


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


def check_rate(radio, samp_rate):
    """Refuse a sample rate that the device had to round: bursts would have another symbol rate than the peer expects.

    Parameters
    ----------
    radio : block        uhd.usrp_sink or uhd.usrp_source
    samp_rate : float    what was asked for, Hz

    Raises
    ------
    SystemExit   with one sentence
    """
    got = radio.get_samp_rate()
    if abs(got - samp_rate) > 1e-6 * samp_rate:
        raise SystemExit(f"Error: the device makes {got:g} sample/s of {samp_rate:g}: choose a rate that its master "
                         "clock divides into")


def follow_clock(framer, radio):
    """Let a burst framer schedule its slots by the clock of the radio that sends them.

    Parameters
    ----------
    framer : burst_framer
    radio : block           uhd.usrp_sink, or a block with its method get_time_now
    """
    framer.set_clock(lambda: radio.get_time_now().get_real_secs())

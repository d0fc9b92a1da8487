# SPDX-License-Identifier: GPL-3.0-or-later
"""What the burst blocks share: the format of a burst, and device times as gr-uhd writes them."""

import math

import pmt

from tokenlink.phy.frame import BurstConfig
from tokenlink.phy.header import SYSTEMS
from tokenlink.phy.pulse import Pulse

from .pdus import PduError

SYSTEM_NAMES = {number: name for name, number in SYSTEMS.items()}


def burst_config(sps, rolloff, span, pilot_spacing, guard_symbols, max_payload_symbols, amplitude=0.25):
    """BurstConfig of a block's parameters; ValueError names the one out of range."""
    return BurstConfig(Pulse(sps, rolloff, span), pilot_spacing, guard_symbols, max_payload_symbols, amplitude)


def system_number(system):
    """Number of a kind of payload in the header; ValueError for an unknown name."""
    if system not in SYSTEMS:
        raise ValueError(f"system is {system!r}, must be one of {', '.join(SYSTEMS)}")
    return SYSTEMS[system]


def to_time(seconds):
    """Time in s, >= 0, as a PMT of whole seconds and fraction."""
    whole = math.floor(seconds)
    return pmt.make_tuple(pmt.from_uint64(whole), pmt.from_double(seconds - whole))


def check_time(value, name):
    """The PMT of a time, checked; raises PduError "wrong_metadata"."""
    good = pmt.is_tuple(value) and pmt.length(value) == 2
    good = good and (pmt.is_uint64(pmt.tuple_ref(value, 0)) or pmt.is_integer(pmt.tuple_ref(value, 0)))
    good = good and pmt.is_real(pmt.tuple_ref(value, 1)) and 0 <= pmt.to_double(pmt.tuple_ref(value, 1)) < 1
    if not good or (pmt.is_integer(pmt.tuple_ref(value, 0)) and pmt.to_long(pmt.tuple_ref(value, 0)) < 0):
        raise PduError("wrong_metadata", f"{name} is {value}, expected a tuple of uint64 seconds and fraction")
    return value


def split_time(value, name):
    """Whole seconds (int) and fraction (float) of the PMT of a time; raises PduError "wrong_metadata"."""
    whole, fraction = (pmt.tuple_ref(check_time(value, name), i) for i in range(2))
    return (pmt.to_uint64(whole) if pmt.is_uint64(whole) else pmt.to_long(whole)), pmt.to_double(fraction)

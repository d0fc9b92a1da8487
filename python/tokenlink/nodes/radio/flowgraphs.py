# SPDX-License-Identifier: GPL-3.0-or-later
"""Transmitter and receiver of a radio profile as GNU Radio flowgraphs: which ones, and their command lines."""

from __future__ import annotations

import sys
from dataclasses import replace

from tokenlink.control import make_policy
from tokenlink.nodes.flowgraph import FLOWGRAPH, compile_flowgraph
from tokenlink.nodes.process import NodeError
from tokenlink.phy.frame import BurstConfig

#: kind of profile -> first word of the names of its flowgraphs
FLOWGRAPHS = {"virtual": "virtual", "uhd": "usrp"}


def end_command(role, profile, run, table, addresses, radio_address=None, link="forward"):
    """Command line of one end of a radio, its flowgraph compiled if need be.

    Parameters
    ----------
    role : str               "tx": TokenFrame and ModeCommand in; "rx": TokenEstimate and LinkReport out
    profile : RadioProfile   virtual or uhd
    run : RunConfig
    table : ModeTable
    addresses : Addresses    tokens and mode of the tx, estimates of the rx
    radio_address : str      of the virtual radio's process; None: that of the profile
    link : str

    Returns
    -------
    list of str

    Raises
    ------
    NodeError   no flowgraphs for this profile, or one cannot be compiled
    """
    _check(profile)
    options = {"mode-table": run.mode_table or "", "samp-rate": profile.samp_rate, "sps": profile.burst.pulse.sps}
    if role == "tx":
        fallback = make_policy(run.policy, run.control).fallback_mode
        options |= {
            "tokens-address": addresses.tokens,
            "mode-address": addresses.mode,
            "lock-step": 1,
            "hold-slots": run.control.hold_slots,
            "fallback-mode": table.mode(fallback).name,
            "amplitude": profile.burst.amplitude,
            "slot-s": profile.timing.slot_s,
        }
    else:
        options["estimates-address"] = addresses.estimates
    if profile.kind == "virtual":
        options |= {"radio-address": radio_address or profile.address, "link": link}
    else:
        front = getattr(profile.uhd, role)
        options |= {
            "device-args": profile.uhd.args,
            "clock-source": profile.uhd.clock_source,
            "antenna": front.antenna,
            "gain-db": front.gain_db,
            "carrier-hz": front.center_freq,
            "lo-offset-hz": front.lo_offset,
        }
    program = compile_flowgraph(FLOWGRAPH.with_name(f"{FLOWGRAPHS[profile.kind]}_{role}.grc"))
    return [sys.executable, str(program), *(f"--{name}={value}" for name, value in options.items())]


def _check(profile):
    if profile.kind not in FLOWGRAPHS:
        legal = ", ".join(FLOWGRAPHS)
        raise NodeError(f"profile {profile.name} is of kind {profile.kind}, expected one of {legal}")
    usual = BurstConfig()
    usual = replace(usual, pulse=replace(usual.pulse, sps=profile.burst.pulse.sps), amplitude=profile.burst.amplitude)
    if profile.burst != usual:
        raise NodeError(f"profile {profile.name} has another burst than the flowgraphs, but for sps and amplitude")

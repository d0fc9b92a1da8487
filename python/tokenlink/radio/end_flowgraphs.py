# SPDX-License-Identifier: GPL-3.0-or-later
"""Transmitter and receiver of a radio profile as GNU Radio flowgraphs: which ones, and their command lines."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from tokenlink.link.prior_schedule import OFF
from tokenlink.phy.frame import BurstConfig
from tokenlink.process.node import NodeError
from tokenlink.radio.families import FAMILIES
from tokenlink.radio.flowgraph import compile_flowgraph, mode_options, prior_options, shipped
from tokenlink.radio.virtual_usrp import use_module
from tokenlink.systems import system_named

#: kind of profile -> first word of the names of its flowgraphs
KINDS = {"virtual": "virtual", "uhd": "usrp"}


#: role -> the direction of its radio that carries tokens, and the one that carries commands
_SIDES = {"tx": ("tx", "rx"), "rx": ("rx", "tx")}


@dataclass(frozen=True)
class RadioAccess:
    """How a flowgraph gets to the process of a virtual radio. ``address``: None for that of the profile; ``keys``:
    folder of keys, needed beyond loopback; ``name``: of the radio's host in it, None where there is only one other."""

    address: str | None = None
    keys: str | None = None
    name: str | None = None


def end_command(role, profile, run, table, addresses, access=None, feedback_address=None, report_file=None,
                lock_step=False):
    """Command line of one end of a radio, its flowgraph compiled if need be.

    Parameters
    ----------
    role : str               "tx": TokenFrame and ModeCommand in; "rx": TokenEstimate and LinkReport out
    profile : RadioProfile   virtual or uhd
    run : RunConfig
    table : ModeTable
    addresses : Addresses    tokens and mode of the tx, estimates and prior of the rx
    access : RadioAccess     to a virtual radio
    feedback_address : str   None: no feedback over the air; else the flowgraph has the reverse link too: it sends the
                             commands it hears there (tx), or listens there for those it is to send (rx)
    report_file : Path       gets the counters of a flowgraph that transmits
    lock_step : bool         the rx waits for the prior of each slot, where it takes any; the tx waits for its mode

    Returns
    -------
    list of str

    Raises
    ------
    NodeError   no flowgraphs for this profile, one cannot be compiled, or the profile asks for what they cannot do
    """
    _check(profile, feedback_address is not None)
    options = {"mode-table": run.mode_table or "", "samp-rate": profile.samp_rate, "sps": profile.burst.pulse.sps}
    if role == "tx":
        modes = mode_options(run, addresses, table)
        options |= {"tokens-address": addresses.tokens, "slot-s": profile.timing.slot_s}
        options |= modes | {"lock-step": 1} if modes else {}
    else:
        options["estimates-address"] = addresses.estimates
        options |= {} if run.prior == OFF else prior_options(run, addresses) | {"lock-step": int(lock_step)}
    if feedback_address is not None:
        options["feedback-address"] = feedback_address
    if role == "tx" or feedback_address is not None:
        options |= {"amplitude": profile.burst.amplitude, "report-file": report_file or ""}
    if profile.kind == "virtual":
        access = access or RadioAccess()
        options |= {"radio-address": access.address or profile.address}
        options |= {"keys": access.keys or "", "radio-name": access.name or ""}
    else:
        use_module(profile.uhd.args)
        options |= _uhd_options(profile.uhd, role, feedback_address is not None)
    name = f"{KINDS[profile.kind]}_{role}" + ("" if feedback_address is None else "_duplex")
    program = compile_flowgraph(shipped(system_named(run.system).payload, name))
    return [sys.executable, str(program), *(f"--{name}={value}" for name, value in options.items())]


def _uhd_options(uhd, role, duplex):
    """Options of the usrp flowgraphs from a profile's Uhd: dict."""
    clock = f",master_clock_rate={uhd.master_clock_rate:.0f}" if uhd.master_clock_rate else ""
    options = {
        "device-args": f"{uhd.args}{clock}".removeprefix(","),
        "clock-source": uhd.clock_source,
        "time-source": uhd.time_source,
        "otw-format": uhd.otw_format,
        "stream-args": uhd.stream_args,
    }
    for side, prefix in zip(_SIDES[role], ("", "reverse-"), strict=True):
        if prefix and not duplex:
            continue
        front = getattr(uhd, side)
        options |= {
            f"{prefix}subdev": front.subdev or FAMILIES[uhd.family].subdev,
            f"{prefix}antenna": front.antenna,
            f"{prefix}gain-db": front.gain_db,
            f"{prefix}carrier-hz": uhd.reverse_freq if prefix and uhd.reverse_freq else front.center_freq,
            f"{prefix}lo-offset-hz": front.lo_offset,
            f"{prefix}bandwidth-hz": front.bandwidth,
        }
    return options


def _check(profile, duplex):
    if profile.kind not in KINDS:
        legal = ", ".join(KINDS)
        raise NodeError(f"profile {profile.name} is of kind {profile.kind}, expected one of {legal}")
    if profile.kind == "virtual":
        for link in ("forward", "reverse") if duplex else ("forward",):
            if link not in profile.virtual.links:
                raise NodeError(f"profile {profile.name} has no link {link}, only {', '.join(profile.virtual.links)}")
    else:
        for side in ("tx", "rx"):
            channel = getattr(profile.uhd, side).channel
            if channel:
                what = f"uhd.{side}.channel of profile {profile.name} is {channel}"
                raise NodeError(f"{what}, must be 0 for the flowgraphs: choose the channel with uhd.{side}.subdev")
    usual = BurstConfig()
    usual = replace(usual, pulse=replace(usual.pulse, sps=profile.burst.pulse.sps), amplitude=profile.burst.amplitude)
    if profile.burst != usual:
        raise NodeError(f"profile {profile.name} has another burst than the flowgraphs, but for sps and amplitude")

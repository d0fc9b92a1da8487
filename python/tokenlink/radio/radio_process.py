# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio's process for a profile: the emulator of the virtual radio, the player of a recording, or a USRP's."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time

import numpy as np

from tokenlink.files.places import shipped
from tokenlink.process.node import NodeError
from tokenlink.radio.burst_air import BurstAir
from tokenlink.radio.emulator import BLOCK_SAMPLES, Emulator, Patience
from tokenlink.radio.profiles import ProfileError
from tokenlink.radio.virtual_air import airs
from tokenlink.wire.iq_server import GONE_S

START_S = 60.0
UHD_SCRIPT, SOAPY_SCRIPT = (shipped("hardware", name) for name in ("uhd_radio.py", "soapy_radio.py"))


def make_emulator(profile, address=None, seed=0, keys=None, run=None):
    """Emulator of a virtual RadioProfile, its compiled functions warm; ProfileError for another kind. With ``run``, a
    RunConfig, the n-th burst of link forward meets the channel of slot n of that run."""
    if profile.kind != "virtual":
        raise ProfileError(f"profile {profile.name} is of kind {profile.kind}: only virtual radios are emulated")
    virtual = profile.virtual
    if seed:
        links = {name: dataclasses.replace(link, seed=link.seed + seed) for name, link in virtual.links.items()}
        profile = dataclasses.replace(profile, virtual=dataclasses.replace(virtual, links=links))
    for air in airs(profile).values():  # compiles, before anybody waits
        air.process(np.zeros(BLOCK_SAMPLES, np.complex64))
    patience, streams = Patience(virtual.start_s, virtual.stall_s), airs(profile)
    if run is not None:
        streams |= {"forward": _burst_air(profile, run)}
    return Emulator(address or virtual.address, profile.samp_rate, streams, patience, virtual.allow_remote, keys)


def _burst_air(profile, run):
    virtual = profile.virtual
    if "forward" not in virtual.links:
        raise ProfileError(f"profile {profile.name} has no link forward, only {', '.join(virtual.links)}")
    gains = {"tx_gain_db": virtual.tx_gain_db, "rx_gain_db": virtual.rx_gain_db}
    impairments, seed = profile.impairments("forward"), virtual.links["forward"].seed
    return BurstAir(impairments, seed, run.channel, run.seed, profile.burst, **gains)


def serve_virtual(profile, address=None, seed=0, duration_s=None, keys=None, say=lambda line: None, run=None,
                  on_step=None):  # fmt: skip
    """Run an emulator until Ctrl-C, SIGTERM or the end of ``duration_s``; its report.

    Parameters
    ----------
    profile : RadioProfile   of kind virtual
    address : str            None: that of the profile
    seed : int               added to the seeds of the links
    keys : CurveKeys
    say : callable           gets a line once it listens
    run : RunConfig          its channel is that of the bursts on link forward
    on_step : callable       gets the emulator after each step
    """
    with make_emulator(profile, address, seed, keys, run) as emulator:
        say(f"listening at {emulator.address}, links {', '.join(profile.virtual.links)}")
        sys.stdout.flush()
        end_s = np.inf if duration_s is None else time.monotonic() + duration_s
        with contextlib.suppress(KeyboardInterrupt):
            emulator.run(lambda: time.monotonic() > end_s, on_step)
        return emulator.report()


def service_command(profile_name, profile, address=None, keys_folder=None, sides="tx,rx"):
    """Command line of the process that serves a profile's radio: list of str.

    Parameters
    ----------
    profile_name : str       as given to read_profile
    profile : RadioProfile
    address : str            None: that of the profile
    keys_folder : Path       for addresses beyond this machine
    sides : str              of a USRP that are opened: tx, rx or both
    """
    address = address or profile.address
    if profile.is_device:
        script = UHD_SCRIPT if profile.uhd else SOAPY_SCRIPT
        command = [sys.executable, str(script), "serve", "--profile", str(profile_name), "--sides", sides]
    else:
        verb = {"virtual": "emulator", "file": "replay"}[profile.kind]
        command = [sys.executable, "-m", "tokenlink.cli", "radio", verb, "--profile", str(profile_name)]
    keys = ["--keys", str(keys_folder)] if keys_folder else []
    return [*command, "--address", address, *keys]


def wait_for_radio(end, child=None, timeout_s=START_S):
    """Wait until a radio serves an end.

    Parameters
    ----------
    end : IqSender or IqReceiver
    child : Child    the radio's process, whose death ends the wait; None: somebody else's

    Raises
    ------
    NodeError   it does not, with the reason
    """
    begin_s = time.monotonic()
    deadline_s = begin_s + timeout_s
    while not end.is_open:
        if child is not None and child.exit_code is not None:
            raise NodeError(f"the radio's process {child.obituary()}")
        taken = "has another" in end.refusal and time.monotonic() - begin_s < 3 * GONE_S  # by one that may be dead
        if end.refusal and not taken:
            raise NodeError(f"the radio refuses: {end.refusal}")
        if time.monotonic() > deadline_s:
            raise NodeError(
                f"no radio answers at {end.address} within {timeout_s:g} s: start it with ./twist radio emulator, or "
                f"give another --address"
            )
        end.wait_open(0.1)

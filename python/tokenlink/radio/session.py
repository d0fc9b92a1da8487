# SPDX-License-Identifier: GPL-3.0-or-later
"""An end of a profile's radio, with the radio's process where it is ours to start."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from tokenlink.process.children import Child, stop_all
from tokenlink.process.node import NodeError
from tokenlink.radio.radio_process import START_S, service_command, wait_for_radio
from tokenlink.wire.iq_streams import IqReceiver, IqSender

STARTS_ITSELF = ("uhd", "soapy", "file")


@contextlib.contextmanager
def radio_process(profile_name, profile, address=None, keys_folder=None, start=None, sides="tx,rx"):
    """The process that serves a profile's radio, for as long as the context lasts; NodeError at its end where the
    process failed meanwhile.

    Parameters
    ----------
    profile_name : str       as given to read_profile
    profile : RadioProfile
    address : str            None: that of the profile
    keys_folder : Path
    start : bool             None: a USRP and a recording are started, a virtual radio is somebody else's
    sides : str              of a USRP that are opened: tx, rx or both

    Yields
    ------
    Child or None
    """
    start = profile.kind in STARTS_ITSELF if start is None else start
    if not start:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="twist-") as folder:
        command = service_command(profile_name, profile, address, keys_folder, sides)
        child = Child("the radio", command, Path(folder) / "radio.log")
        try:
            yield child
            if child.exit_code:
                raise NodeError(f"the radio's process {child.obituary()}")
        finally:
            stop_all([child])


@contextlib.contextmanager
def open_end(role, profile, address=None, link="forward", keys=None, child=None, timeout_s=START_S):
    """IqSender (role tx) or IqReceiver (rx) of a profile's radio, open; NodeError when nobody answers."""
    make = IqSender if role == "tx" else IqReceiver
    with make(address or profile.address, link, profile.samp_rate, keys=keys) as end:
        wait_for_radio(end, child, timeout_s)
        if child is not None:
            end.is_gone = lambda: child.exit_code is not None
        yield end

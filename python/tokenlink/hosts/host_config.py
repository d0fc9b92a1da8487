# SPDX-License-Identifier: GPL-3.0-or-later
"""What one of two hosts is started with, and what both need: addresses, keys, folder, processes."""

from __future__ import annotations

import math
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tokenlink.hosts.control_link import ROLES, ControlLink
from tokenlink.hosts.handshake import agreement
from tokenlink.loop.run_config import RunConfig
from tokenlink.phy.frame import BurstConfig
from tokenlink.process.children import Child
from tokenlink.radio.end_flowgraphs import RadioAccess
from tokenlink.radio.profiles import profile_path, read_profile
from tokenlink.systems import system_named
from tokenlink.wire.curve_keys import is_loopback, load_host_keys

#: where a host listens when nobody says otherwise
LISTEN = {"tx": "tcp://127.0.0.1:5571", "rx": "tcp://127.0.0.1:5572"}
FEEDBACKS = ("network", "air")
RADIOS = ("simulator", "gnuradio")


@dataclass(frozen=True)
class HostConfig:
    """One of two hosts.

    Parameters
    ----------
    role : str              "tx": camera and transmitter; "rx": receiver and twin
    run : RunConfig         both hosts need the same mode table, controller and weights; source and n_frames are the
                            transmitter's, channel and feedback losses the receiver's
    listen, peer : str      address of this host and of the other one, as zmq writes them
    keys : str or None      folder of keys, needed beyond loopback
    profile : str or None   radio profile, a name in hardware/profiles or a YAML file; needed with radio "gnuradio"
    radio : str             "simulator": bursts on the control link, the air drawn by the receiver; "gnuradio": the
                            flowgraph of the profile
    radio_address : str or None   where a virtual radio's process listens; None: as the profile says
    peer_name, radio_name : str or None   of the other host, and of the one with the virtual radio's process, in
                            ``keys``; None where there is only one other
    feedback_over : str     "network": the control link; "air": reverse bursts
    period_s : float        shortest time from one slot to the next, s, > 0
    patience_s : float      longest wait for the command of a slot while the receiver is there, s, >= 0
    burst : BurstConfig

    Raises
    ------
    ValueError   a value outside its range
    """

    role: str
    run: RunConfig
    listen: str
    peer: str
    keys: str | None = None
    profile: str | None = None
    radio: str = "simulator"
    radio_address: str | None = None
    peer_name: str | None = None
    radio_name: str | None = None
    feedback_over: str = "network"
    period_s: float = 0.1
    patience_s: float = 1.0
    burst: BurstConfig = field(default_factory=BurstConfig)

    def __post_init__(self):
        for name, legal in (("role", ROLES), ("feedback_over", FEEDBACKS), ("radio", RADIOS)):
            if getattr(self, name) not in legal:
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(legal)}")
        if not (math.isfinite(self.period_s) and self.period_s > 0):
            raise ValueError(f"period_s is {self.period_s}, expected > 0")
        if not (math.isfinite(self.patience_s) and self.patience_s >= 0):
            raise ValueError(f"patience_s is {self.patience_s}, expected >= 0")
        if self.profile is not None:
            object.__setattr__(self, "burst", read_profile(self.profile).burst)
        elif self.radio == "gnuradio":
            raise ValueError("profile is None, expected a radio profile with radio gnuradio")

    def load_table(self):
        """The mode table of the run, refused where it lacks a mode the controller may choose."""
        table = system_named(self.run.system).payload.load_table(self.run.mode_table)
        system_named(self.run.system).loop.check_control(self.run.control, table)
        return table

    def open_link(self, table):
        """The ControlLink of this host."""
        entries = agreement(self.run, table, self.burst, profile_path(self.profile) if self.profile else None)
        entries |= {"feedback_over": self.feedback_over, "radio": self.radio}
        keys = load_host_keys(self.keys, self.peer_name) if self.keys else None
        return ControlLink(self.role, self.listen, self.peer, entries, keys)

    def radio_access(self):
        """RadioAccess of the flowgraph: a radio on this machine is reached without keys unless its host has a name."""
        address = self.radio_address or read_profile(self.profile).address
        keyed = self.keys is not None and (self.radio_name is not None or not is_loopback(address))
        return RadioAccess(address, str(Path(self.keys).resolve()) if keyed else None, self.radio_name)

    def plain(self):
        """As plain values, for the run folder."""
        return asdict(self)


def start_process(name, arguments, logs):
    """A Child that runs a Python module or program of this library; its output goes to ``logs``/name.log."""
    return Child(name, [sys.executable, *map(str, arguments)], logs / f"{name}.log")

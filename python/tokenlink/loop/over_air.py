# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio of a run over the air: an emulator and a flowgraph at either end, with virtual USRPs if need be."""

from __future__ import annotations

from tokenlink.process.node import NodeError
from tokenlink.radio.end_flowgraphs import RadioAccess, end_command
from tokenlink.radio.profiles import read_profile
from tokenlink.radio.radio_process import service_command
from tokenlink.radio.virtual_usrp import at_an_air, is_virtual, write_air

_ENDS = {"tx": "transmitter", "rx": "receiver"}


def air_commands(run, addresses, table, folder):
    """Command lines of a run's radio, by the name of the process: "air", "transmitter", "receiver".

    Parameters
    ----------
    run : RunConfig       radio virtual; a profile of kind uhd must be of virtual USRPs, of which each end gets its own
    addresses : Addresses
    table : ModeTable
    folder : Path         of the run: gets what the transmitter counts, and the air of virtual USRPs

    Returns
    -------
    dict

    Raises
    ------
    NodeError, ProfileError   the profile is of another kind, or cannot be used
    """
    name, at = run.profile or "virtual", f"{addresses.tokens}-air"
    profile = read_profile(name)
    seed = ["--seed", str(run.seed)]
    if run.profile is None:  # the run's own channel, with the impairments of the usual profile on top
        seed += ["--channel-of", str(folder / "config.json")]
    ends = dict.fromkeys(_ENDS, profile)
    if profile.kind == "uhd" and is_virtual(profile.uhd.args):
        name = write_air(profile.samp_rate, folder / "air.yaml")
        links = {"tx": ("forward", "reverse"), "rx": ("reverse", "forward")}
        ends = {role: at_an_air(profile, at, *links[role]) for role in _ENDS}
    elif profile.kind != "virtual":
        raise NodeError(f"profile {name} is of kind {profile.kind}, expected a virtual one")
    given = {"report_file": folder / "radio.json", "lock_step": True}
    commands = {"air": [*service_command(str(name), read_profile(name), at), *seed]}
    for role, end in ends.items():
        commands[_ENDS[role]] = end_command(role, end, run, table, addresses, RadioAccess(at), **given)
    return commands

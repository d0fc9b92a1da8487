# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio usrp --virtual``: a USRP for any UHD program, without hardware."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from tokenlink.cli.radio._common import Address, Duration, Profile

VIRTUAL = "Needed: only virtual USRPs are started; ./twist radio check looks at a device."
PACE = "wall: device time is the wall clock's; lock: it goes on with the samples sent, as fast as it can."


def usrp(
    virtual: Annotated[bool, typer.Option("--virtual", help=VIRTUAL)] = False,
    profile: Profile = "virtual-usrp",
    address: Address = None,
    seed: Annotated[int, typer.Option(help="Added to the seeds of the profile's links.")] = 0,
    product: Annotated[str, typer.Option(help="What the device resembles: B210 or X310.")] = "B210",
    pace: Annotated[str, typer.Option(help=PACE)] = "wall",
    duration: Duration = None,
) -> None:
    """Build the virtual USRP, start its air, and print the line with which any UHD program runs on it.

    Example: ./twist radio usrp --virtual
    """
    from tokenlink.process.node import NodeError
    from tokenlink.radio.profiles import read_profile
    from tokenlink.radio.radio_process import serve_virtual
    from tokenlink.radio.virtual_usrp import MODULE_PATH, build_module, device_args

    if not virtual:
        raise NodeError("radio usrp is for virtual USRPs: say --virtual; ./twist radio check looks at a device")
    for name, value, legal in (("product", product, ("B210", "X310")), ("pace", pace, ("wall", "lock"))):
        if value not in legal:
            raise ValueError(f"--{name} is {value!r}, must be {' or '.join(legal)}")
    settings, module = read_profile(profile), build_module()

    def say(line):
        listening = line.split()[2].rstrip(",")
        print(line)
        print(f"export {MODULE_PATH}={shlex.quote(str(module))}")
        for what, tx, rx in (
            ("one device, which hears itself", "forward", "forward"),
            ("the first of two, each hears the other", "forward", "reverse"),
            ("the second", "reverse", "forward"),
        ):
            args = device_args(settings, listening, tx, rx, product, pace)
            print(f"your_program --args {shlex.quote(args)}   # {what}")

    serve_virtual(settings, address, seed, duration, say=say)

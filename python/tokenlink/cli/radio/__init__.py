# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio``: radios chosen by a profile of ``hardware/profiles``; one file for each command."""

from __future__ import annotations

import typer

from tokenlink.cli.radio.both_ends import link_test
from tokenlink.cli.radio.calibrate import calibrate
from tokenlink.cli.radio.check import check
from tokenlink.cli.radio.curves import curves
from tokenlink.cli.radio.emulator import emulator
from tokenlink.cli.radio.record import record
from tokenlink.cli.radio.replay import replay
from tokenlink.cli.radio.rx import rx
from tokenlink.cli.radio.soak import soak
from tokenlink.cli.radio.tx import tx
from tokenlink.cli.radio.usrp import usrp

app = typer.Typer(
    help="Radios: virtual, USRP, recording; --profile says which. Example: ./twist radio emulator --profile virtual",
    no_args_is_help=True,
)
app.command()(emulator)
app.command()(tx)
app.command()(rx)
app.command()(link_test)
app.command()(soak)
app.command()(check)
app.command()(calibrate)
app.command()(record)
app.command()(replay)
app.command()(curves)
app.command()(usrp)

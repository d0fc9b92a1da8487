# SPDX-License-Identifier: GPL-3.0-or-later
"""What the radio commands share."""

from __future__ import annotations

import contextlib
import json as json_module
import tempfile
from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import at_least_one, not_negative, positive, writable_file
from tokenlink.cli.run_options import SYSTEM

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)
OptionalStr, OptionalInt, OptionalFloat = Optional[str], Optional[int], Optional[float]  # noqa: UP007, UP045

Profile = Annotated[str, typer.Option(help="Name in hardware/profiles, or a YAML file.")]
Json = Annotated[OptionalPath, typer.Option(help="Write the figures here as JSON.", callback=writable_file)]
Keys = Annotated[OptionalPath, typer.Option(help="Folder of this host's keys, for addresses beyond this machine.")]
RadioName = Annotated[OptionalStr, typer.Option(help="Host with the radio's process, where keys of several are there.")]
Address = Annotated[OptionalStr, typer.Option(help="Where the radio's process is; default: that of the profile.")]
Link = Annotated[str, typer.Option(help="Link of the virtual radio, or direction: forward or reverse.")]
Mode = Annotated[OptionalInt, typer.Option(help="mode_id of all bursts; default: one mode after the other.")]
Seed = Annotated[int, typer.Option(help="Of the tokens; both ends need the same.")]
Gain = Annotated[OptionalFloat, typer.Option(help="dB; default: that of the profile.")]
Calibration = Annotated[OptionalPath, typer.Option(help="File of ./twist radio calibrate, whose gain is used.")]
Bursts = Annotated[
    OptionalInt, typer.Option(help="Stop after so many slots from the first one on.", callback=at_least_one)
]
Duration = Annotated[OptionalFloat, typer.Option(help="Stop after so many seconds.", callback=positive)]
Idle = Annotated[float, typer.Option(help="Stop when no sample came for so many seconds.", callback=positive)]
Wait = Annotated[float, typer.Option(help="Seconds to wait for the radio.", callback=not_negative)]
System = Annotated[str, typer.Option(help=SYSTEM)]
Table = Annotated[OptionalPath, typer.Option(help="YAML; default: the table that ships.")]


def payload_of(system, mode_table=None):
    """(Payload, mode table) of a system by name, and a path or None for the table that ships."""
    from tokenlink.systems import system_named

    payload = system_named(system).payload
    return payload, payload.load_table(mode_table)


def load_keys(folder, peer=None):
    """CurveKeys of a folder, see `tokenlink.wire.curve_keys.load_host_keys`; None without a folder."""
    if folder is None:
        return None
    from tokenlink.wire.curve_keys import load_host_keys

    return load_host_keys(folder, peer)


def keys_to_radio(folder, radio_name):
    """CurveKeys for connecting to the radio of a host, or None without a folder; KeysRefused if it may be several."""
    from tokenlink.wire.errors import KeysRefused

    if folder is None and radio_name is not None:
        raise ValueError(f"--radio-name is {radio_name!r} and has no effect without --keys: leave it out")
    keys = load_keys(folder, radio_name)
    if keys is not None and keys.server_public is None:
        raise KeysRefused(f"{folder} has keys of {len(keys.allowed)} hosts: --radio-name says which has the radio")
    return keys


def write_json(path, content):
    """Write figures where --json says; nothing for None."""
    from tokenlink.files.writing import write_text

    if path is not None:
        write_text(path, json_module.dumps(content, indent=2, default=float) + "\n")


def show(title, rows):
    """Print a table of (name, value) rows."""
    from rich.console import Console
    from rich.table import Table as RichTable

    table = RichTable(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows:
        table.add_row(name, text_of(value))
    Console(markup=False).print(table)


def text_of(value):
    """A figure as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {text_of(each)}" for name, each in value.items() if each) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value))
    return str(value)


@contextlib.contextmanager
def both_ends(name, profile):
    """IqSender and IqReceiver of a radio of their own: its process is started, at an address nobody else uses."""
    from tokenlink.process.node import NodeError
    from tokenlink.radio.session import open_end, radio_process

    if profile.kind == "file":
        raise NodeError(f"profile {profile.name} is a recording: it has no transmitter")
    with tempfile.TemporaryDirectory(prefix="twist-") as folder:
        address = f"ipc://{folder}/radio"
        with (
            radio_process(name, profile, address, start=True) as child,
            open_end("tx", profile, address, child=child) as sender,
            open_end("rx", profile, address, child=child) as receiver,
        ):
            yield sender, receiver


@contextlib.contextmanager
def one_end(role, name, profile, address, link, keys, curve_keys, wait_s, gain):
    """IqSender ("tx") or IqReceiver ("rx") of a profile's radio, its gain set; a USRP's process is started with it."""
    from tokenlink.radio.session import open_end, radio_process

    with radio_process(name, profile, address, keys, sides=role) as child:
        with open_end(role, profile, address, link, curve_keys, child, wait_s) as end:
            if gain is not None:
                end.set(**{f"{role}_gain_db": gain})
            yield end


def chosen_gain(profile, role, gain, calibration):
    """``gain`` in dB, else what a calibration file recommends for a side ("tx" or "rx"), or None for neither."""
    from tokenlink.radio.calibrate import read_gain

    if gain is not None and calibration is not None:
        raise ValueError(f"--gain {gain:g} and --calibration {calibration} both say the gain: leave one out")
    return gain if calibration is None else read_gain(calibration, profile, role)

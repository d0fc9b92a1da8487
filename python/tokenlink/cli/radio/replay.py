# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio replay``: a SigMF recording decoded, or played in place of a radio."""

from __future__ import annotations

from typing import Annotated

import typer

from tokenlink.cli.options import at_least_one, given, refuse
from tokenlink.cli.radio._common import Json, Keys, OptionalPath, OptionalStr, Table
from tokenlink.cli.run_options import SYSTEM


def replay(
    recording: Annotated[OptionalPath, typer.Argument(help="A .sigmf-meta file; default: that of --profile.")] = None,
    profile: Annotated[OptionalStr, typer.Option(help="Of kind file, or one whose burst settings to use.")] = None,
    address: Annotated[OptionalStr, typer.Option(help="Play it here instead, as a radio, to one receiver.")] = None,
    repeat: Annotated[int, typer.Option(help="Times it is played.", callback=at_least_one)] = 1,
    system: Annotated[OptionalStr, typer.Option(help=f"{SYSTEM} Default: as the recording says.")] = None,
    mode_table: Table = None,
    keys: Keys = None,
    json: Json = None,
) -> None:
    """Decode a recording and compare every burst with what the recording says about it; exit code 0 when all agree.

    With --address it is played like a radio: ./twist radio rx --address, or a flowgraph, then receives it.

    Example: ./twist radio replay tests/vectors/burst_low.sigmf-meta
    """
    from tokenlink.cli.radio._common import load_keys, payload_of, show, write_json
    from tokenlink.phy.frame import BurstConfig
    from tokenlink.radio.player import replay as decode
    from tokenlink.radio.player import serve_recording
    from tokenlink.radio.profiles import read_profile
    from tokenlink.radio.recording import read_recording

    if address:
        refuse("with --address, where the recording is played and not decoded", "mode_table", "json", "system")
    else:
        refuse("without --address: a recording is decoded once, here", "repeat", "keys")
    if address and recording:
        refuse("with --address and a recording, which is played as it is", "profile")
    settings = read_profile(profile) if profile else None
    if recording is None:
        if settings is None or settings.file is None:
            raise ValueError("give a recording, or --profile with one of kind file")
        recording = settings.folder / settings.file.path
        repeat = repeat if given("repeat") else settings.file.repeat
    if address:
        serve_recording(recording, address, repeat, load_keys(keys), print)
        return
    burst = settings.burst if settings else BurstConfig()
    recorded = read_recording(recording)
    system = system or recorded.about.get("system", "twist")
    payload, table = payload_of(system, mode_table)
    found = decode(recorded, burst, table, payload)
    receptions = found.pop("receptions")
    show(f"replay of {recording}, system {system}", list(found.items()))
    write_json(json, {
        "recording": str(recording), **found,
        "receptions": [{name: getattr(each, name) for name in ("slot", "mode_id", "start", "esn0_db", "cfo_hz")}
                       for each in receptions],
    })  # fmt: skip
    raise typer.Exit(0 if found["same"] and found["bursts"] else 2)

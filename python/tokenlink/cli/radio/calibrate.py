# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio calibrate``: gains by measurement."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from tokenlink.cli.options import at_least_one, writable_new_file
from tokenlink.cli.radio._common import Json, Mode, OptionalPath, OptionalStr, Profile, System, Table

OUT = "Default: hardware/calibration/PROFILE.yaml"


def calibrate(
    profile: Profile = "virtual-wire",
    tx_gains: Annotated[OptionalStr, typer.Option(help="dB, such as 0,10,20; default: six over the range.")] = None,
    rx_gains: Annotated[OptionalStr, typer.Option(help="dB, such as 0,10,20; default: six over the range.")] = None,
    bursts: Annotated[int, typer.Option(help="At each pair of gains.", callback=at_least_one)] = 4,
    mode: Mode = None,
    out: Annotated[OptionalPath, typer.Option(help=OUT, callback=writable_new_file)] = None,
    system: System = "twist",
    mode_table: Table = None,
    json: Json = None,
) -> None:
    """Send bursts at every pair of gains, measure EVM, SNR and clipping, and write the pair to use to a file.

    A USRP needs a cable with attenuators from its TX to its RX, see hardware/README.md. tx and rx take the file with
    --calibration. Bursts of another --system have other peaks.

    Example: ./twist radio calibrate --profile b210 --tx-gains 0,20,40,60 --rx-gains 0,20,40
    """
    from rich.console import Console
    from rich.progress import Progress

    from tokenlink.cli.radio._common import both_ends, payload_of, write_json
    from tokenlink.radio.calibrate import default_gains, recommend, sweep, write_calibration
    from tokenlink.radio.profiles import PROFILES, read_profile

    settings, (payload, table), console = read_profile(profile), payload_of(system, mode_table), Console(markup=False)
    tx_default, rx_default = default_gains(settings)
    tx_list = _gains(tx_gains, "--tx-gains") or tx_default
    rx_list = _gains(rx_gains, "--rx-gains") or rx_default
    with Progress(console=console) as progress, both_ends(profile, settings) as (sender, receiver):
        task = progress.add_task("measuring", total=len(tx_list) * len(rx_list))
        points = sweep(sender, receiver, settings, table, tx_list, rx_list, bursts, mode,
                       lambda point: progress.advance(task), payload)
    console.print(_map(points, tx_list, rx_list))
    write_json(json, {"profile": settings.name, "points": [asdict(point) for point in points]})
    chosen, out = recommend(points), out or PROFILES.parent / "calibration" / f"{settings.name}.yaml"
    write_calibration(out, settings, points, chosen)
    text = f"use tx gain {chosen.tx_gain_db:g} dB and rx gain {chosen.rx_gain_db:g} dB: EVM {chosen.evm_db:.1f} dB, "
    text += f"Es/N0 {chosen.esn0_db:.1f} dB, {chosen.power_dbfs:.1f} dBFS; written to {out}"
    console.print(text, soft_wrap=True, highlight=False)


def _gains(text, option):
    try:
        return [float(part) for part in text.split(",")] if text else None
    except ValueError:
        raise ValueError(f"{option} is {text!r}, expected dB such as 0,10,20.5") from None


def _map(points, tx_list, rx_list):
    """EVM of every pair as a table; c: bursts clip, -: not all came."""
    from rich.table import Table as RichTable

    table = RichTable(title="EVM in dB; c: clips or too loud, -: bursts are missing", title_justify="left")
    table.add_column("rx \\ tx gain", justify="right")
    for gain in tx_list:
        table.add_column(f"{gain:g} dB", justify="right")
    found = {(point.rx_gain_db, point.tx_gain_db): point for point in points}
    for rx_gain in rx_list:
        cells = (found[float(rx_gain), float(tx_gain)] for tx_gain in tx_list)
        table.add_row(f"{rx_gain:g} dB", *map(_cell, cells))
    return table


def _cell(point):
    if point.received < point.sent or point.evm_db is None:
        return f"- {point.received}/{point.sent}"
    return f"{'' if point.is_usable else 'c '}{point.evm_db:.1f}"

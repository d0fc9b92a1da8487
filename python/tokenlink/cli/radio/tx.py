# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio tx``: send test bursts over the radio of a profile."""

from __future__ import annotations

from typing import Annotated

import typer

from tokenlink.cli.options import at_least_one, not_negative
from tokenlink.cli.radio._common import (
    Address,
    Calibration,
    Gain,
    Json,
    Keys,
    Link,
    Mode,
    Profile,
    RadioName,
    Seed,
    System,
    Table,
    Wait,
)

ROWS = ("sent", "not_sent", "samples_per_s", "papr_db", "peak_dbfs", "over_full_scale", "late", "underflow", "valid",
        "why")  # fmt: skip


def tx(
    profile: Profile = "virtual",
    bursts: Annotated[int, typer.Option(help="How many.", callback=at_least_one)] = 100,
    first_slot: Annotated[int, typer.Option(help="Slot of the first one.", callback=not_negative)] = 0,
    mode: Mode = None,
    gain: Gain = None,
    calibration: Calibration = None,
    seed: Seed = 1,
    link: Link = "forward",
    address: Address = None,
    wait: Wait = 60.0,
    system: System = "twist",
    mode_table: Table = None,
    keys: Keys = None,
    radio_name: RadioName = None,
    json: Json = None,
) -> None:
    """Send bursts of known frames; ./twist radio rx at the other end measures them. A USRP is opened by this command.

    Example: ./twist radio tx --profile virtual --bursts 200
    """
    from tokenlink.cli.radio._common import chosen_gain, keys_to_radio, one_end, payload_of, show, write_json
    from tokenlink.cli.status_line import StatusLine
    from tokenlink.radio.ends import transmit
    from tokenlink.radio.known_bursts import KnownTraffic
    from tokenlink.radio.profiles import read_profile

    settings, (payload, table) = read_profile(profile), payload_of(system, mode_table)
    gain, at = chosen_gain(settings, "tx", gain, calibration), keys_to_radio(keys, radio_name)
    traffic = KnownTraffic(settings.burst, table, seed, mode, payload)
    with (
        StatusLine(f"the radio at {address or settings.address}") as line,
        one_end("tx", profile, settings, address, link, keys, at, wait, gain) as sender,
    ):
        line.wait_for("room for a burst: a receiver, or the radio's time")
        report = transmit(sender, traffic, settings, bursts, first_slot,
                          lambda slot: line.show(f"burst {slot - first_slot + 1} of {bursts}"))  # fmt: skip
    write_json(json, {"profile": settings.name, "link": link, "seed": seed, **report})
    rows = [(name, report[name]) for name in ROWS]
    show(f"tx, profile {settings.name}", [*rows, ("counts", report["counts"])])
    raise typer.Exit(0 if report["valid"] and not report["not_sent"] else 2)

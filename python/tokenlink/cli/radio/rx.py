# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio rx``: receive bursts with the radio of a profile and measure them."""

from __future__ import annotations

import itertools

import typer

from tokenlink.cli.radio._common import (
    Address,
    Bursts,
    Calibration,
    Duration,
    Gain,
    Idle,
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

ROWS = (
    "bursts", "bursts_by_mode", "missed", "bler_by_group", "token_error_rate", "esn0_db", "evm_db", "cfo_hz",
    "power_dbfs", "clipped_bursts", "samples_per_s", "lost_samples", "valid", "why", "receiver", "counts",
)  # fmt: skip


def rx(
    profile: Profile = "virtual",
    bursts: Bursts = None,
    duration: Duration = None,
    idle: Idle = 10.0,
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
    """Receive and decode bursts, compare their tokens with those that ./twist radio tx sends.

    Example: ./twist radio rx --profile virtual --bursts 200
    """
    from tokenlink.cli.radio._common import chosen_gain, keys_to_radio, one_end, payload_of, show, write_json
    from tokenlink.cli.status_line import StatusLine
    from tokenlink.radio.ends import receive
    from tokenlink.radio.known_bursts import KnownTraffic, TrafficReceiver
    from tokenlink.radio.profiles import read_profile

    settings, (payload, table) = read_profile(profile), payload_of(system, mode_table)
    gain, at = chosen_gain(settings, "rx", gain, calibration), keys_to_radio(keys, radio_name)
    truth = KnownTraffic(settings.burst, table, seed, mode, payload)
    reader = TrafficReceiver(settings.burst, table, settings.samp_rate, truth, payload)
    reader.warm_up()
    n_came = itertools.count(1)

    def on_reception(reception):
        line.show(f"{next(n_came)} bursts, slot {reception.slot}, Es/N0 {reception.esn0_db:.1f} dB")

    with (
        StatusLine(f"the radio at {address or settings.address}") as line,
        one_end("rx", profile, settings, address, link, keys, at, wait, gain) as receiver,
    ):
        line.wait_for("bursts")
        report = receive(receiver, reader, settings, table, bursts, duration, max(idle, 0.1),
                         on_reception=on_reception)  # fmt: skip
    write_json(json, {"profile": settings.name, "link": link, "seed": seed, **report})
    show(f"rx, profile {settings.name}", [(name, report[name]) for name in ROWS])
    raise typer.Exit(0 if report["valid"] and report["bursts"] else 2)

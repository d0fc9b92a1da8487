# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio record``: samples of a radio to a SigMF recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tokenlink.cli.options import refuse, writable_new_file
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
    OptionalInt,
    Profile,
    RadioName,
    System,
    Table,
    Wait,
)

OUT = "Files OUT.sigmf-meta and OUT.sigmf-data."


def record(
    out: Annotated[Path, typer.Option(help=OUT, callback=writable_new_file)],
    profile: Profile = "virtual",
    bursts: Bursts = None,
    duration: Duration = None,
    idle: Idle = 10.0,
    datatype: Annotated[str, typer.Option(help="ci16_le or cf32_le.")] = "ci16_le",
    seed: Annotated[OptionalInt, typer.Option(help="Of ./twist radio tx, to note its tokens; default: none.")] = None,
    mode: Mode = None,
    gain: Gain = None,
    calibration: Calibration = None,
    link: Link = "forward",
    address: Address = None,
    wait: Wait = 60.0,
    system: System = "twist",
    mode_table: Table = None,
    keys: Keys = None,
    radio_name: RadioName = None,
    json: Json = None,
) -> None:
    """Record samples as SigMF, with slot, mode, channel and, where known, tokens of every burst that is found.

    Example: ./twist radio record --profile virtual --out recordings/first --bursts 20 --seed 1
    """
    from tokenlink.cli.radio._common import chosen_gain, keys_to_radio, one_end, payload_of, show, write_json
    from tokenlink.files.writing import WriteError
    from tokenlink.radio.ends import receive
    from tokenlink.radio.known_bursts import TrafficReceiver
    from tokenlink.radio.player import note_of, table_hash, tokens_sent, truth_of
    from tokenlink.radio.profiles import read_profile
    from tokenlink.radio.recording import RecordingError
    from tokenlink.radio.recording_writer import RecordingWriter, check_new

    if seed is None:
        refuse("without --seed: it says which mode ./twist radio tx was given", "mode")
    check_new(out, datatype)
    settings, (payload, table) = read_profile(profile), payload_of(system, mode_table)
    gain, at = chosen_gain(settings, "rx", gain, calibration), keys_to_radio(keys, radio_name)
    truth = truth_of(settings, table, seed, mode, payload)
    reader = TrafficReceiver(settings.burst, table, settings.samp_rate, truth, payload)
    freq = getattr(settings, settings.kind).rx.center_freq if settings.is_device else None
    about = {"description": settings.description, "profile": settings.name, "system": system,
             "mode_table_sha256": table_hash(mode_table or payload.table)}  # fmt: skip
    reader.warm_up()
    with one_end("rx", profile, settings, address, link, keys, at, wait, gain) as receiver:
        with RecordingWriter(out, settings.samp_rate, freq, datatype, about) as writer:

            def note(reception):
                writer.note(note_of(reception, settings.burst, tokens_sent(reception, truth)))

            try:
                report = receive(
                    receiver, reader, settings, table, bursts, duration, max(idle, 0.1),
                    lambda position, samples, jumped: writer.write(samples, position if jumped else None), note,
                )  # fmt: skip
            except WriteError as error:
                raise RecordingError(f"{error}; {writer.n_samples} samples before that are kept") from None
    write_json(json, {"profile": settings.name, "samples": writer.n_samples, **report})
    names = ("bursts", "missed", "token_error_rate", "esn0_db", "lost_samples", "valid", "why")
    show(f"recording {out}", [("samples", writer.n_samples), *((name, report[name]) for name in names)])
    raise typer.Exit(0 if writer.n_samples else 2)

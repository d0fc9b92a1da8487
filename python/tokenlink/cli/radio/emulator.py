# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio emulator``: the air of the virtual radio, as a process."""

from __future__ import annotations

from typing import Annotated

import typer

from tokenlink.cli.radio._common import Address, Duration, Json, Keys, OptionalPath, Profile, write_json

CHANNEL_OF = "config.json of a run folder: the n-th burst of link forward meets the channel of its slot n."


def emulator(
    profile: Profile = "virtual",
    address: Address = None,
    seed: Annotated[int, typer.Option(help="Added to the seeds of the profile's links.")] = 0,
    duration: Duration = None,
    keys: Keys = None,
    channel_of: Annotated[OptionalPath, typer.Option(help=CHANNEL_OF)] = None,
    json: Json = None,
) -> None:
    """Run the air of a virtual radio: samples in, impairments on, samples out, the same every time.

    Example: ./twist radio emulator --profile virtual
    """
    from tokenlink.cli.radio._common import load_keys
    from tokenlink.cli.status_line import StatusLine
    from tokenlink.loop.run_config import read_run_config
    from tokenlink.radio.profiles import read_profile
    from tokenlink.radio.radio_process import serve_virtual

    run = read_run_config(channel_of) if channel_of else None
    settings = read_profile(profile)
    with StatusLine("a transmitter and a receiver") as line:

        def on_step(emulator):
            if not line.is_due:
                return
            links = emulator.report()["links"]
            if any(each["tx"] or each["rx"] for each in links.values()):
                line.show("; ".join(_state(name, each, settings.samp_rate) for name, each in links.items()))

        report = serve_virtual(settings, address, seed, duration, load_keys(keys), print, run, on_step)
    write_json(json, report)
    for name, link in report["links"].items():
        counts = ", ".join(f"{cause} {n}" for cause, n in sorted(link["counts"].items()) if n) or "nothing came"
        print(f"{name}: {'in lock step' if link['in_lock_step'] else 'NOT in lock step'}; {counts}")


def _state(name, link, samp_rate):
    """A link in a few words."""
    ends = " and ".join(role for role in ("tx", "rx") if link[role]) or "nobody"
    return f"{name}: {ends}, {link['time_samples'] / samp_rate:.1f} s of samples"

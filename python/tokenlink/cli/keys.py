# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist keys``: CURVE keys for hosts that talk to each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tokenlink.cli.options import writable_folder


def keys(
    hosts: Annotated[str, typer.Option(help="Names of the hosts, at least two.")] = "tx,rx",
    out: Annotated[Path, typer.Option(help="Gets one folder for each host.", callback=writable_folder)] = Path("keys"),
) -> None:
    """Make CURVE keys: one folder for each host, to be copied there over a way you trust.

    Example: ./twist keys --out keys, then scp -rp keys/rx to the receiving host
    """
    from tokenlink.wire.curve_keys import SECRET_FILE, write_host_keys
    from tokenlink.wire.sockets import new_key_pair

    names = [name.strip() for name in hosts.split(",")]
    if len(set(names)) != len(names):
        raise ValueError(f"--hosts is {hosts!r}, expected different names")
    for folder in write_host_keys(out, {name: new_key_pair() for name in names}):
        print(f"{folder}: copy to host {folder.name} and delete it here; {SECRET_FILE} never leaves that host again")

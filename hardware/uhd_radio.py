#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that owns a USRP; ./twist radio starts it. Needs the uhd module of package python3-uhd.

    PYTHONPATH=python python3 hardware/uhd_radio.py serve --profile b210
"""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

from tokenlink.process.node import ERROR_PREFIX, NodeError  # noqa: E402
from tokenlink.radio.profiles import read_profile  # noqa: E402
from tokenlink.radio.usrp import DeviceError, Usrp  # noqa: E402
from tokenlink.radio.virtual_usrp import use_module  # noqa: E402


def main(arguments):
    """Serve or probe the USRP of a profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("serve", "probe"))
    parser.add_argument("--profile", required=True)
    parser.add_argument("--address")
    parser.add_argument("--keys")
    parser.add_argument("--sides", default="tx,rx", help="tx, rx, or both: what to open")
    options = parser.parse_args(arguments)
    profile = read_profile(options.profile)
    if profile.uhd is None:
        raise ValueError(f"profile {profile.name} is of kind {profile.kind}, must be uhd")
    use_module(profile.uhd.args)
    try:
        import uhd
    except ImportError as error:
        raise DeviceError(f"the uhd module is missing ({error}): sudo apt-get install python3-uhd uhd-host") from None
    usrp = Usrp(profile, uhd, tuple(options.sides.split(",")))
    for note in usrp.notes:
        print(f"note: {note}", flush=True)
    if options.verb == "probe":
        print(json.dumps({"facts": usrp.facts, "notes": usrp.notes}))
        return
    serve(usrp, profile, options)


def serve(usrp, profile, options):
    """Serve until SIGINT, SIGTERM or SIGHUP."""
    from tokenlink.radio.usrp_server import UsrpServer
    from tokenlink.wire.curve_keys import load_host_keys

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    keys = load_host_keys(options.keys) if options.keys else None
    server = UsrpServer(usrp, options.address or profile.address, keys)
    server.start()
    print(f"listening at {server.address}", flush=True)
    try:
        server.run(stop.is_set)
    finally:
        print(json.dumps(server.report()), flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (NodeError, ValueError, OSError) as error:
        print(f"{ERROR_PREFIX}{' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that owns a device of SoapySDR, by gr-soapy; ./twist radio starts it. Needs GNU Radio with gr-soapy.

    PYTHONPATH=python python3 hardware/soapy_radio.py serve --profile pluto --sides rx
"""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

import numpy as np  # noqa: E402

from tokenlink.process.node import ERROR_PREFIX, NodeError  # noqa: E402
from tokenlink.radio.profiles import read_profile  # noqa: E402
from tokenlink.radio.soapy import open_side  # noqa: E402
from tokenlink.radio.usrp import DeviceError  # noqa: E402


def main(arguments):
    """Serve the device of a profile, or look whether it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("serve", "probe"))
    parser.add_argument("--profile", required=True)
    parser.add_argument("--address")
    parser.add_argument("--keys")
    parser.add_argument("--sides", default="tx,rx", help="tx, rx, or both: what to open")
    options = parser.parse_args(arguments)
    profile, sides = read_profile(options.profile), options.sides.split(",")
    if profile.soapy is None:
        raise ValueError(f"profile {profile.name} is of kind {profile.kind}, must be soapy")
    if profile.soapy.half_duplex and len(sides) > 1:
        raise DeviceError(f"the device of profile {profile.name} sends or receives: use ./twist radio tx or rx")
    try:
        from gnuradio import soapy
    except ImportError as error:
        raise DeviceError(f"gr-soapy is missing ({error}): sudo apt-get install gnuradio") from None
    blocks = {side: open_side(profile, soapy, side) for side in sides}
    if options.verb == "probe":
        print(json.dumps({"antennas": {side: list(block.list_antennas(0)) for side, block in blocks.items()}}))
        return
    serve(profile, blocks, options)


def graph(blocks, server):
    """Flowgraph between the device and the server; it is not started."""
    from gnuradio import gr

    class source(gr.sync_block):
        def __init__(self):
            gr.sync_block.__init__(self, name="to_device", in_sig=[], out_sig=[np.complex64])

        def work(self, input_items, output_items):
            piece = server.samples(len(output_items[0]))
            output_items[0][: len(piece)] = piece
            return len(piece)

    class sink(gr.sync_block):
        def __init__(self):
            gr.sync_block.__init__(self, name="from_device", in_sig=[np.complex64], out_sig=[])

        def work(self, input_items, output_items):
            server.heard(input_items[0].copy())
            return len(input_items[0])

    top, ends = gr.top_block(), {"tx": source(), "rx": sink()}
    for side, block in blocks.items():
        top.connect(*((ends["tx"], block) if side == "tx" else (block, ends["rx"])))
    top.ends = ends  # kept: Python's blocks must outlive the graph
    return top


def serve(profile, blocks, options):
    """Serve until SIGINT, SIGTERM or SIGHUP."""
    from tokenlink.radio.soapy_server import SoapyServer
    from tokenlink.wire.curve_keys import load_host_keys

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    keys = load_host_keys(options.keys) if options.keys else None
    server = SoapyServer(profile, blocks, options.address or profile.address, keys)
    top = graph(blocks, server)

    def watch():
        top.wait()
        if not stop.is_set():
            server.fail("its stream ended")

    top.start()
    server.stop_streams = top.stop
    threading.Thread(target=watch, daemon=True).start()
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

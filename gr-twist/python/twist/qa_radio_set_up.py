# SPDX-License-Identifier: GPL-3.0-or-later
"""What flowgraphs set up beside the block of a radio, with a stand-in for gr-uhd; keys of the virtual radio."""

import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import gnuradio
from gnuradio import gr_unittest, twist
from gnuradio.twist._radio import load_keys
from gnuradio.twist._testing import block_test

from tokenlink.wire.curve_keys import load_host_keys, write_host_keys
from tokenlink.wire.errors import AddressRefused, KeysRefused
from tokenlink.wire.iq_server import IqServer
from tokenlink.wire.sockets import new_key_pair


class radio:
    """The methods of uhd.usrp_sink that are called; its rate is what the device made of it."""

    def __init__(self, samp_rate=1e6):
        self.calls, self._rate = [], samp_rate

    def set_stream_args(self, args):
        self.calls.append(("stream", *args))

    def set_bandwidth(self, hz, channel):
        self.calls.append(("bandwidth", hz, channel))

    def get_samp_rate(self):
        return self._rate


class qa_radio_set_up(block_test):
    def test_wire_format_stream_arguments_and_bandwidth_reach_the_radio(self):
        device = radio()
        uhd = SimpleNamespace(stream_args=lambda *args: args)  # the real one and the module uhd exclude each other
        with patch.dict(sys.modules, {"gnuradio.uhd": uhd}), patch.object(gnuradio, "uhd", uhd, create=True):
            twist.set_up_radio(device, 1e6, "sc8", "peak=0.1", 2e6)
        self.assertEqual(device.calls, [("stream", "fc32", "sc8", "peak=0.1", [0]), ("bandwidth", 2e6, 0)])
        plain = radio()
        twist.set_up_radio(plain, 1e6)
        self.assertEqual(plain.calls, [], "what is left out is left to UHD")

    def test_what_cannot_be_is_one_sentence(self):
        with self.assertRaisesRegex(SystemExit, "otw_format is 'fc32', must be sc16, sc12, sc8 or empty"):
            twist.set_up_radio(radio(), 1e6, "fc32")
        with self.assertRaisesRegex(SystemExit, "the device makes 990968 sample/s of 1e\\+06"):
            twist.set_up_radio(radio(30.72e6 / 31), 1e6)


class qa_virtual_keys(block_test):
    """Sink and source of a virtual radio that wants keys."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        names = ("tx", "rx", "air")
        self.keys = dict(zip(names, write_host_keys(Path(folder.name), {each: new_key_pair() for each in names}),
                             strict=True))

    def opens(self, make, **arguments):
        """Whether a radio that admits the hosts of keys/air serves this end, and what the radio refused."""
        with IqServer("tcp://127.0.0.1:*", {"forward": 1e6}, keys=load_host_keys(self.keys["air"])) as server:
            block = make(server.address, **arguments)
            end = block._sender if make is twist.virtual_sink else block._receiver
            for _ in range(100):
                server.serve(0.02)
                if end.wait_open(0.01):
                    break
            end.close()
            return end.is_open, server.counts["PeerRefused"]

    def test_ends_with_keys_are_served_and_others_are_not(self):
        for make, name in ((twist.virtual_sink, "tx"), (twist.virtual_source, "rx")):
            self.assertEqual(self.opens(make, keys=str(self.keys[name]), peer="air"), (True, 0))
            is_open, refused = self.opens(make)
            self.assertFalse(is_open)
            self.assertGreater(refused, 0, "a client without keys is counted")

    def test_without_keys_no_radio_beyond_this_machine(self):
        for make in (twist.virtual_sink, twist.virtual_source):
            with self.assertRaisesRegex(AddressRefused, "tcp://10.9.8.7:5560 is not on this machine: needs CURVE keys"):
                make("tcp://10.9.8.7:5560")
            make("tcp://127.0.0.1:5560", keys=str(self.keys["tx"]), peer="air").stop()

    def test_keys_that_name_no_peer_are_refused(self):
        with self.assertRaisesRegex(KeysRefused, "peer is empty, and .* has keys of several hosts"):
            load_keys(str(self.keys["tx"]), "")
        with self.assertRaisesRegex(KeysRefused, "peer is 'moon'"):
            load_keys(str(self.keys["tx"]), "moon")
        self.assertIsNone(load_keys("", ""))


if __name__ == "__main__":
    gr_unittest.run(qa_radio_set_up)

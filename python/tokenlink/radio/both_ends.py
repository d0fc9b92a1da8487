# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of a radio in one process: every burst that is sent is looked for, and what became of it is measured."""

from __future__ import annotations

import tempfile
import threading
import time

import numpy as np

from tokenlink.radio.ends import receive, transmit
from tokenlink.radio.known_bursts import TWIST, KnownTraffic, TrafficReceiver
from tokenlink.radio.session import open_end, radio_process

IDLE_S = 3.0
#: counters of the receiver that say why something detected was no burst of ours
HEADER_FAILURES = ("header_crc", "header_version", "header_fields")
NO_DROPS = ("samples", "bursts")


class _Stamped:
    """KnownTraffic that notes when each burst went to the radio."""

    def __init__(self, traffic):
        self._traffic, self.handed_over_s = traffic, {}

    def warm_up(self):
        self._traffic.warm_up()

    def samples(self, slot):
        samples = self._traffic.samples(slot)
        self.handed_over_s[slot] = time.monotonic()
        return samples


def link_test(profile_name, profile, table, n_bursts, seed=1, mode_id=None, address=None, keys=None, keys_folder=None,
              link="forward", on_burst=lambda slot: None, payload=TWIST):  # fmt: skip
    """Send bursts over a profile's radio, receive them, and report.

    Parameters
    ----------
    profile_name : str         as given to read_profile
    profile : RadioProfile     with forward link; a virtual radio is started for the test unless ``address`` names one
    table : ModeTable          or that of another system
    n_bursts : int             >= 1
    seed, mode_id : int        of the tokens; mode of all bursts, None: one after the other
    address : str or None      of a radio's process that runs already
    keys, keys_folder : CurveKeys and Path   for addresses beyond this machine
    link : str
    on_burst : callable        gets the slot of each burst received
    payload : Payload          of the system

    Returns
    -------
    dict   see ``report``

    Raises
    ------
    ValueError   n_bursts < 1
    NodeError    the radio does not answer
    """
    if n_bursts < 1:
        raise ValueError(f"n_bursts is {n_bursts}, expected >= 1")
    traffic = KnownTraffic(profile.burst, table, seed, mode_id, payload)
    stamped, arrived_s, sent = _Stamped(traffic), {}, {}
    reader = TrafficReceiver(profile.burst, table, profile.samp_rate, traffic, payload)
    reader.warm_up()  # compiles, before the first latency is taken

    def on_reception(reception):
        arrived_s.setdefault(reception.slot, []).append(time.monotonic())
        on_burst(reception.slot)

    with tempfile.TemporaryDirectory(prefix="twist-") as folder:
        ours = profile.kind == "virtual" and address is None
        address = f"ipc://{folder}/radio" if ours else address
        start = True if ours else (False if address else None)
        with (
            radio_process(profile_name, profile, address, keys_folder, start) as child,
            open_end("rx", profile, address, link, keys, child) as receiver,
            open_end("tx", profile, address, link, keys, child) as sender,
        ):
            thread = threading.Thread(
                target=lambda: sent.update(transmit(sender, stamped, profile, n_bursts)), daemon=True
            )
            thread.start()
            received = receive(
                receiver, reader, profile, table, n_bursts, idle_s=IDLE_S, on_reception=on_reception,
                stopping=lambda: not thread.is_alive() and not sent,
            )  # fmt: skip
            thread.join(IDLE_S)
    return report(profile, n_bursts, sent, received, stamped.handed_over_s, arrived_s)


def report(profile, n_bursts, sent, received, handed_over_s, arrived_s):
    """Figures of a link test.

    Parameters
    ----------
    profile : RadioProfile
    n_bursts : int
    sent, received : dict            of ``transmit`` and ``receive``
    handed_over_s, arrived_s : dict  slot -> monotonic time, s, and list of them

    Returns
    -------
    dict   "detected": preambles, "header_ok": bursts sent that were read, "lost", "false": bursts nobody sent,
           "repeated", "drops" by cause, "latency_ms" p50 and p99 from samples at the radio to tokens decided, peaks of
           what was sent, and the figures and verdicts of both ends
    """
    ours = arrived_s.keys() & handed_over_s.keys()
    latency_s = [min(arrived_s[slot]) - handed_over_s[slot] for slot in ours]
    counters = received["receiver"]
    names = ("bursts_by_mode", "bler_by_group", "token_error_rate", "evm_db", "esn0_db", "cfo_hz", "power_dbfs",
             "clipped_bursts", "samples_per_s", "lost_samples")  # fmt: skip
    why = [f"{end}: {each['why']}" for end, each in (("tx", sent), ("rx", received)) if each.get("why")]
    return {
        "profile": profile.name,
        "asked": n_bursts,
        "sent": sent.get("sent", 0),
        "detected": counters.get("bursts", 0) + sum(counters.get(name, 0) for name in HEADER_FAILURES),
        "header_ok": len(ours),
        "lost": sent.get("sent", 0) - len(ours),
        "false": len(arrived_s.keys() - handed_over_s.keys()),
        "repeated": sum(len(times) - 1 for times in arrived_s.values()),
        **{name: received[name] for name in names},
        **{name: sent.get(name) for name in ("papr_db", "peak_dbfs", "over_full_scale")},
        "drops": {name: n for name, n in counters.items() if name not in NO_DROPS},
        "latency_ms": _latency(latency_s),
        "ends": {"tx": sent.get("counts", {}), "rx": received["counts"]},
        "valid": bool(sent) and not why,
        "why": "; ".join(why) if sent else "the transmitter stopped",
    }


def _latency(latency_s):
    if not latency_s:
        return {"p50": None, "p99": None}
    return {f"p{share}": float(1000 * np.percentile(latency_s, share)) for share in (50, 99)}

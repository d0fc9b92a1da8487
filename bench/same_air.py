# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a virtual USRP changes what bursts meet: the same bursts over the same air, with it and without.

    python bench/same_air.py [--bursts 200] [--mode 1] [--esn0-db 4 5 6] [--seed 1]

Without: the virtual radio. With: the process that owns a USRP, UHD, and the virtual USRP, whose antennas are at the
same emulator's links. For each Es/N0 the same slots are sent both ways and measured burst by burst: BLER of all groups,
wrong tokens of a twin that keeps its state where a burst does not come (TSMR), Es/N0 as the receiver estimates it. BLER
has its Wilson interval, the rest Student's, and so have the differences, slot by slot; p-values are corrected for being
judged together (Holm). Noise is drawn by the air's time, so it is not the same both ways. Written to standard output as
Markdown; ends with 1 where a difference is not what chance gives at 5 %.
"""

import argparse
import tempfile
import threading
from contextlib import ExitStack
from math import sqrt
from pathlib import Path

import numpy as np

from tokenlink.link.modes import load_mode_table
from tokenlink.measure.intervals import holm, means_interval
from tokenlink.phy.frame import BurstConfig
from tokenlink.radio.ends import receive, transmit
from tokenlink.radio.known_bursts import KnownTraffic, TrafficReceiver
from tokenlink.radio.profiles import parse_profile, read_profile
from tokenlink.radio.radio_process import make_emulator, wait_for_radio
from tokenlink.radio.session import open_end, radio_process
from tokenlink.radio.virtual_usrp import at_an_air
from tokenlink.wire.iq_streams import IqReceiver, IqSender

TABLE, RATE, IDLE_S = load_mode_table(), 1e6, 3.0
WITHOUT, WITH = "virtual radio", "virtual USRP"
TIMING = {"lead_s": 0.3, "slot_s": 0.05, "warmup_bursts": 0}
FIGURES = ("bler", "tsmr", "esn0_db")


def air(esn0_db, waits):
    """RadioProfile of an air: noise so that bursts have an Es/N0; it waits for its ends or does not, as for a USRP."""
    burst = BurstConfig()
    noise_dbfs = 20 * np.log10(burst.amplitude) + 10 * np.log10(burst.pulse.sps) - esn0_db
    link = {"seed": 31, "impairments": {"noise_dbfs": float(noise_dbfs), "cfo_hz": 500.0}}
    patience = {"start_s": 60.0, "stall_s": 10.0} if waits else {"start_s": 0.0, "stall_s": 0.5}
    return parse_profile({"kind": "virtual", "samp_rate": RATE, "timing": TIMING, "virtual": {
        "address": "tcp://127.0.0.1:*", **patience, "links": {"forward": link}}})  # fmt: skip


def usrp(emulator, folder):
    """RadioProfile, read from a file in a folder, of a virtual USRP that hears itself over an emulator."""
    path = folder / "usrp.yaml"
    text = {"kind": "uhd", "samp_rate": RATE, "timing": TIMING, "uhd": {
        "args": "type=twist_virtual", "address": f"ipc://{folder}/radio",
        "tx": {"gain_db": 45.0, "subdev": "A:A"}, "rx": {"gain_db": 38.0, "subdev": "A:A"}}}  # fmt: skip
    profile = at_an_air(parse_profile(text), emulator.address, "forward", "forward")
    text["uhd"]["args"] = profile.uhd.args
    path.write_text(str(text))  # YAML reads it
    return path, read_profile(path)


def over(kind, esn0_db, n_bursts, mode_id, seed):
    """Receptions by slot: dict. What was sent or received with a mishap is no measurement: RuntimeError."""
    with ExitStack() as stack:
        profile, stop = air(esn0_db, waits=kind == WITHOUT), threading.Event()
        emulator = stack.enter_context(make_emulator(profile))
        serving = threading.Thread(target=emulator.run, args=(stop.is_set,))
        serving.start()
        stack.callback(serving.join), stack.callback(stop.set)
        if kind == WITH:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            path, profile = usrp(emulator, folder)
            child = stack.enter_context(radio_process(path, profile, start=True))
            rx, tx = (stack.enter_context(open_end(role, profile, child=child)) for role in ("rx", "tx"))
        else:
            rx, tx = (stack.enter_context(end(emulator.address)) for end in (IqReceiver, IqSender))
            wait_for_radio(rx), wait_for_radio(tx)
        return exchange(profile, tx, rx, n_bursts, mode_id, seed)


def exchange(profile, tx, rx, n_bursts, mode_id, seed):
    """Receptions by slot of bursts sent at one end and received at the other."""
    traffic, sent, came = KnownTraffic(profile.burst, TABLE, seed, mode_id), {}, {}
    reader = TrafficReceiver(profile.burst, TABLE, RATE, traffic).warm_up()
    sending = threading.Thread(target=lambda: sent.update(transmit(tx, traffic, profile, n_bursts)))
    sending.start()
    got = receive(rx, reader, profile, TABLE, duration_s=None, idle_s=IDLE_S,
                  on_reception=lambda each: came.setdefault(each.slot, each),
                  stopping=lambda: not sending.is_alive() and rx.position > tx.position)  # fmt: skip
    sending.join()
    if not (sent["valid"] and got["valid"] and sent["sent"] == n_bursts):
        raise RuntimeError(f"the run is not valid: {sent['why']} {got['why']}, {sent['sent']} sent")
    return came


def by_slot(came, n_bursts, mode_id, seed):
    """Figures of each slot: dict of float [n_bursts]; Es/N0 is NaN where no burst came."""
    traffic, n_groups = KnownTraffic(BurstConfig(), TABLE, seed, mode_id), TABLE.n_groups
    found = {name: np.full(n_bursts, np.nan) for name in FIGURES}
    state = np.full(TABLE.n_tokens, -1)
    for slot in range(n_bursts):
        burst = came.get(slot)
        state = state if burst is None else burst.token_ids
        failed = n_groups if burst is None else np.count_nonzero(~burst.parity_ok)
        found["bler"][slot], found["tsmr"][slot] = failed / n_groups, np.mean(state != traffic.tokens(slot))
        found["esn0_db"][slot] = np.nan if burst is None else burst.esn0_db
    return found


def wilson(k, n, z=1.96):
    """Bounds of a share of k in n at 95 %."""
    centre, reach = (k + z * z / 2) / (n + z * z), z / (n + z * z) * sqrt(k * (n - k) / n + z * z / 4)
    return centre - reach, centre + reach


def interval(name, values):
    """Mean and interval of a figure as text."""
    values = values[~np.isnan(values)]
    if name != "bler":
        found = means_interval(values)
        return f"{found.mean:.4f} [{found.low:.4f}, {found.high:.4f}]"
    k, n = round(values.sum() * TABLE.n_groups), len(values) * TABLE.n_groups
    low, high = wilson(k, n)
    return f"{k} of {n}: {k / n:.4f} [{low:.4f}, {high:.4f}]"


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bursts", type=int, default=200)
    parser.add_argument("--mode", type=int, default=1, help="mode_id of all bursts")
    parser.add_argument("--esn0-db", type=float, nargs="+", default=[4.0, 5.0, 6.0])
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rows, p_values = [], []
    for esn0_db in chosen.esn0_db:
        asked = (chosen.bursts, chosen.mode, chosen.seed)
        came = {kind: over(kind, esn0_db, *asked) for kind in (WITHOUT, WITH)}
        found = {kind: by_slot(each, *asked) for kind, each in came.items()}
        for name in FIGURES:
            apart = found[WITH][name] - found[WITHOUT][name]
            apart = means_interval(apart[~np.isnan(apart)])
            p_values.append(apart.p_value())
            both = " | ".join(interval(name, found[kind][name]) for kind in (WITHOUT, WITH))
            rows.append(f"| {esn0_db:g} | {name} | {both} | {apart.mean:+.4f} [{apart.low:+.4f}, {apart.high:+.4f}] |")
    adjusted = holm(p_values)
    print(f"{chosen.bursts} bursts of mode {TABLE.mode(chosen.mode).name} each, seed {chosen.seed}\n")
    print(f"| Es/N0, dB | | {WITHOUT} | {WITH} | difference | p, Holm |\n|---|---|---|---|---|---|")
    print("\n".join(f"{row} {p:.2f} |" for row, p in zip(rows, adjusted, strict=True)))
    raise SystemExit(int(min(adjusted) < 0.05))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the recordings burst_*.sigmf-*: run it by hand, and say in the commit why they change.

    PYTHONPATH=python .venv/bin/python tests/vectors/make_recordings.py
"""

from pathlib import Path

import numpy as np

from tokenlink.link.modes import load_mode_table
from tokenlink.radio.known_bursts import KnownTraffic, TrafficReceiver
from tokenlink.radio.player import note_of
from tokenlink.radio.profiles import read_profile
from tokenlink.radio.recording import META
from tokenlink.radio.recording_writer import RecordingWriter
from tokenlink.radio.virtual_air import VirtualAir

FOLDER = Path(__file__).parent
SEED, SLOT = 2026, 100
SILENCE = 300


def main():
    """One burst of each mode through the air of profile virtual, and what its receiver made of it."""
    profile, table = read_profile("virtual"), load_mode_table()
    for mode in table.modes:
        path = FOLDER / f"burst_{mode.name}"
        for old in FOLDER.glob(f"{path.name}.sigmf-*"):
            old.unlink()
        traffic = KnownTraffic(profile.burst, table, SEED, mode.mode_id)
        sent = np.pad(traffic.samples(SLOT + mode.mode_id), SILENCE)
        samples = VirtualAir(profile.impairments("forward"), SEED + mode.mode_id).process(sent)
        reader = TrafficReceiver(profile.burst, table, profile.samp_rate, traffic)
        receptions = reader.feed(samples) + reader.flush()
        assert [each.wrong_tokens for each in receptions] == [0], mode.name
        text = f"one burst of mode {mode.name} through the air of profile virtual"
        about = {"description": text, "profile": "virtual"}
        with RecordingWriter(path, profile.samp_rate, None, "ci16_le", about) as writer:
            writer.write(samples, 0)
            writer.note(note_of(receptions[0], profile.burst, traffic.tokens(SLOT + mode.mode_id)))
        print(f"{path}{META}: {len(samples)} samples, Es/N0 {receptions[0].esn0_db:.1f} dB")


if __name__ == "__main__":
    main()

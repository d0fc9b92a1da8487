# SPDX-License-Identifier: GPL-3.0-or-later
"""How far each impairment may go: bursts delivered and their error vector, one impairment at a time."""

from __future__ import annotations

import numpy as np

from tokenlink.channel.impairments import ImpairmentProfile, ImpairmentStream, noise_dbfs_at
from tokenlink.phy import qam
from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import Header
from tokenlink.phy.receiver import BurstReceiver

#: Es/N0 in dB at which impairments are tried: enough for the weakest code rate, 5/6, with 8 dB to spare
ESN0_DB = 20.0
PAYLOAD_SYMBOLS = 1280
#: name -> fields of an ImpairmentProfile, from none to what breaks
RANGES = {
    "none": [{}],
    "cfo_hz": [{"cfo_hz": value} for value in (20e3, -49e3, 49e3, 75e3, 100e3)],
    "sro_ppm": [{"sro_ppm": value} for value in (10.0, -20.0, 20.0, 50.0)],
    "gain_db": [{"gain_db": value} for value in (-20.0, -40.0, -60.0)],
    "phase_noise_linewidth_hz": [{"phase_noise_linewidth_hz": value} for value in (1.0, 5.0, 20.0, 100.0)],
    "doppler_hz": [{"fading": "rician", "rician_k_db": 10.0, "doppler_hz": v} for v in (5.0, 20.0, 50.0, 100.0)],
    "iq_imbalance": [{"iq_gain_db": g, "iq_phase_deg": p} for g, p in ((0.2, 1.0), (0.5, 3.0), (1.0, 5.0))],
    "dc": [{"dc_real": value} for value in (0.05, 0.2, 0.5)],
    "adc_bits": [{"adc_bits": value} for value in (12, 8, 6, 5)],
    "echo": [
        {"tap_delays_s": (0.0, delay), "tap_powers_db": (0.0, power), "tap_phases_deg": (0.0, 100.0)}
        for delay, power in ((1e-6, -6.0), (2e-6, -6.0), (4e-6, -6.0), (4e-6, -3.0), (16e-6, -6.0), (28e-6, -6.0))
    ],
}


def impaired_bursts(fields, bursts, seed, esn0_db=ESN0_DB, config=None):
    """Bursts of 16QAM through one profile.

    Parameters
    ----------
    fields : dict        of ImpairmentProfile, with no noise and samp_rate as there
    bursts : int         each with noise, fading and payload of its own
    seed : int
    esn0_db : float      before the impairments
    config : BurstConfig   default: the one that ships

    Returns
    -------
    dict   sent, delivered; evm_db and reported_esn0_db over the delivered ones, None where there are none
    """
    config, errors, reported = config or BurstConfig(), [], []
    level = 20 * np.log10(config.amplitude) + fields.get("gain_db", 0.0)
    noise_dbfs = noise_dbfs_at(esn0_db, level, config.pulse.sps)
    quiet = np.zeros(1500, np.complex64)
    for i in range(bursts):
        rng = np.random.default_rng((seed, i))
        payload = qam.map_bits(rng.integers(0, 2, 4 * PAYLOAD_SYMBOLS, dtype=np.uint8), "16qam")
        samples = np.concatenate([quiet, modulate_burst(Header(0, 0, i, i, len(payload)), payload, config), quiet])
        stream = ImpairmentStream(ImpairmentProfile(noise_dbfs=noise_dbfs, **fields), int(rng.integers(1 << 31)))
        receiver = BurstReceiver(config)
        for burst in receiver.feed(stream.process(samples)) + receiver.flush():
            errors.append(np.mean(np.abs(burst.payload / burst.channel_gain - payload) ** 2))
            reported.append(burst.esn0_db)
    return {
        "sent": bursts,
        "delivered": len(errors),
        "evm_db": float(10 * np.log10(np.median(errors))) if errors else None,
        "reported_esn0_db": float(np.median(reported)) if reported else None,
    }


def impairment_ranges(bursts, seed, progress=lambda: None):
    """`impaired_bursts` for all of RANGES: list of dict, each with `name` and `fields` beside the figures."""
    rows = []
    for name, steps in RANGES.items():
        for fields in steps:
            rows.append({"name": name, "fields": fields} | impaired_bursts(fields, bursts, seed))
            progress()
    return rows

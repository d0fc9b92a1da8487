# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain of impairments: each does what its field says, and cuts, repetition and order of calls change nothing."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import special, stats

from tokenlink.channel.impairments import (
    ImpairmentProfile,
    ImpairmentStream,
    load_profile,
    noise_dbfs_at,
    read_profile,
)
from tokenlink.channel.iq_imbalance import iq_imbalance, quantise
from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import Header
from tokenlink.phy.receiver import BurstReceiver

N = 16384
EVERYTHING = ImpairmentProfile(
    delay_samples=3.3, sro_ppm=40.0, tap_delays_s=(0.0, 1.3e-6, 4e-6), tap_powers_db=(0, -4, -9), fading="rician",
    doppler_hz=200.0, gain_db=-7.0, cfo_hz=31e3, phase_noise_linewidth_hz=50.0, noise_dbfs=-40.0, iq_gain_db=0.3,
    iq_phase_deg=1.0, dc_real=0.01, dc_imag=-0.02, adc_bits=10,
)  # fmt: skip


def tone(frequency, n=N, level=0.5):
    return (level * np.exp(2j * np.pi * frequency * np.arange(n))).astype(np.complex64)


def through(samples, seed=1, **fields):
    return ImpairmentStream(ImpairmentProfile(**fields), seed).process(samples)


@pytest.mark.parametrize("profile", [EVERYTHING, ImpairmentProfile(noise_dbfs=-20.0, fading="rayleigh")])
def test_cuts_change_no_bit(profile):
    rng = np.random.default_rng(1)
    samples = (0.1 * rng.standard_normal((N, 2)) @ [1, 1j]).astype(np.complex64)
    whole = ImpairmentStream(profile, 5).process(samples)
    for sizes in ([1], [7, 100], [4096], [0, 33, 2500]):
        stream = ImpairmentStream(profile, 5)
        cuts = np.cumsum(np.resize(sizes, N))
        parts = [stream.process(part) for part in np.split(samples, cuts[cuts < N])]
        assert (np.concatenate(parts) == whole).all()
    assert not (ImpairmentStream(profile, 6).process(samples) == whole).all(), "another seed, another channel"


def test_a_wire_changes_nothing():
    samples = tone(0.1)
    assert (ImpairmentStream(ImpairmentProfile(), 1).process(samples) == samples).all()
    stream = ImpairmentStream(ImpairmentProfile(gain_db=3.0), 1)
    kept = samples.copy()
    stream.process(samples)
    assert (samples == kept).all(), "the caller's array stays as it was"


def test_carrier_offset_and_gain():
    out = through(tone(0.1), cfo_hz=-49e3, gain_db=6.0)
    expected = 0.5 * 10**0.3 * np.exp(2j * np.pi * 0.051 * np.arange(N))
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize("sro_ppm, delay", [(0.0, 7.25), (10.0, 0.0), (-500.0, 2.5), (500.0, 0.0)])
def test_clock_takes_the_signal_at_other_instants(sro_ppm, delay):
    stream = ImpairmentStream(ImpairmentProfile(sro_ppm=sro_ppm, delay_samples=delay), 1)
    for frequency in (-0.4, 0.3):
        stream = ImpairmentStream(ImpairmentProfile(sro_ppm=sro_ppm, delay_samples=delay), 1)
        out = stream.process(tone(frequency))
        assert len(out) == np.ceil(N * (1 + 1e-6 * sro_ppm))
        instants = np.arange(len(out)) / (1 + 1e-6 * sro_ppm) - delay - stream.latency_samples
        assert np.abs(out - 0.5 * np.exp(2j * np.pi * frequency * instants))[60:].max() < 1e-3


def test_noise_has_its_power_and_is_white_and_circular():
    noise = through(np.zeros(200_000), noise_dbfs=-30.0)
    low, high = stats.chi2.interval(0.999, 2 * len(noise)) / np.array(2 * len(noise))
    assert low < np.mean(np.abs(noise) ** 2) / 1e-3 < high
    for lag in (1, 2, 5):
        assert abs(np.mean(noise[lag:] * noise[:-lag].conj())) < 4e-3 / np.sqrt(len(noise)) * 1.1
    assert abs(np.mean(noise**2)) < 4e-3 / np.sqrt(len(noise)) * 1.5


def test_noise_for_an_esn0_gives_it():
    """The Es/N0 a receiver measures on a burst is the one the noise was chosen for."""
    config, rng = BurstConfig(), np.random.default_rng(2)
    payload = np.exp(0.5j * np.pi * rng.integers(0, 4, 4000)).astype(np.complex64)
    burst = np.concatenate([np.zeros(500), modulate_burst(Header(0, 0, 0, 0, 4000), payload, config)])
    level = 20 * np.log10(config.amplitude) - 12.0
    received = through(burst, gain_db=-12.0, noise_dbfs=noise_dbfs_at(9.0, level, config.pulse.sps))
    receiver = BurstReceiver(config)
    (found,) = receiver.feed(received) + receiver.flush()
    assert found.esn0_db == pytest.approx(9.0, abs=0.25)


def test_phase_noise_has_a_lorentzian_line():
    out = through(np.full(400_000, 0.5), phase_noise_linewidth_hz=500.0)
    for lag in (1, 10, 100):
        measured = np.mean(out[:-lag].conj() * out[lag:]).real / 0.25
        assert 1 - measured == pytest.approx(1 - np.exp(-np.pi * 500.0 * lag * 1e-6), rel=0.1)


def test_receiver_front_end_is_that_of_its_functions():
    samples = tone(0.11)
    out = through(samples, iq_gain_db=1.0, iq_phase_deg=-4.0)
    assert (out == iq_imbalance(samples, 1.0, -4.0)).all()
    assert np.mean(through(samples, dc_real=0.1, dc_imag=-0.3)) == pytest.approx(0.1 - 0.3j, abs=1e-3)
    assert (through(4 * samples, adc_bits=8) == quantise(4 * samples, 8)).all()


@pytest.mark.parametrize("delays", [(0.0, 3e-6), (0.0, 2.4e-6, 7.7e-6)], ids=["whole", "fractions"])
def test_static_taps_have_the_frequency_response_of_their_sum(delays):
    powers_db, phases = (0.0, -6.0, -3.0)[: len(delays)], (10.0, 100.0, -50.0)[: len(delays)]
    fields = dict(tap_delays_s=delays, tap_powers_db=powers_db, tap_phases_deg=phases)
    latency = ImpairmentStream(ImpairmentProfile(**fields), 1).latency_samples
    assert latency == (24 if len(delays) == 3 else 0)
    power = 10 ** (np.array(powers_db) / 10)
    taps = np.sqrt(power / power.sum()) * np.exp(1j * np.deg2rad(phases))
    for frequency in (-0.35, -0.1, 0.05, 0.3):
        response = np.sum(taps * np.exp(-2j * np.pi * frequency * (1e6 * np.array(delays) + latency)))
        out = through(tone(frequency, 500), **fields)
        assert out[200] / tone(frequency, 500)[200] == pytest.approx(response, abs=2e-3)


def test_fading_has_mean_power_one_and_the_correlation_of_clarke():
    """1,500 seeds of 301 samples at a Doppler of 0.01 cycles per sample; Jakes' J0 within 4 sigma."""
    profile = ImpairmentProfile(fading="rayleigh", doppler_hz=1e4)
    lags = np.array([0, 20, 38, 60, 100])
    gains = np.array([ImpairmentStream(profile, seed).process(np.ones(101)) for seed in range(1500)])
    measured = np.mean(gains[:, :1].conj() * gains[:, lags], axis=0)
    np.testing.assert_allclose(measured, special.j0(2 * np.pi * 0.01 * lags), atol=4 / np.sqrt(1500))


def test_line_of_sight_has_its_share():
    gains = np.array([through(np.ones(1), seed, fading="rician", rician_k_db=6.0)[0] for seed in range(3000)])
    k = 10**0.6
    std = np.sqrt(1 + 2 * k) / (1 + k)
    assert abs(np.mean(np.abs(gains) ** 2) - 1) < 4 * std / np.sqrt(3000)
    assert np.std(np.abs(gains) ** 2) == pytest.approx(std, rel=0.1)


def test_a_gain_is_interpolated_finely():
    """Linear interpolation between grid points of 1/128 Doppler period: 60 dB below the gain, against the exact sum."""
    from tokenlink.channel.tdl import FadingStream, draw_paths

    weights, frequencies = draw_paths(1e-4, np.random.default_rng(7))
    got = FadingStream(weights, frequencies).process(20_000)
    exact = np.exp(2j * np.pi * np.outer(np.arange(20_000), frequencies)) @ weights
    assert np.mean(np.abs(got - exact) ** 2) < 1e-6 * np.mean(np.abs(exact) ** 2)


def test_live_fields_change_from_the_next_sample_on():
    stream = ImpairmentStream(ImpairmentProfile(), 1)
    stream.process(tone(0.1))
    stream.set(gain_db=-20.0, cfo_hz=0.0)
    np.testing.assert_allclose(np.abs(stream.process(tone(0.1))), 0.05, rtol=1e-4)
    with pytest.raises(ValueError, match="sro_ppm cannot change"):
        stream.set(sro_ppm=1.0)


def test_a_profile_is_read_from_yaml(tmp_path):
    path = tmp_path / "street.yaml"
    path.write_text("cfo_hz: 12000\nfading: rician\ntap_delays_s: [0, 2.0e-6]\ntap_powers_db: [0, -8]\n")
    profile = read_profile(path)
    assert profile.cfo_hz == 12000 and profile.tap_delays_s == (0, 2e-6)
    path.write_text("fading: [")
    with pytest.raises(ValueError, match="street.yaml"):
        read_profile(path)


@pytest.mark.parametrize(
    "raw, name",
    [
        ([], "mapping"),
        ({"cfo": 1}, "cfo"),
        ({"cfo_hz": 6e5}, "cfo_hz"),
        ({"samp_rate": 0}, "samp_rate"),
        ({"sro_ppm": 2000}, "sro_ppm"),
        ({"gain_db": "loud"}, "gain_db"),
        ({"gain_db": float("nan")}, "gain_db"),
        ({"noise_dbfs": True}, "noise_dbfs"),
        ({"fading": "lognormal"}, "fading"),
        ({"adc_bits": 8.5}, "adc_bits"),
        ({"doppler_hz": -1}, "doppler_hz"),
        ({"tap_delays_s": 3}, "tap_delays_s"),
        ({"tap_delays_s": [0, 1e-6]}, "tap_delays_s|delays_s"),
        ({"tap_delays_s": [10.0]}, "tap_delays_s"),
        ({"tap_phases_deg": [1, 2]}, "tap_phases_deg"),
    ],
)
def test_bad_fields_are_named(raw, name):
    with pytest.raises(ValueError, match=name):
        load_profile(raw)
    with pytest.raises(ValueError, match="seed"):
        ImpairmentStream(ImpairmentProfile(), -1)
    with pytest.raises(ValueError, match="shape"):
        ImpairmentStream(ImpairmentProfile(), 1).process(np.zeros((2, 2)))


def test_the_profile_in_the_documentation_is_one():
    text = (Path(__file__).parents[3] / "docs" / "burst.md").read_text()
    profile = load_profile(yaml.safe_load(text.split("```yaml")[1].split("```")[0]))
    assert profile.fading == "rician" and len(profile.tap_delays_s) == 2

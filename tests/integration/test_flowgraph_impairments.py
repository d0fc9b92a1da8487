# SPDX-License-Identifier: GPL-3.0-or-later
"""The hierarchical block of impairments: each does what it says, measured on its output."""

import importlib
import sys

import numpy as np
import pytest
from scipy.special import j0

from tokenlink.radio.flowgraph import compile_hierarchical

pytest.importorskip("gnuradio")
from gnuradio import blocks, gr  # noqa: E402

RATE = 1e6
TONE_HZ = 31_250.0
EDGE = 64  # samples at either end that a filter may miss
SIGMAS = 5


@pytest.fixture(scope="module")
def impairments(tmp_path_factory):
    folder = compile_hierarchical(tmp_path_factory.mktemp("grc"))
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("impairments").impairments
    finally:
        sys.path.remove(str(folder))


@pytest.fixture
def apply(impairments):
    def run(samples, **parameters):
        top, sink = gr.top_block(), blocks.vector_sink_c()
        top.connect(blocks.vector_source_c(samples.tolist()), impairments(samp_rate=RATE, **parameters), sink)
        top.run()
        return np.array(sink.data(), np.complex64)

    return run


def tone(n, frequency_hz=TONE_HZ):
    return np.exp(2j * np.pi * frequency_hz / RATE * np.arange(n)).astype(np.complex64)


def white(n, seed=1):
    return (np.random.default_rng(seed).standard_normal((n, 2)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)


def frequency_hz(samples):
    """Of a tone: slope of its phase."""
    phase = np.unwrap(np.angle(samples[EDGE:-EDGE].astype(np.complex128)))
    return np.polyfit(np.arange(phase.size), phase, 1)[0] * RATE / (2 * np.pi)


def amplitude_at(samples, frequency):
    """Complex amplitude of a tone of known frequency; windowed, so that others do not leak into it."""
    window = np.blackman(samples.size)
    return np.sum(window * samples * tone(samples.size, -frequency)) / window.sum()


def test_nothing_is_done_unless_asked_for(apply):
    samples = white(20_000)
    got = apply(samples)
    lag = int(np.argmax(np.abs(np.correlate(got[:4000], samples[:4000], "full")))) - 3999
    shifted = samples[-lag:] if lag < 0 else samples
    n = min(shifted.size, got.size) - EDGE
    assert abs(lag) < EDGE and np.mean(np.abs(got[EDGE:n] - shifted[EDGE:n]) ** 2) < 1e-6


def test_noise_has_its_power_and_is_white_and_circular(apply):
    n = 200_000
    got = apply(np.zeros(n, np.complex64), noise_dbfs=-20.0, seed=3) / 0.1
    bound = SIGMAS / np.sqrt(got.size)
    assert abs(np.mean(np.abs(got) ** 2) - 1) < bound
    assert abs(np.mean(got**2)) < 2 * bound and abs(np.mean(got)) < bound
    assert all(abs(np.mean(got[lag:] * got[:-lag].conj())) < bound for lag in (1, 2, 7))


@pytest.mark.parametrize("cfo_hz", [-60_000.0, 1234.0])
def test_carrier_offset_moves_a_tone(apply, cfo_hz):
    assert frequency_hz(apply(tone(100_000), cfo_hz=cfo_hz)) == pytest.approx(TONE_HZ + cfo_hz, abs=0.05)


@pytest.mark.parametrize("sro_ppm", [-150.0, 40.0])
def test_a_faster_clock_gives_more_samples_and_lower_frequencies(apply, sro_ppm):
    n = 200_000
    got = apply(tone(n), sro_ppm=sro_ppm)
    assert frequency_hz(got) / TONE_HZ - 1 == pytest.approx(-sro_ppm * 1e-6, abs=1e-6)
    assert got.size / n - 1 == pytest.approx(sro_ppm * 1e-6, abs=EDGE / n)


def test_phase_noise_has_its_deviation_and_bandwidth(apply):
    n, deviation_deg, bandwidth_hz = 400_000, 4.0, 2000.0
    got = apply(np.ones(n, np.complex64), phase_noise_deg=deviation_deg, phase_noise_hz=bandwidth_hz)[EDGE:-EDGE]
    phase = np.angle(got)
    correlation_samples = RATE / (2 * np.pi * bandwidth_hz)
    bound = SIGMAS / np.sqrt(2 * n / (2 * correlation_samples))
    assert np.rad2deg(phase.std()) == pytest.approx(deviation_deg, rel=bound)
    assert np.allclose(np.abs(got), 1, atol=1e-3)
    for lag in (40, 120):
        expected = np.exp(-lag / correlation_samples)
        assert np.mean(phase[lag:] * phase[:-lag]) / phase.var() == pytest.approx(expected, abs=2 * bound)


@pytest.mark.parametrize(("gain_db", "phase_deg"), [(1.0, 0.0), (0.0, 4.0), (-0.7, 3.0)])
def test_image_rejection_is_that_of_the_formula(apply, gain_db, phase_deg):
    got = apply(tone(100_000), iq_gain_db=gain_db, iq_phase_deg=phase_deg)[EDGE:-EDGE]
    ratio, cosine = 10 ** (gain_db / 20), np.cos(np.deg2rad(phase_deg))
    rejection = (ratio**2 + 1 + 2 * ratio * cosine) / (ratio**2 + 1 - 2 * ratio * cosine)
    measured = abs(amplitude_at(got, TONE_HZ)) ** 2 / abs(amplitude_at(got, -TONE_HZ)) ** 2
    assert 10 * np.log10(measured / rejection) == pytest.approx(0, abs=0.02)


def test_dc_is_added(apply):
    got = apply(np.zeros(5000, np.complex64), dc_i=0.25, dc_q=-0.5)
    assert got.size > 4000 and np.allclose(got[EDGE:], 0.25 - 0.5j, atol=1e-6)


def test_multipath_has_its_taps(apply):
    taps = [1.0, 0, 0.4j, 0, 0, -0.2 + 0.1j]
    samples = white(5000)
    got = apply(samples, taps=taps)
    expected = np.convolve(samples, taps)
    lag = int(np.argmax(np.abs(np.correlate(got[:4000], expected[:4000], "full")))) - 3999
    n = 4000
    assert np.allclose(got[EDGE + lag : n + lag], expected[EDGE:n], atol=1e-3)


def gains_over_time(apply, n=600_000, **parameters):
    return apply(np.ones(n, np.complex64), **parameters)[EDGE:-EDGE].astype(np.complex128)


def test_rayleigh_fading_has_its_envelope_doppler_and_crossings(apply):
    doppler_hz = 10_000.0
    gains = gains_over_time(apply, fading="rayleigh", doppler_hz=doppler_hz, seed=2)
    power = np.mean(np.abs(gains) ** 2)
    n_independent = gains.size * doppler_hz / RATE
    assert power == pytest.approx(1, abs=SIGMAS / np.sqrt(n_independent))
    # Eight sinusoids come within some hundredths of a Gaussian gain: E|h|^4 = 2.
    assert np.mean(np.abs(gains) ** 4) / power**2 == pytest.approx(2, abs=0.15)
    assert abs(gains.mean()) < SIGMAS / np.sqrt(n_independent)
    for lag in (10, 20, 38, 60):  # Jakes: J0(2 pi f_D tau); the angles of so few sinusoids are not quite even
        measured = np.mean(gains[lag:] * gains[:-lag].conj()) / power
        assert abs(measured.real - j0(2 * np.pi * doppler_hz / RATE * lag)) < 0.12 and abs(measured.imag) < 0.2
    for level in (0.3, 1.0):  # Rice: sqrt(2 pi) f_D rho exp(-rho^2) crossings upwards a second
        below = np.abs(gains) < level * np.sqrt(power)
        measured_hz = np.count_nonzero(below[:-1] & ~below[1:]) * RATE / gains.size
        assert measured_hz == pytest.approx(np.sqrt(2 * np.pi) * doppler_hz * level * np.exp(-(level**2)), rel=0.15)


def test_doppler_spectrum_ends_at_its_maximum(apply):
    doppler_hz = 20_000.0
    gains = gains_over_time(apply, 300_000, fading="rayleigh", doppler_hz=doppler_hz)
    spectrum = np.abs(np.fft.fft(gains * np.hanning(gains.size))) ** 2
    frequency = np.abs(np.fft.fftfreq(gains.size)) * RATE
    inside = spectrum[frequency < 1.05 * doppler_hz].sum() / spectrum.sum()
    # Half of the power of a Jakes spectrum lies above f_D / sqrt(2).
    outer = spectrum[frequency > doppler_hz / np.sqrt(2)].sum() / spectrum.sum()
    assert inside > 0.995 and outer == pytest.approx(0.5, abs=0.08)


def test_rician_fading_has_its_line_of_sight(apply):
    rician_k_db, doppler_hz = 6.0, 10_000.0
    gains = gains_over_time(apply, 300_000, fading="rician", rician_k_db=rician_k_db, doppler_hz=doppler_hz, seed=4)
    ratio = 10 ** (rician_k_db / 10)
    bound = SIGMAS / np.sqrt(gains.size * doppler_hz / RATE)
    assert abs(gains.mean() - np.sqrt(ratio / (1 + ratio))) < bound
    assert np.var(gains) == pytest.approx(1 / (1 + ratio), rel=2 * bound)


def test_fading_paths_have_their_delays_and_powers(apply):
    """An impulse now and then: each answer shows all paths."""
    delays, gains_db, period = [0.0, 5.0, 12.0], [0.0, -3.0, -9.0], 50
    samples = np.zeros(600_000, np.complex64)
    samples[::period] = 1
    got = apply(samples, fading="rayleigh", doppler_hz=10_000.0, path_delays=delays, path_gains_db=gains_db)
    answers = got[: got.size // period * period].reshape(-1, period)
    profile = np.mean(np.abs(answers) ** 2, axis=0)
    first = int(np.argmax(profile))
    profile = np.roll(profile, -first)
    powers = 10 ** (np.array(gains_db) / 10)
    powers /= powers.sum()
    places = np.array(delays, int)
    bound = SIGMAS / np.sqrt(len(answers) * period * 10_000.0 / RATE)
    assert np.allclose(profile[places], powers, rtol=2 * bound)
    assert profile.sum() == pytest.approx(profile[places].sum(), rel=0.02), "nothing between the paths"
    paths = answers[:, (places + first) % period]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        correlation = np.vdot(paths[:, one], paths[:, other]) / (
            np.linalg.norm(paths[:, one]) * np.linalg.norm(paths[:, other]))
        assert abs(correlation) < 0.1


def test_seed_decides(apply):
    samples = tone(20_000)
    parameters = {"noise_dbfs": -10.0, "fading": "rayleigh", "doppler_hz": 100.0}
    first, again, other = (apply(samples, seed=seed, **parameters) for seed in (7, 7, 8))
    assert np.array_equal(first, again) and not np.allclose(first, other, atol=0.1)


def test_parameters_can_be_changed_while_it_runs(impairments):
    block = impairments(samp_rate=RATE)
    for name, value in (("cfo_hz", 500.0), ("noise_dbfs", -30.0), ("dc_i", 0.5), ("iq_phase_deg", 2.0),
                        ("phase_noise_deg", 1.0), ("phase_noise_hz", 50.0), ("sro_ppm", 3.0), ("doppler_hz", 9.0),
                        ("fading", "rician")):
        getattr(block, f"set_{name}")(value)
        assert getattr(block, f"get_{name}")() == value
    assert block.channel_model.frequency_offset() == pytest.approx(500 / RATE)
    assert block.channel_model.noise_voltage() == pytest.approx(10 ** (-30 / 20) / np.sqrt(2)), "of each part"
    assert block.line_of_sight.k().real == pytest.approx(np.sqrt(10**0.6 / (1 + 10**0.6)))


@pytest.mark.parametrize(("name", "value"), [
    ("noise_dbfs", 21.0), ("cfo_hz", 1.1e5), ("sro_ppm", -201.0), ("phase_noise_deg", -1.0), ("phase_noise_hz", 2e5),
    ("iq_gain_db", 7.0), ("iq_phase_deg", 31.0), ("dc_i", 1.5), ("dc_q", float("nan")), ("fading", "fog"),
    ("doppler_hz", 2e5), ("rician_k_db", 60.0), ("path_delays", [64.0]), ("path_delays", []), ("seed", -1)])
def test_values_out_of_range_are_named(impairments, name, value):
    with pytest.raises(ValueError, match=f"{name} (is|has) .*must be"):
        impairments(samp_rate=RATE, **{name: value})

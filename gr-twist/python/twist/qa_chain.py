# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocks between packetizer and sink: each gives what its library function gives, and drops malformed PDUs."""

import numpy as np
import pytest
from gnuradio import twist
from gnuradio.twist import _keys as keys
from gnuradio.twist._block import check_finite
from gnuradio.twist._pmt import read_array, read_complex, read_count, read_dict, read_float, to_array
from gnuradio.twist._testing import KNOWN, TABLE, after_bad_ones, pdu, random_tokens

from tokenlink.channel import Channel, ChannelConfig, SnrTrajectory
from tokenlink.link.gate import gate
from tokenlink.link.twist import (
    decide_tokens,
    decode_groups,
    demap_groups,
    encode_frame,
    encode_groups,
    map_groups,
    packetize,
)

MODE = TABLE.mode(KNOWN[keys.MODE_ID])
INFO = packetize(random_tokens(), TABLE)
CODED = encode_groups(INFO, MODE, TABLE)
SYMBOLS = map_groups(CODED, TABLE)
RECEIVED = (SYMBOLS * np.complex64(KNOWN[keys.CHANNEL_GAIN])).astype(np.complex64)
LLR = demap_groups(RECEIVED, KNOWN[keys.CHANNEL_GAIN], KNOWN[keys.N0], MODE, TABLE)
APP, ITERATIONS, PARITY_OK = decode_groups(LLR, MODE, TABLE)


def bad_for_all(payload, with_nan=True):
    """Malformed PDUs that every block with a mode must drop."""
    other = np.zeros(payload.size, np.float32 if payload.dtype != np.float32 else np.complex64)
    bad = [
        ("missing_metadata", pdu(payload, without=(keys.MODE_ID,))),
        ("unknown_mode", pdu(payload, mode_id=99)),
        ("wrong_metadata", pdu(payload, mode_id=-1)),
        ("wrong_metadata", pdu(payload, mode_id="high")),
        ("wrong_dtype", pdu(other)),
        ("wrong_length", pdu(payload[:-1])),
        ("wrong_length", pdu(payload[:0])),
    ]
    return bad + nan_pdus(payload) if with_nan else bad


def nan_pdus(payload):
    """PDUs whose payload holds NaN or infinity."""
    broken = []
    for value in (np.nan, np.inf):
        copy = payload.copy()
        copy[3] = value
        broken.append(("not_finite", pdu(copy)))
    return broken


def test_encoder():
    info = np.concatenate(INFO)
    bad = bad_for_all(info, with_nan=False) + [("refused", pdu(info + 2))]
    meta, payload = after_bad_ones(twist.group_ldpc_encoder(), bad, pdu(info))
    assert np.array_equal(to_array(payload, np.uint8), np.concatenate(CODED))
    assert 0 < read_dict(meta, keys.TIMINGS)["group_ldpc_encoder"] < 10


def test_mapper():
    coded = np.concatenate(CODED)
    bad = bad_for_all(coded, with_nan=False) + [("refused", pdu(coded + 2))]
    _, payload = after_bad_ones(twist.qam_mapper(), bad, pdu(coded))
    assert np.array_equal(to_array(payload, np.complex64), SYMBOLS)


def test_channel():
    bad = nan_pdus(SYMBOLS) + [
        ("missing_metadata", pdu(SYMBOLS, without=(keys.SLOT,))),
        ("wrong_metadata", pdu(SYMBOLS, slot=-1)),
        ("wrong_metadata", pdu(SYMBOLS, slot=2**60)),
        ("wrong_dtype", pdu(np.zeros(5, np.uint8))),
    ]
    block = twist.loopback_channel("rician", 7.0, 3.0, 0.5, '{"kind": "blockwise", "levels_db": [0, -6]}', seed=9)
    meta, payload = after_bad_ones(block, bad, pdu(SYMBOLS))
    config = ChannelConfig("rician", 7.0, 3.0, 0.5, SnrTrajectory("blockwise", (0, -6)))
    received, state = Channel(config, 9).transmit(SYMBOLS, KNOWN[keys.SLOT])
    assert np.array_equal(to_array(payload, np.complex64), received)
    assert read_complex(meta, keys.CHANNEL_GAIN) == state.channel_gain
    assert read_float(meta, keys.N0) == state.n0
    assert read_float(meta, keys.ESN0_DB) == state.received_esn0_db
    assert read_count(meta, keys.MODE_ID) == MODE.mode_id, "metadata is passed on"


def test_demodulator():
    bad = bad_for_all(RECEIVED) + [
        ("missing_metadata", pdu(RECEIVED, without=(keys.CHANNEL_GAIN,))),
        ("missing_metadata", pdu(RECEIVED, without=(keys.N0,))),
        ("not_finite", pdu(RECEIVED, n0=float("nan"))),
        ("not_finite", pdu(RECEIVED, channel_gain=complex("nan"))),
        ("wrong_metadata", pdu(RECEIVED, n0=0.0)),
        ("wrong_metadata", pdu(RECEIVED, channel_gain="large")),
    ]
    _, payload = after_bad_ones(twist.soft_demodulator(), bad, pdu(RECEIVED))
    assert np.array_equal(to_array(payload, np.float32), np.concatenate(LLR))


def test_decoder():
    llr = np.concatenate(LLR)
    meta, payload = after_bad_ones(twist.group_ldpc_decoder(), bad_for_all(llr), pdu(llr))
    assert np.array_equal(to_array(payload, np.float32), np.concatenate(APP))
    assert np.array_equal(read_array(meta, keys.ITERATIONS, np.int32), ITERATIONS)
    assert np.array_equal(read_array(meta, keys.PARITY_OK, np.uint8), PARITY_OK)


def test_gate():
    app = np.concatenate(APP) * np.float32(0.05)
    meta, payload = after_bad_ones(twist.confidence_gate(), bad_for_all(app), pdu(app))
    groups = np.split(app, np.cumsum([group.size for group in APP])[:-1])
    token_ids, confidence = decide_tokens(groups, TABLE)
    erased = gate(confidence, TABLE.token_thresholds(MODE))
    assert np.array_equal(to_array(payload, np.int32), token_ids)
    assert np.array_equal(read_array(meta, keys.CONFIDENCE, np.float32), confidence)
    assert np.array_equal(read_array(meta, keys.ERASED, np.uint8), erased)
    assert erased.any()


def test_equalizer():
    bad = nan_pdus(RECEIVED) + [
        ("missing_metadata", pdu(RECEIVED, without=(keys.CHANNEL_GAIN,))),
        ("wrong_metadata", pdu(RECEIVED, channel_gain=0j)),
        ("wrong_dtype", pdu(np.zeros(5, np.uint8))),
    ]
    _, payload = after_bad_ones(twist.symbol_equalizer(), bad, pdu(RECEIVED))
    assert np.allclose(to_array(payload, np.complex64), SYMBOLS, atol=1e-6)


@pytest.mark.parametrize("esn0_db", [-20.0, 40.0])
def test_extreme_noise_runs_through(esn0_db):
    received, state = Channel(ChannelConfig("rayleigh", esn0_db), 1).transmit(SYMBOLS, 4)
    known = {keys.CHANNEL_GAIN: state.channel_gain, keys.N0: state.n0}
    _, llr = after_bad_ones(twist.soft_demodulator(), [], pdu(received, **known))
    _, app = after_bad_ones(twist.group_ldpc_decoder(), [], pdu(to_array(llr, np.float32)))
    meta, token_ids = after_bad_ones(twist.confidence_gate(), [], pdu(check_finite(to_array(app, np.float32))))
    erased = read_array(meta, keys.ERASED, np.uint8)
    assert erased.mean() > 0.99 if esn0_db < 0 else not erased.any()
    assert esn0_db < 0 or np.array_equal(encode_frame(to_array(token_ids, np.int32), MODE, TABLE), SYMBOLS)


@pytest.mark.parametrize("wrong", [{"model": "fog"}, {"fading_correlation": 1.0}, {"seed": -1}, {"trajectory": "zag"},
                                   {"trajectory": '{"kind": "blockwise", "colour": 3}'}, {"esn0_db": float("nan")}])
def test_wrong_channel_parameters_are_refused(wrong):
    with pytest.raises(ValueError):
        twist.loopback_channel(**wrong)

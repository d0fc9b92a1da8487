# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets of token sequences over the link: all or nothing, lost ones known, every mistake named."""

from fractions import Fraction

import numpy as np
import pytest

from tokenlink.channel import awgn
from tokenlink.link.packets import NOTHING
from tokenlink.link.tokcode import (
    MAX_TOKENS,
    Packet,
    PacketLost,
    decode_packet,
    encode_packet,
    encode_sequence,
    packet_symbols,
    reassemble,
)
from tokenlink.link.tokcode_modes import TokcodeTableError, load_tokcode_table, parse_tokcode_table
from tokenlink.phy.qam import BITS_PER_SYMBOL

TABLE = load_tokcode_table()
CLEAR_N0 = 1e-3
N_MED = packet_symbols(20, TABLE.mode(1), TABLE)
RAW = {"schema": 2, "vocab_size": 4096, "n_packets": 5,
       "modes": [{"name": "med", "modulation": "qpsk", "code_rate": "1/2", "from_esn0_db": 3}]}  # fmt: skip


def tokens(n_tokens, seed=1, vocab_size=TABLE.vocab_size):
    return np.random.default_rng(seed).integers(vocab_size, size=n_tokens).astype(np.int32)


def receive(sent, gain, n0, seed, mode, table=TABLE):
    """Packet or None of each burst, through noise and a gain for each."""
    rng, packets = np.random.default_rng(seed), []
    for index, (symbols, h) in enumerate(zip(sent, gain, strict=True)):
        received = awgn(np.complex64(h) * symbols, n0, rng)
        try:
            packets.append(decode_packet(received, h, n0, index, mode, table))
        except PacketLost as lost:
            assert lost.cause == "crc"
            packets.append(None)
    return packets


@pytest.mark.parametrize("mode", TABLE.modes, ids=lambda mode: mode.name)
@pytest.mark.parametrize("n_tokens", [5, 6, 20, 77, 100, MAX_TOKENS])
def test_a_clear_channel_brings_every_token(mode, n_tokens):
    sent = tokens(n_tokens)
    symbols = encode_sequence(sent, mode, TABLE)
    assert symbols.shape == (5, packet_symbols(n_tokens, mode, TABLE))
    assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1, abs=0.2)
    got = reassemble(receive(symbols, np.full(5, 0.6 - 0.8j), CLEAR_N0, 2, mode))
    assert got.token_ids.tolist() == sent.tolist() and not got.lost.any() and not got.lost_packets.any()


@pytest.mark.parametrize("mode", TABLE.modes, ids=lambda mode: mode.name)
def test_a_packet_is_as_long_as_its_bits_ask_for(mode):
    """Whole bytes of 8 + 8 + 12 n bits, and 24 of the CRC, at the code rate, in whole symbols."""
    for n_tokens in (5, 33, 100):
        content = 16 + 12 * int(np.ceil(n_tokens / 5))
        bits = int(np.ceil(content / 8)) * 8 + 24
        exact = Fraction(bits) / mode.code_rate / BITS_PER_SYMBOL[mode.modulation]
        assert packet_symbols(n_tokens, mode, TABLE) == int(np.ceil(exact))


def test_deeply_faded_packets_are_lost_and_the_others_are_not():
    sent, mode = tokens(23), TABLE.mode(1)
    gain = np.array([1, 0.01, 1j, -1, 0.01])
    got = reassemble(receive(encode_sequence(sent, mode, TABLE), gain, 0.1, 3, mode))
    assert got.lost_packets.tolist() == [False, True, False, False, True]
    expected = [NOTHING if n % 5 in (1, 4) else int(value) for n, value in enumerate(sent)]
    assert got.token_ids.tolist() == expected and got.lost.tolist() == [value == NOTHING for value in expected]


@pytest.mark.parametrize(("mode_id", "esn0_db"), [(0, -2.0), (1, 1.0), (2, 6.5)])
def test_in_the_waterfall_a_packet_comes_whole_or_not_at_all(mode_id, esn0_db):
    """200 packets a mode, seed 4: some lost, some not, and none that came is wrong."""
    mode, n0 = TABLE.mode(mode_id), 10 ** (-esn0_db / 10)
    came = 0
    for trial in range(40):
        sent = tokens(40, seed=trial)
        packets = receive(encode_sequence(sent, mode, TABLE), np.ones(5), n0, 4 + trial, mode)
        for index, packet in enumerate(packets):
            if packet is not None:
                came += 1
                assert packet.token_ids.tolist() == sent[index::5].tolist()
    assert 20 < came < 180, came


def test_a_packet_of_another_system_version_mode_or_place_is_lost():
    mode, sent = TABLE.mode(1), tokens(23)
    symbols = encode_sequence(sent, mode, TABLE)
    assert decode_packet(symbols[0], 1, CLEAR_N0, 0, mode, TABLE).n_tokens == 23
    for index in (-1, 5):
        with pytest.raises(PacketLost, match="of 23 tokens"):
            decode_packet(symbols[0], 1, CLEAR_N0, index, mode, TABLE)
    with pytest.raises(PacketLost, match="no packet of mode med has 7 symbols"):
        decode_packet(symbols[0][:7], 1, CLEAR_N0, 0, mode, TABLE)
    seven = parse_tokcode_table(RAW | {"n_packets": 4})
    with pytest.raises(PacketLost) as lost:  # five packets of 25 tokens at most fit where four of 20 would
        decode_packet(encode_sequence(tokens(25), mode, TABLE)[0], 1, CLEAR_N0, 0, mode, seven)
    assert lost.value.cause == "disagrees"
    few = parse_tokcode_table(RAW | {"vocab_size": 3000})
    with pytest.raises(PacketLost, match="must be below vocab_size 3000"):
        decode_packet(encode_packet(np.array([4000]), 5, mode, TABLE), 1, CLEAR_N0, 0, mode, few)


def test_all_lost_and_packets_that_disagree():
    nothing = reassemble([None] * 5)
    assert nothing.token_ids.size == 0 and nothing.lost_packets.all()
    six, seven = Packet(np.array([1]), 6), Packet(np.array([2]), 7)
    got = reassemble([None, seven, six, six, None])
    assert got.token_ids.tolist() == [-1, -1, 1, 1, -1, -1]
    assert got.lost_packets.tolist() == [True, True, False, False, True]
    longer = reassemble([Packet(np.array([1, 6]), 7), None, six, Packet(np.array([4]), 7), None])
    assert longer.token_ids.tolist() == [1, -1, -1, 4, -1, 6, -1]  # most decide, not the shortest
    tied = reassemble([None, Packet(np.array([2, 7]), 7), six, None, None])
    assert tied.token_ids.tolist() == [-1, 2, -1, -1, -1, -1, 7]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: encode_sequence(tokens(4), TABLE.mode(0), TABLE), "a sequence of 4 tokens does not fill 5 packets"),
        (lambda: encode_sequence(tokens(256), TABLE.mode(0), TABLE), "256 tokens is too long, must have at most 255"),
        (lambda: encode_sequence(np.full(9, 4096), TABLE.mode(0), TABLE), "reach 4096..4096, must lie in 0..4095"),
        (lambda: encode_packet(tokens(3), 25, TABLE.mode(0), TABLE), "a packet of 3 tokens, must have 4 or 5 of 25"),
        (lambda: decode_packet(np.full(N_MED, np.nan), 1, 0.1, 0, TABLE.mode(1), TABLE), "finite"),
    ],
)
def test_what_cannot_be_sent_or_read_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"schema": 1}, "schema is 1, must be 2"),
        ({"speed": 3}, "field is .*speed.* must be among"),
        ({"vocab_size": 1}, "vocab_size is 1, must be an integer in 2..262144"),
        ({"n_packets": 33}, "n_packets is 33, must be an integer in 1..32"),
        ({"n_packets": True}, "n_packets is True"),
        ({"modes": []}, r"modes is \[\], must be a list of 1 to 256 modes"),
        ({"modes": [RAW["modes"][0]] * 2}, "modes.name is .* must be all different"),
        ({"modes": [RAW["modes"][0] | {"modulation": "fm"}]}, r"modes\[0\].modulation is 'fm', must be one of"),
        ({"modes": [RAW["modes"][0] | {"code_rate": "1/9"}]}, r"modes\[0\].code_rate is '1/9', must be a code rate"),
        ({"modes": [RAW["modes"][0] | {"name": ""}]}, r"modes\[0\].name is '', must be a name"),
        ({"modes": [{"name": "x"}]}, r"modes\[0\] fields is"),
        ({"modes": [3]}, r"modes\[0\] is 3, must be a mapping"),
    ],
)
def test_a_wrong_table_is_refused_by_field(change, match):
    with pytest.raises(TokcodeTableError, match=match):
        parse_tokcode_table(RAW | change)


def test_a_table_without_a_field_and_a_mode_that_is_not_there():
    for name in RAW:
        with pytest.raises(TokcodeTableError, match="missing field is"):
            parse_tokcode_table({key: value for key, value in RAW.items() if key != name})
    with pytest.raises(TokcodeTableError, match="mode_id is 3, must be in 0..2"):
        TABLE.mode(3)

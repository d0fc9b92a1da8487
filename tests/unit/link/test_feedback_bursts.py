# SPDX-License-Identifier: GPL-3.0-or-later
"""Reverse bursts: commands survive where no payload does, wrap around with their counter, and are refused by cause."""

import numpy as np
import pytest

from tokenlink.link.feedback_bursts import (
    Feedback,
    FeedbackReceiver,
    LossCounter,
    feedback_burst,
    feedback_header,
    read_feedback,
)
from tokenlink.link.modes import load_mode_table
from tokenlink.link.twist import decode_frame, encode_frame
from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import SYSTEMS, Header

CONFIG = BurstConfig()
NOBODY = np.zeros(3000, np.complex64)


def noisy(samples, esn0_db, rng, cfo=0.0):
    """Samples with noise so that each symbol has this Es/N0, the matched filter having unit energy."""
    n0 = CONFIG.amplitude**2 * CONFIG.pulse.sps * 10 ** (-esn0_db / 10)
    noise = rng.standard_normal((len(samples), 2)) @ [1, 1j] * np.sqrt(n0 / 2)
    return (samples * np.exp(2j * np.pi * cfo * np.arange(len(samples))) + noise).astype(np.complex64)


def test_commands_arrive_at_an_esn0_at_which_no_payload_does():
    rng, table = np.random.default_rng(4), load_mode_table()
    esn0_db, n_trials = 0.0, 60
    receiver = FeedbackReceiver(CONFIG, 3)
    got = []
    for slot in range(n_trials):
        gap = NOBODY[: rng.integers(500, 3000)]
        burst = np.concatenate([gap, feedback_burst(slot, slot % 3, slot, CONFIG), NOBODY])
        got += receiver.feed(noisy(burst, esn0_db, rng, cfo=rng.uniform(-0.01, 0.01)), slot)
    got += receiver.flush(n_trials)
    # The bound of the header is its own test's; 0 of 60 leaves less than 5 % lost with 95 % confidence.
    assert got == [Feedback(slot, slot % 3, slot) for slot in range(n_trials)]
    strongest = table.modes[-1]
    token_ids = rng.integers(0, table.vocab_size, table.n_tokens).astype(np.int32)
    symbols = encode_frame(token_ids, strongest, table)
    noise = rng.standard_normal((len(symbols), 2)) @ [1, 1j] * np.sqrt(10 ** (-esn0_db / 10) / 2)
    decision = decode_frame((symbols + noise).astype(np.complex64), 1.0, 10 ** (-esn0_db / 10), strongest, table)
    assert not decision.parity_ok.any()


@pytest.mark.parametrize(("slot", "near"), [(5, 5), (2**24 + 3, 2**24 - 2), (2**24 - 1, 2**24 + 1), (2**30 + 7, 2**30)])
def test_the_slot_is_the_nearest_one_with_these_bits(slot, near):
    assert read_feedback(feedback_header(slot, 1, 2**24 + 9), near, 3) == Feedback(slot, 1, 9)


@pytest.mark.parametrize(
    ("header", "cause"),
    [
        (Header(SYSTEMS["twist"], 1, 0, 5, 0), "foreign_system"),
        (Header(SYSTEMS["feedback"], 1, 0, 5, 10), "not_empty"),
        (Header(SYSTEMS["feedback"], 3, 0, 5, 0), "unknown_mode"),
        (Header(SYSTEMS["feedback"], 1, 0, 5000, 0), "far_slot"),
        (Header(SYSTEMS["feedback"], 1, 0, 2**24 - 1, 0), "far_slot"),
        (Header(SYSTEMS["feedback"], 1, 0, 5 + 1025, 0), "far_slot"),
    ],
)
def test_what_is_no_command_is_refused_by_its_cause(header, cause):
    assert read_feedback(header, 5, 3) == cause
    samples = modulate_burst(header, np.ones(header.payload_symbols, np.complex64), CONFIG)
    receiver = FeedbackReceiver(CONFIG, 3)
    assert receiver.feed(np.concatenate([samples, NOBODY]), 5) + receiver.flush(5) == []
    assert receiver.counts[cause] == 1 and receiver.counts["commands"] == 0


def test_a_command_may_be_1024_slots_away():
    assert read_feedback(Header(SYSTEMS["feedback"], 2, 0, 5 + 1024, 0), 5, 3) == Feedback(1029, 2, 0)


def test_a_mode_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="mode_id is 256"):
        feedback_header(0, 256)


def test_losses_are_the_numbers_that_are_missing():
    losses = LossCounter()
    assert [losses.observe(number) for number in (5, 6, 9, 9, 2**24 - 1, 1, 0)] == [0, 0, 2, 0, 0, 1, 0]

# SPDX-License-Identifier: GPL-3.0-or-later
"""Group LDPC decoder: the LLRs of the library, with and without priors; which frames wait for them; malformed input."""

import numpy as np
import pmt
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import (
    MODE,
    TABLE,
    after_bad_ones,
    bad_for_all,
    block_test,
    end,
    not_finite,
    pdu,
    random_tokens,
    running,
    stages,
    wait_until,
)
from gnuradio.twist.pdu_block import is_end, is_lost
from gnuradio.twist.pdus import (
    has_entry,
    new_metadata,
    pack,
    read_array,
    read_count,
    read_float,
    read_text,
    to_array,
)

from tokenlink.link.prior_decoding import decode_with_prior
from tokenlink.link.token_prior import SparsePrior

LLR = np.concatenate(stages().llr) * np.float32(0.02)  # too weak for the code alone
LISTED = np.column_stack([random_tokens(), (random_tokens() + 1) % TABLE.vocab_size]).astype(np.int32)
PROBABILITY = np.tile(np.array([0.75, 0.125], np.float32), (TABLE.n_tokens, 1))
LONG_S = 3600.0


def prior(slot, listed=LISTED, probability=PROBABILITY, without=(), **changes):
    """PDU of a prior source."""
    values = {keys.SLOT: slot, keys.SEQ: 0, keys.VOCAB_SIZE: TABLE.vocab_size, keys.N_TOKENS: TABLE.n_tokens,
              keys.CODEBOOK: TABLE.codes_sha256, keys.PRIOR_LISTED: listed.ravel()} | changes
    return pack(new_metadata({key: value for key, value in values.items() if key not in without}), probability.ravel())


def nothing(slot):
    """PDU that says that nothing is expected of a slot."""
    return prior(slot, LISTED[:0], PROBABILITY[:0])


def frame(slot):
    return pdu(LLR, slot=slot)


def lost(slot):
    return pack(new_metadata({keys.LOST: True, keys.SLOT: slot}), np.zeros(0, np.uint8))


def outcomes(received):
    return [(read_count(meta, keys.SLOT), read_text(meta, keys.PRIOR)) for meta, _ in received]


class qa_group_ldpc_decoder(block_test):
    def test_llrs_are_those_of_the_library(self):
        llr = np.concatenate(stages().llr)
        meta, payload = after_bad_ones(twist.group_ldpc_decoder(), bad_for_all(llr) + not_finite(llr), pdu(llr))
        self.assert_equal(payload, np.concatenate(stages().app))
        np.testing.assert_array_equal(read_array(meta, keys.ITERATIONS, np.int32), stages().iterations)
        np.testing.assert_array_equal(read_array(meta, keys.PARITY_OK, np.uint8), stages().parity_ok)
        self.assertTrue(stages().parity_ok.all())

    def test_bits_are_those_that_were_sent(self):
        _, payload = after_bad_ones(twist.group_ldpc_decoder(), [], pdu(np.concatenate(stages().llr)))
        self.assert_equal(payload, np.concatenate(stages().app))
        np.testing.assert_array_equal(np.concatenate(stages().app) < 0, np.concatenate(stages().info))

    def test_off_no_prior_is_listened_to(self):
        with running(twist.group_ldpc_decoder(lock_step=True)) as graph:
            graph.post(prior(4), "prior")
            graph.post(pdu(np.concatenate(stages().llr)))
            (meta, payload), = graph.wait_for(1)
            self.assertEqual(graph.block.counts(), {"passed": 1})
        self.assert_equal(payload, np.concatenate(stages().app))
        self.assertFalse(any(has_entry(meta, key) for key in (keys.PRIOR, keys.PRIOR_DOUBT, keys.PRIOR_LISTED)))

    def test_a_prior_is_exchanged_as_the_library_does(self):
        groups = np.split(LLR, np.cumsum([group.size for group in stages().llr])[:-1])
        for choice, exchanges in (("0", 0), ("once", 1), ("3", 3)):
            expected = decode_with_prior(groups, SparsePrior(LISTED, PROBABILITY, TABLE.vocab_size), MODE, TABLE,
                                         exchanges=exchanges)
            with self.subTest(choice), running(twist.group_ldpc_decoder(prior=choice)) as graph:
                graph.post(prior(4), "prior")
                self.assertTrue(wait_until(lambda block=graph.block: block._priors.decided(4)))
                graph.post(frame(4))
                (meta, payload), = graph.wait_for(1)
                self.assertEqual(graph.block.counts(), {"passed": 1, "prior_used": 1})
                self.assert_equal(payload, np.concatenate(expected.extrinsic_llr).astype(np.float32))
                np.testing.assert_array_equal(read_array(meta, keys.ITERATIONS, np.int32), expected.iterations)
                np.testing.assert_array_equal(read_array(meta, keys.PRIOR_LISTED, np.int32), LISTED.ravel())
                np.testing.assert_array_equal(read_array(meta, keys.PRIOR_PROBABILITY, np.float32),
                                              expected.prior.probability.ravel())
                self.assertEqual(read_float(meta, keys.PRIOR_DOUBT), expected.doubt)
                self.assertEqual(read_count(meta, keys.PRIOR_EXCHANGES), expected.exchanges)
        self.assertTrue(expected.parity_ok.all(), "weak as it is, the prior makes it out")

    def test_in_lock_step_frames_wait_for_their_priors_in_order(self):
        block = twist.group_ldpc_decoder(prior="once", lock_step=True, prior_timeout_s=LONG_S)
        with running(block) as graph:
            for message in (frame(4), lost(5), frame(6), frame(7)):
                graph.post(message)
            graph.post(prior(4), "prior")
            self.assertEqual(len(graph.wait_for(2)), 2, "the frame behind the lost slot waits")
            graph.post(prior(7), "prior")  # tells that the one of slot 6 is lost
            received = list(graph.wait_for(4))
            self.assertEqual(block.counts(), {"passed": 3, "lost_slots": 1, "prior_used": 2, "prior_missing": 1,
                                              "prior_lost": 1})
        self.assertTrue(is_lost(received.pop(1)[0]))
        self.assertEqual(outcomes(received), [(4, "used"), (6, "missing"), (7, "used")])

    def test_a_prior_that_stays_away_is_not_waited_for_for_ever(self):
        block = twist.group_ldpc_decoder(prior="once", lock_step=True, prior_timeout_s=0.05)
        with running(block) as graph:
            graph.post(frame(0))
            self.assertEqual(outcomes(graph.wait_for(1)), [(0, "missing")])
            block._line._timeout_s = LONG_S  # no prior has come: nobody is there to send one
            graph.post(frame(1))
            self.assertEqual(outcomes(graph.wait_for(2))[1:], [(1, "missing")])
            graph.post(prior(1), "prior")
            self.assertTrue(wait_until(lambda: block.counts().get("prior_late") == 1))
            graph.post(frame(2))
            graph.post(nothing(2), "prior")
            self.assertEqual(outcomes(graph.wait_for(3))[2:], [(2, "none")])
            graph.post(frame(3))
            graph.post(end())
            received = graph.wait_for(5)
            self.assertEqual(outcomes(received[3:4]), [(3, "missing")], "the end of a run waits for nothing")
            self.assertTrue(is_end(received[4][0]))

    def test_free_running_takes_what_is_there(self):
        with running(twist.group_ldpc_decoder(prior="2")) as graph:
            graph.post(frame(0))
            received = graph.wait_for(1)
            graph.post(prior(0), "prior")
            self.assertTrue(wait_until(lambda: graph.block.counts().get("prior_late") == 1))
        self.assertEqual(outcomes(received), [(0, "missing")])

    def test_what_is_no_prior_of_the_slot_is_counted_and_the_frame_goes_without(self):
        bad = [("foreign_codebook", {"vocab_size": 512}), ("foreign_codebook", {"codebook": "ab" * 32}),
               ("foreign_grid", {"n_tokens": 128}), ("refused", {"probability": 2 * PROBABILITY}),
               ("refused", {"listed": LISTED[:, :1].repeat(2, 1)})]
        broken = [("not_a_pdu", pmt.intern("text")), ("missing_metadata", prior(0, without=(keys.PRIOR_LISTED,))),
                  ("wrong_metadata", prior(-1)), ("wrong_dtype", prior(0, probability=LISTED)),
                  ("wrong_dtype", prior(0, listed=PROBABILITY))]
        plain = twist.group_ldpc_decoder()
        with running(plain) as graph:
            graph.post(frame(0))
            (_, without), = graph.wait_for(1)
        block = twist.group_ldpc_decoder(prior="once", lock_step=True, prior_timeout_s=LONG_S)
        with running(block) as graph:
            for _, message in broken:
                graph.post(message, "prior")
            for slot, (_, changes) in enumerate(bad):
                graph.post(frame(slot))
                graph.post(prior(slot, **changes), "prior")
            graph.post(prior(2), "prior")
            graph.post(frame(len(bad)))
            graph.post(prior(len(bad)), "prior")
            received, counts = graph.wait_for(len(bad) + 1), block.counts()
        self.assertEqual(outcomes(received), [*enumerate(cause for cause, _ in bad), (len(bad), "used")])
        for _, payload in received[:-1]:
            self.assert_equal(payload, to_array(without, np.float32))
        self.assertEqual({cause: n for cause, n in counts.items() if cause.startswith("prior_")}, {
            "prior_foreign_codebook": 2, "prior_foreign_grid": 1, "prior_refused": 2, "prior_foreign_slot": 1,
            "prior_used": 1})
        malformed = [counts[cause] for cause in ("not_a_pdu", "missing_metadata", "wrong_metadata", "wrong_dtype")]
        self.assertEqual(malformed, [1, 1, 1, 2])

    def test_another_run_begins_with_a_word(self):
        block = twist.group_ldpc_decoder(prior="once", lock_step=True, prior_timeout_s=LONG_S)
        with running(block) as graph:
            graph.post(prior(8), "prior")
            graph.post(frame(8))
            graph.wait_for(1)
            graph.post(pack(new_metadata({keys.START: True}), PROBABILITY[:0]), "prior")
            graph.post(nothing(0), "prior")
            self.assertTrue(wait_until(lambda: not block._priors.decided(1)))
            graph.post(frame(0))
            self.assertEqual(outcomes(graph.wait_for(2)), [(8, "used"), (0, "none")])

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.group_ldpc_decoder, prior=[("5", "prior is '5', expected one of off, once, 0, 1"),
                                                             ("", "prior is ''")],
                            prior_timeout_s=[(-1.0, "prior_timeout_s is -1.0, must be >= 0")])


if __name__ == "__main__":
    gr_unittest.run(qa_group_ldpc_decoder)

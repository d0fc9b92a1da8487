# SPDX-License-Identifier: GPL-3.0-or-later
"""Confidence gate: the decisions of the library, each mode's own thresholds, malformed input."""

import re
from importlib import resources

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import (
    MODE,
    TABLE,
    after_bad_ones,
    bad_for_all,
    block_test,
    not_finite,
    pdu,
    running,
    stages,
)
from gnuradio.twist.pdus import read_array

from tokenlink.link.gating import gate
from tokenlink.link.prior_decoding import decide_with_prior
from tokenlink.link.token_prior import SparsePrior
from tokenlink.link.twist import decide_tokens


class qa_confidence_gate(block_test):
    def test_decisions_are_those_of_the_library(self):
        app = np.concatenate(stages().app) * np.float32(0.05)
        meta, payload = after_bad_ones(twist.confidence_gate(), bad_for_all(app) + not_finite(app), pdu(app))
        groups = np.split(app, np.cumsum([group.size for group in stages().app])[:-1])
        token_ids, confidence = decide_tokens(groups, TABLE)
        erased = gate(confidence, TABLE.token_thresholds(MODE))
        self.assert_equal(payload, token_ids)
        np.testing.assert_array_equal(read_array(meta, keys.CONFIDENCE, np.float32), confidence)
        np.testing.assert_array_equal(read_array(meta, keys.ERASED, np.uint8), erased)
        self.assertTrue(erased.any(), "weak LLRs do not pass")

    def test_a_prior_joins_the_decision_as_in_the_library(self):
        rng = np.random.default_rng(2)
        extrinsic = rng.normal(0, 2, sum(group.size for group in stages().app)).astype(np.float32)
        listed = np.argsort(rng.random((TABLE.n_tokens, TABLE.vocab_size)))[:, :3].astype(np.int32)
        probability = (0.9 * rng.dirichlet([1, 1, 1], TABLE.n_tokens)).astype(np.float32)

        def told(listed, probability, doubt=0.3):
            return pdu(extrinsic, prior_listed=listed.ravel(), prior_probability=probability.ravel(), prior_doubt=doubt)

        bad = [("wrong_length", told(listed[:-1], probability)), ("wrong_length", told(listed[:-1], probability[:-1])),
               ("wrong_length", told(listed[:0], probability[:0])), ("refused", told(listed, 2 * probability)),
               ("missing_metadata", pdu(extrinsic, prior_listed=listed.ravel())),
               ("missing_metadata", pdu(extrinsic, prior_listed=listed.ravel(), prior_probability=probability.ravel())),
               ("wrong_dtype", told(probability, probability))]
        meta, payload = after_bad_ones(twist.confidence_gate(), bad, told(listed, probability))
        groups = np.split(extrinsic, np.cumsum([group.size for group in stages().app])[:-1])
        token_ids, confidence = decide_with_prior(groups, SparsePrior(listed, probability, TABLE.vocab_size), TABLE)
        self.assert_equal(payload, token_ids)
        np.testing.assert_array_equal(read_array(meta, keys.CONFIDENCE, np.float32), confidence)
        thresholds = TABLE.token_thresholds(MODE)
        erased = read_array(meta, keys.ERASED, np.uint8)
        np.testing.assert_array_equal(erased, gate(confidence, 1 - (1 - thresholds) / 10))
        self.assertTrue(erased.sum() > gate(confidence, thresholds).sum())
        self.assertTrue(0 < np.isin(token_ids, listed).mean() < 1)

    def test_each_mode_has_its_own_thresholds(self):
        """As they stand in the file, a digit of its map a position; with a codebook of 2^10 entries the confidence of
        a token is the product over its bits of 1 / (1 + exp(-|llr|))."""
        text = (resources.files("tokenlink.link") / "tables" / "twist_default.yaml").read_text()
        group = np.array([int(digit) for digit in "".join(re.findall('- "([0-3]+)"', text))])
        thresholds = [np.array(row.split(","), float) for row in re.findall(r"thresholds: \[(.*)\]", text)]
        rng = np.random.default_rng(5)
        app = (rng.choice([-1, 1], (256, 10)) * rng.uniform(2, 10, (256, 1))).astype(np.float32)  # in raster order
        grouped = np.concatenate([app[group == g].ravel() for g in range(4)])
        confidence = np.prod(1 / (1 + np.exp(-np.abs(app.astype(float)))), axis=1)
        with running(twist.confidence_gate()) as graph:
            for mode_id in range(3):
                graph.post(pdu(grouped, mode_id=mode_id))
            received = graph.wait_for(3)
        for of_mode, (meta, _) in zip(thresholds, received, strict=True):
            threshold = of_mode[group]
            clear = np.abs(confidence - threshold) > 1e-5
            erased = read_array(meta, keys.ERASED, np.uint8)
            np.testing.assert_array_equal(erased[clear], (confidence < threshold)[clear])
            self.assertTrue(0 < erased.sum() < 256)


if __name__ == "__main__":
    gr_unittest.run(qa_confidence_gate)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop of TokCode with its real processes and the weights that ship: the same with and without GNU Radio."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sentencepiece")
pytest.importorskip("transformers")

from tokenlink.channel import ChannelConfig, SnrTrajectory  # noqa: E402
from tokenlink.control import FeedbackConfig, PacketControl  # noqa: E402
from tokenlink.data.text_source import demo_texts  # noqa: E402
from tokenlink.link.tokcode import packet_symbols  # noqa: E402
from tokenlink.link.tokcode_modes import load_tokcode_table  # noqa: E402
from tokenlink.loop.run_config import RunConfig  # noqa: E402
from tokenlink.loop.runner import run_loop  # noqa: E402
from tokenlink.models import artifact  # noqa: E402
from tokenlink.models.tokcode.text_codec import load_text_codec  # noqa: E402
from tokenlink.report import text_page  # noqa: E402

TABLE = load_tokcode_table()
N_TEXTS = 10
needs_flowgraph = pytest.mark.skipif(shutil.which("grcc") is None, reason="GNU Radio is not installed")


@pytest.fixture(scope="module")
def config():
    walk = SnrTrajectory("blockwise", levels_db=(0.0, -12.0, 6.0), block_slots=10)
    return RunConfig(demo_texts(), N_TEXTS, 3, ChannelConfig("rayleigh", 11.0, trajectory=walk), system="tokcode",
                     control=PacketControl(mode=1), feedback=FeedbackConfig(lost_slots=(4,)), radio="simulator")


@pytest.fixture(scope="module")
def first(config, tmp_path_factory):
    return run_loop(config, tmp_path_factory.mktemp("runs") / "simulator")


def test_what_came_is_what_was_sent_without_the_packets_that_were_lost(first):
    records, codec = first.folder.read_lines("records.jsonl"), load_text_codec()
    assert len(records) == N_TEXTS and 0 < sum(record["lost_packets"] > 0 for record in records) < N_TEXTS
    for record, before in zip(records, [None, *records], strict=False):
        tokens = codec.tokens_of(record["text"])
        assert tokens.tolist() == record["tokens"] and codec.encode(tokens).tolist() == record["sent"]
        assert codec.text_of(record["sent"]) == "".join(record["sent_pieces"]).replace("▁", " ").strip()
        if record["missed"]:
            assert (record["similarity"], record["lost_packets"], record["received_text"]) == (0.0, 1.0, "")
            continue
        received = np.array(record["received"])
        lost = received < 0
        assert len(set(np.flatnonzero(lost) % 5)) == round(5 * record["lost_packets"])
        np.testing.assert_array_equal(received[~lost], np.array(record["sent"])[~lost])
        assert record["received_text"] == codec.text_of(received[~lost])
        assert record["similarity"] == pytest.approx(codec.similarity(tokens, received[~lost]))
        mode = TABLE.mode(record["mode_id"])
        assert record["channel_uses"] == 5 * packet_symbols(tokens.size, mode, TABLE)
        if before is not None and not before["feedback_lost"]:
            assert record["mode_id"] == before["next_mode_id"]
    summary = first.summary
    assert summary["similarity"] == pytest.approx(np.mean([record["similarity"] for record in records]))
    assert summary["n_wrong_accepted"] == 0 and len(summary["mode_shares"]) > 1


@needs_flowgraph
def test_same_seed_same_records_over_the_flowgraph_too(config, first, tmp_path):
    again = run_loop(replace(config, radio="gnuradio"), tmp_path / "run")
    files = [(result.folder.path / "records.jsonl").read_bytes() for result in (first, again)]
    assert files[0] == files[1]
    lost = sum(round(5 * record["lost_packets"]) for record in again.folder.read_lines("records.jsonl"))
    assert again.info["radio"]["packet_decoder0"]["crc_failed"] == lost


@needs_flowgraph
def test_texts_cross_the_air_in_bursts(config, tmp_path):
    """The virtual radio, AWGN at 20 dB with the impairments of the usual profile: every packet comes."""
    result = run_loop(replace(config, radio="virtual", n_frames=4, channel=ChannelConfig("awgn", 20.0),
                              feedback=FeedbackConfig(), slot_timeout_s=60.0), tmp_path / "run")  # fmt: skip
    records, counts = result.folder.read_lines("records.jsonl"), result.folder.read_json("radio.json")["counts"]
    assert [(record["missed"], record["lost_packets"]) for record in records] == [(False, 0.0)] * 4
    assert [record["received"] for record in records] == [record["sent"] for record in records]
    assert counts["burst_framer0"]["passed"] == 20 and [record["mode"] for record in records[1:]] == ["fast"] * 3


def test_the_page_shows_every_text(first):
    page = text_page.write_report(first.folder.path).read_text()
    records = first.folder.read_lines("records.jsonl")
    assert all(record["text"].replace("'", "&#x27;") in page for record in records)
    assert page.count("<tr><td class=n>") == N_TEXTS and "<s>" in page and "$" not in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_what_cannot_be_run_is_said_before_a_process_starts(config, tmp_path):
    cases = (
        ({"artifacts": str(tmp_path)}, "no manifest at .*: fetch the artifacts or train them"),
        ({"source": "text:/no/such.txt"}, "/no/such.txt"),
        ({"source": "invented:3"}, "wrong source 'invented:3', expected one of text:FILE"),
        ({"control": PacketControl(mode=7)}, "mode_id is 7, must be in 0..2"),
    )
    for change, message in cases:
        with pytest.raises((ValueError, OSError, artifact.ArtifactError), match=message):
            run_loop(replace(config, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()

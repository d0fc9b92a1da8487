# SPDX-License-Identifier: GPL-3.0-or-later
"""An evaluation of texts: rows against the codec and the link called directly, folders that are of others."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sentencepiece")
pytest.importorskip("transformers")

from scipy import stats  # noqa: E402

from tokenlink.channel import Channel, ChannelConfig  # noqa: E402
from tokenlink.link.tokcode import PacketLost, decode_packet, encode_sequence  # noqa: E402
from tokenlink.link.tokcode_modes import load_tokcode_table  # noqa: E402
from tokenlink.models.tokcode.text_codec import load_text_codec  # noqa: E402
from tokenlink.report import text_results  # noqa: E402
from tokenlink.report.text_claims import between  # noqa: E402
from tokenlink.study.result_store import StoreError  # noqa: E402
from tokenlink.study.text_plan import left_out, text_tasks  # noqa: E402
from tokenlink.study.text_study import open_study, run_texts, text_rows  # noqa: E402
from tokenlink.study.text_worker import prepare  # noqa: E402
from tokenlink.study.worker import WorkerError  # noqa: E402

TEXTS = ["a red fox under an old bridge, morning fog", "two sailing boats on a calm lake at sunset", "", "cat",
         "portrait of a clockmaker, candle light", "a yellow tram in a narrow street full of people"]  # fmt: skip
TABLE = load_tokcode_table()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "some.txt"
    path.write_text("\n".join(TEXTS) + "\n")
    return path


def evaluated(file, out, study="main", **chosen):
    tasks, setting, place, store = open_study(study, file, out, **chosen)
    result = run_texts(tasks, setting, place, store, workers=0)
    return text_rows(tasks, setting, store), result, setting


@pytest.fixture(scope="module")
def main(file, tmp_path_factory):
    out = tmp_path_factory.mktemp("main") / "out"
    return (*evaluated(file, out, methods=("none", "repetition", "bound"), realisations=2), out)


def test_what_comes_is_scored_as_the_codec_scores_it(main):
    rows, result, setting, _ = main
    codec = load_text_codec()
    assert setting.n_texts == 4, "an empty line and a text of one token are no texts to send"
    assert (len(rows), result.n_runs, result.n_found) == (18, 18, 0)
    for row in (row for row in rows if row["method"] == "none"):
        assert row["lost_packets"] == row["lost"] / 5 and row["n_frames"] == 4
        for (text, came), alike, letters in zip(row["shown"], row["similarities"], row["chrfs"], strict=True):
            tokens = codec.tokens_of(text)
            ways = [np.flatnonzero([(lost >> q) & 1 for q in range(5)]) for lost in range(32)]
            left = [np.delete(tokens, [n for n in range(tokens.size) if n % 5 in way])
                    for way in ways if len(way) == row["lost"]]  # fmt: skip
            fitting = [each for each in left if codec.text_of(each) == came]
            assert fitting and alike == pytest.approx(codec.similarity(tokens, fitting[0]), abs=2e-5)
            assert letters == pytest.approx(codec.second_similarity(text, came), abs=2e-5)
        assert row["similarity"] == pytest.approx(np.mean(row["similarities"]), abs=1e-5)
    for lost in (1, 2, 3):
        none, bound = (np.mean([row["similarities"] for row in rows if (row["method"], row["lost"]) == (name, lost)], 0)
                       for name in ("none", "bound"))  # fmt: skip
        assert (bound >= none - 1e-5).all(), "who knows the losses loses nothing by it"


def test_ways_meet_the_same_losses_and_realisations_other_ones(main):
    rows = main[0]
    lost = {row["realisation"]: [len(came.split()) for _, came in row["shown"]] for row in rows
            if (row["method"], row["lost"]) == ("none", 2)}  # fmt: skip
    assert lost[0] != lost[1]
    seeds = {(row["realisation"], row["seed"]) for row in rows}
    assert len(seeds) == 2


def test_the_radio_loses_what_the_link_loses(file, tmp_path):
    rows, _, _ = evaluated(file, tmp_path / "out", "air", methods=("none",), snrs_db=(4.0,), realisations=1)
    codec, texts = load_text_codec(), [text for text in TEXTS if len(text) > 3]
    assert [row["mode_id"] for row in rows] == [0, 1]
    for row in rows:
        mode, lost, uses = TABLE.mode(row["mode_id"]), [], []
        channel = Channel(ChannelConfig("rayleigh", 4.0), row["seed"])
        for number, text in enumerate(texts):
            symbols = encode_sequence(codec.tokens_of(text), mode, TABLE)
            uses.append(symbols.size)
            for q, packet in enumerate(symbols):
                received, state = channel.transmit(packet, 5 * number + q)
                try:
                    decode_packet(received, state.channel_gain, state.n0, q, mode, TABLE)
                    lost.append(False)
                except PacketLost:
                    lost.append(True)
        assert 0 < np.mean(lost) < 1 and row["lost_packets"] == pytest.approx(np.mean(lost))
        assert row["channel_uses"] == np.mean(uses)


def test_differences_are_students_over_texts(main):
    rows = main[0]
    sides = [[row for row in rows if (row["method"], row["lost"]) == (name, 2)] for name in ("bound", "none")]
    found = between(*sides, "similarity")
    own = np.mean([row["similarities"] for row in sides[0]], 0) - np.mean([row["similarities"] for row in sides[1]], 0)
    expected = stats.t.interval(0.95, 3, own.mean(), stats.sem(own))
    assert (found.low, found.high) == pytest.approx(expected)


def test_kept_rows_say_the_same_and_claims_without_an_encoder_are_not_measured(main, tmp_path):
    out = main[3]
    found = text_results.collect(out)
    checked = text_results.judge(found, tmp_path / "kept", "x")
    assert {each["verdict"] for each in checked} == {"not measured"} and len(checked) == 5
    text_results.keep(found, out, tmp_path / "kept")
    again = text_results.collect(tmp_path / "kept")
    assert [len(again.main), len(again.air)] == [18, 0] and "4 texts of some.txt, 2 realisations" in again.note
    table = (tmp_path / "kept" / "table_1.md").read_text()
    assert all(f"**{text}**" in table for text in TEXTS if len(text) > 3) and table.count("| bound (") == 4


def test_a_worker_with_another_judge_or_other_texts_computes_nothing(main, file):
    _, _, setting, out = main
    _, _, place, _ = open_study("main", file, out)
    prepare(place, setting)
    for name in ("sha256", "vocabulary", "sentences"):
        with pytest.raises(WorkerError, match="texts of some.txt, vocabulary or judge are others"):
            prepare(place, replace(setting, **{name: "0" * 64}))


def test_what_cannot_be_evaluated_is_named(main, file, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text(file.read_text() + "one more text about a green parrot\n")
    with pytest.raises(StoreError, match="holds results"):
        open_study("main", other, main[3])
    for chosen, match in (({"methods": ("morse",)}, "method is 'morse', expected one of none, infilling"),
                          ({"channels": ("moon",)}, "channel is 'moon', expected one of awgn"),
                          ({"realisations": 0}, "realisations is 0, expected >= 1")):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            open_study("main", file, tmp_path / "x", **chosen)
    with pytest.raises(ValueError, match="study is 'moon', expected one of main, air"):
        text_tasks("moon", {})
    assert left_out("main", {}) == ["infilling", "masked", "tokcode"] and left_out("air", {}, ("none",)) == []
    with pytest.raises(StoreError, match="holds no results of pictures"):
        from tokenlink.report import picture_results

        picture_results.collect(main[3])

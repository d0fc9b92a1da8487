# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benches measure with: cases in turn, a code others can check, streams with the bursts they say, the page."""

import subprocess
import sys

import numpy as np
import pytest

from tokenlink.bench import codewords, document, link, peers, stopwatch, sync
from tokenlink.bench import ldpc as ldpc_bench
from tokenlink.bench.stopwatch import Growth, Result, Timing


class Clock:
    """Time that only the cases make go on."""

    def __init__(self, monkeypatch):
        self.now_s, self.order = 0.0, []
        monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: self.now_s)

    def case(self, name, *durations_s):
        """A case that takes these times in turn."""
        def run():
            self.now_s += durations_s[self.order.count(name) % len(durations_s)]
            self.order.append(name)
        return run


def test_cases_take_turns_and_the_first_call_does_not_count(monkeypatch):
    clock = Clock(monkeypatch)
    cases = {"a": clock.case("a", 9.0, 0.5, 0.25, 0.5, 1.0), "b": clock.case("b", 7.0, 0.1, 0.3, 0.2, 0.1)}
    timings = stopwatch.interleaved(cases | {"elsewhere": lambda: 0.125}, repetitions=3)
    assert clock.order == ["a", "a", "b", "b", "a", "b", "a", "b", "a", "b"]
    assert timings["a"].minimum_s == pytest.approx(0.25) and timings["a"].median_s == pytest.approx(0.5)
    assert timings["b"].minimum_s == pytest.approx(0.1) and timings["b"].median_s == pytest.approx(0.2)
    assert timings["elsewhere"] == Timing(0.125, 0.125, 3)
    with pytest.raises(ValueError, match="repetitions is 0"):
        stopwatch.interleaved({}, 0)


def test_quick_cases_are_called_several_times_in_a_row(monkeypatch):
    clock = Clock(monkeypatch)
    timing = stopwatch.interleaved({"quick": clock.case("quick", stopwatch.SHORTEST_S / 8)}, repetitions=2)["quick"]
    assert len(clock.order) == pytest.approx(2 + 2 * 8, abs=2)
    assert timing.minimum_s == pytest.approx(stopwatch.SHORTEST_S / 8)


def test_the_machine_is_named():
    facts = stopwatch.machine()
    assert facts["cores"] >= 1 and facts["versions"]["numpy"] == np.__version__
    assert facts["cpu"] in document.machine_text(facts)


@pytest.mark.parametrize("rate", ldpc_bench.RATES.values())
def test_the_matrix_for_others_holds_for_our_codewords(rate):
    """H c = 0 for whole codewords, and the LLRs have the bits of these words where they were sent."""
    code = ldpc_bench.code_of(640, rate)
    sample = ldpc_bench.sample(code, esn0_db=40.0)
    parity = ldpc_bench.parity_check(code, sample["sample_llr"])
    matrix = np.zeros((parity["checks"], parity["bits"]), np.uint8)
    matrix[parity["check"], parity["bit"]] = 1
    assert not (matrix @ sample["sample_words"].T.astype(int) % 2).any()
    llr = parity["codeword_llr"]
    assert ((llr < 0) == sample["sample_words"])[llr != 0].all()
    assert (llr != 0).sum() == 2 * (code.n + code.filler_bits)


def test_block_errors_stand_beside_the_speed():
    result = Result("ldpc")
    for errors in ((3, 4096), (1024, 4096)):
        result.add("a case", Timing(1e-3, 2e-3, 3), 1, "Mbit/s", block_errors=errors)
    result.add("another", Timing(1e-3, 2e-3, 3), 1, "Mbit/s")
    lines = document.rows_text(result.rows).splitlines()
    assert lines[0].endswith("| rate | block errors |") and lines[1].count("|") == lines[0].count("|")
    assert [line.split("|")[-2].strip() for line in lines[2:]] == ["3 of 4,096", "0.25", ""]


def test_errors_are_counted_against_what_was_sent():
    """Noise that flips no bit, and noise that leaves no bit: none and all blocks are wrong; more than one piece."""
    code = codewords.code_of(8448, 5 / 6)
    assert codewords.block_errors(code, np.inf, 150, {"": {}}) == {"": (0, 0)}
    assert codewords.block_errors(code, -20, 150, {"": {"max_iterations": 1}}) == {"": (150, 150)}


def test_noise_alone_never_stops_a_decoder():
    from tokenlink.phy import ldpc

    code = ldpc_bench.code_of(640, 0.5)
    assert (ldpc.decode(code, ldpc_bench.noise_llr(code, 16), 10).iterations == 10).all()


def test_peers_that_are_not_there_are_named_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setitem(peers.PEERS, "Sionna", "no_such_script.py")
    (tmp_path / "arrays.npz").write_bytes(b"")
    found, skipped = peers.start_peers(tmp_path / "no_python", tmp_path / "arrays.npz")
    assert not found and set(skipped) == set(peers.PEERS)
    assert "no_such_script.py" in skipped["Sionna"] and "cannot be started" in skipped["ldpc"]
    assert skipped["gr-fec"]


def test_a_peer_answers_with_its_seconds(tmp_path, monkeypatch):
    script = tmp_path / "peer.py"
    script.write_text("print('noise on the output')\n"
                      "from serve import arrays, serve\n"
                      "k = int(arrays()['k'])\n"
                      "serve('mine', k, lambda: sum(range(100000)))\n")
    (tmp_path / "serve.py").write_bytes((peers.SCRIPTS / "serve.py").read_bytes())
    np.savez(tmp_path / "arrays.npz", k=7)
    monkeypatch.setattr(peers, "SCRIPTS", tmp_path)
    monkeypatch.setitem(peers.PEERS, "ldpc", script.name)
    peer = peers.Peer("ldpc", sys.executable, tmp_path / "arrays.npz")
    assert peer.info == {"name": "mine", "version": "7"}
    assert 0 < peer.run() < 5
    peer.close()


def test_streams_hold_the_bursts_they_say_and_the_receiver_finds_them():
    air, count = sync.stream(60_000, payload_symbols=320, share=0.5)
    assert count >= 3 and sync.receive(air, 8192) == count
    air, count = sync.stream(20_000, share=0.0)
    assert count == sync.receive(air) == 0


def test_the_block_finds_the_bursts_of_a_stream():
    pytest.importorskip("gnuradio")
    air, count = sync.stream(60_000, payload_symbols=320, share=0.5)
    block = sync.start_block(np.concatenate([air, np.zeros(20_000, np.complex64)]), count)
    assert 0 < block.run() < 5
    block.close()
    with pytest.raises(peers.PeerMissing, match=f"it finds {count} of {count + 1} bursts"):
        sync.start_block(air, count + 1)


def test_the_link_of_the_bench_delivers_and_names_its_stages():
    bench = link.Link(4)
    assert bench.run().shape == (4, bench.table.n_tokens) and bench.run().mean() < 0.01
    assert list(bench.stages()) == [
        "pack tokens", "encode", "map", "noise (numpy)", "demap", "decode", "token posterior", "gate"]
    assert link.work(0.01)[0] >= link.BATCH


def test_memory_of_a_process_is_that_of_the_kernel():
    from tokenlink.bench.loop import MemorySampler, resident_mb

    # A process of its own: this one gives back memory of other tests whenever it likes.
    code = "print(flush=True); input(); block = b'x' * (40 << 20); print(flush=True); input()"
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **options) as child:
        child.stdout.readline()
        before = resident_mb(child.pid)
        child.stdin.write("\n")
        child.stdin.flush()
        child.stdout.readline()
        assert resident_mb(child.pid) == pytest.approx(before + 40, abs=2)
        child.communicate("\n")
    assert resident_mb(child.pid) == 0.0
    sampler = MemorySampler()
    sampler.frames, sampler.samples = 1000, [(frame, 100 + 0.02 * frame) for frame in range(0, 1001, 10)]
    sampler.start()
    largest_mb, gained_mb = sampler.finish()
    assert largest_mb >= 120 and gained_mb == pytest.approx(20, abs=1)


def test_page_and_figures(tmp_path):
    result = Result("link", notes=["a note"], skipped={"Sionna": "no module"},
                    profile=[{"case": "c", "stage": "encode", "minimum_s": 2e-6}])
    result.add("one frame", Timing(1e-3, 2e-3, 5), 64, "frames/s")
    result.growth.append(Growth("link_frames", "frames in a call", "microseconds a frame", [1, 10, 100],
                                {"a": [900.0, 90.0, 9.0], "b": [1.0, 2.0, 3.0]}))
    result.memory = {"largest_mb": 800.0, "gained_mb_per_1000_frames": 0.1, "frames": 60}
    page = document.write([result], stopwatch.machine(), tmp_path).read_text()
    assert "| one frame | 1 ms | 2 ms | 64,000 frames/s |" in page
    for text in ("a note", "Not measured: Sionna (no module).", "| encode | 2 us | 100 % |", "at most 800 MB"):
        assert text in page
    figure = tmp_path / "figures" / "bench_link_frames.svg"
    assert "figures/bench_link_frames.svg" in page and "frames in a call" in figure.read_text()
    again = figure.read_bytes()
    document.write([result], stopwatch.machine(), tmp_path)
    assert figure.read_bytes() == again


def test_multiplications_are_those_of_the_shapes_and_the_share_is_what_was_asked_for():
    torch = pytest.importorskip("torch")
    from tokenlink.bench.adaptive import fixed_share, multiplications
    from tokenlink.models.adaptive.picture_codec import AdaptiveCodec

    assert multiplications(lambda: torch.ones(3, 5) @ torch.ones(5, 7)) == 3 * 5 * 7
    codec, picture = fixed_share(AdaptiveCodec.untrained(engine="torch"), 0.25), np.zeros((128, 128, 3), np.uint8)
    assert codec.encode(picture, 0.9, 0.1).kept.sum() == 16
    fewer = multiplications(lambda: codec.encode(picture, 0.9, 0.1))
    assert fewer < multiplications(lambda: fixed_share(codec, 1.0).encode(picture, 0.9, 0.1))


def test_multiplications_are_those_of_the_sizes():
    """By hand: a block of n tokens has 12 n d^2 + 2 n^2 d, d = 192; a stem of five stages of EfficientNet-Lite0;
    c_R and c_I of widths 192, 138, 83, 29; c_D of 58, 103, 147, 192; class head 192 x 10; gates and thresholds are
    left out."""
    pytest.importorskip("torch")
    from tokenlink.bench.adaptive import RATIO, fixed_share, multiplications
    from tokenlink.models.adaptive.picture_codec import AdaptiveCodec

    def block(n):
        return 12 * n * 192**2 + 2 * n**2 * 192

    # side behind the layer, kernel, stride, features in and out, behind the first layer and a stage of 16 features
    layers = ((32, 3, 2, 16, 24), (32, 3, 1, 24, 24), (16, 5, 2, 24, 40), (16, 5, 1, 40, 40), (8, 3, 2, 40, 80),
              *((8, 3, 1, 80, 80),) * 2, (8, 5, 1, 80, 112), *((8, 5, 1, 112, 112),) * 2)  # fmt: skip
    stem = 64**2 * (27 * 32 + 9 * 32 + 32 * 16) + 8**2 * 112 * 192
    for side, kernel, stride, a, b in layers:
        stem += (stride * side) ** 2 * a * 6 * a + side**2 * (kernel**2 * 6 * a + 6 * a * b)
    picture = np.zeros((128, 128, 3), np.uint8)
    for alpha, kept in ((0.1, 6), (1.0, 64)):
        codec = fixed_share(AdaptiveCodec.untrained(engine="torch"), alpha)
        sent = codec.encode(picture, alpha, RATIO)
        pair = (kept + 1) * 2 * (192 * 138 + 138 * 83 + 83 * 29)
        device = stem + block(66) + 2 * block(kept + 2) + pair
        assert multiplications(lambda c=codec, a=alpha: c.encode(picture, a, RATIO)) == pytest.approx(device, rel=1e-4)
        back = (kept + 1) * (58 * 103 + 103 * 147 + 147 * 192)
        server = 3 * block(kept + 2) + back + 192 * 10
        found = multiplications(lambda c=codec, s=sent: c.decode(s.symbols, 1.0, 0.1, s.kept, RATIO))
        assert found == pytest.approx(server, rel=1e-4)


def test_the_made_up_table_of_accuracies_has_the_pairs_of_the_mode_table_and_rises():
    from tokenlink.bench.adaptive import made_up_proxy
    from tokenlink.link.adaptive_modes import load_adaptive_table

    proxy, table = made_up_proxy(), load_adaptive_table()
    assert (proxy.alphas, proxy.ratios) == (table.alphas, table.ratios)
    assert (np.diff(proxy.accuracy, axis=1) > 0).all() and np.argmax(proxy.bandwidth_ratio) == len(table.modes) - 1
    assert proxy.bandwidth_ratio.max() == pytest.approx(65 * 96 / 49152)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes of slots: they survive kills, and two hosts' notes account for each slot or say which one they do not."""

from tokenlink.hosts.slot_log import UNACCOUNTED, SlotLog, account, read_slot_log, totals


def tx(slot, outcome="sent"):
    begun = {"slot": slot, "mode_id": 1, "how": "commanded"}
    return [begun] + ([{"slot": slot, "outcome": outcome}] if outcome else [])


def rx(slot, outcome="received"):
    return {"slot": slot, "outcome": outcome}


def test_a_log_goes_on_after_a_kill(tmp_path):
    log = SlotLog(tmp_path)
    log.write(slot=0, mode_id=1)
    log.write(slot=1, mode_id=2)
    log.close()
    path = tmp_path / "slots.jsonl"
    path.write_text(path.read_text()[:-4])
    log = SlotLog(tmp_path)
    assert log.next_slot == 1
    log.write(slot=1, mode_id=0)
    log.close()
    assert read_slot_log(tmp_path) == [{"slot": 0, "mode_id": 1}, {"slot": 1, "mode_id": 0}]


def test_every_fate_is_told_from_the_others():
    tx_rows = [*tx(0, "receiver away"), *tx(1), *tx(2), *tx(3, None), *tx(4), *tx(5), *tx(6, "no frame"), *tx(7)]
    rx_rows = [{"session_begins_at": 1}, rx(1), rx(2, "missed"), rx(3, "missed"),
               {"session_begins_at": 6}, rx(6, "missed"), rx(7)]  # fmt: skip
    fates = account(tx_rows, rx_rows)
    assert list(fates.values()) == [
        "receiver away", "received", "lost on the air", "transmitter stopped", "receiver down", "receiver down",
        "no frame", "received",
    ]  # fmt: skip
    assert totals(fates) == {
        "received": 2, "lost on the air": 1, "receiver away": 1, "receiver down": 2, "no frame": 1,
        "transmitter stopped": 1, UNACCOUNTED: 0,
    }  # fmt: skip


def test_what_does_not_add_up_is_said():
    up = [{"session_begins_at": 0}, rx(0), rx(2), rx(9)]
    fates = account([*tx(0), *tx(1), *tx(2), *tx(2), *tx(4)], up)
    # 1: the receiver was up and says nothing; 2: begun twice; 3: never begun; 9: nobody sent it
    assert {slot for slot, fate in fates.items() if fate == UNACCOUNTED} == {1, 2, 3, 4, 9}
    assert account([], []) == {}

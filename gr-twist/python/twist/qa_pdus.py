# SPDX-License-Identifier: GPL-3.0-or-later
"""PMT <-> numpy: views share memory with their PMT and keep it, metadata entries are those GNU Radio makes."""

import gc

import numpy as np
import pmt
from gnuradio import gr_unittest
from gnuradio.twist.pdus import (
    PduError,
    new_metadata,
    pack,
    read_array,
    read_dict,
    to_array,
    to_vector,
    unpack,
    with_entry_of,
)

ELEMENTS = {np.uint8: pmt.u8vector_elements, np.int32: pmt.s32vector_elements, np.float32: pmt.f32vector_elements,
            np.complex64: pmt.c32vector_elements}


def values_of(dtype, size=1280):
    values = np.random.default_rng(1).integers(0, 100, size)
    return (values * (1 + 1j)).astype(dtype) if dtype is np.complex64 else values.astype(dtype)


class qa_pdus(gr_unittest.TestCase):
    def test_vectors_hold_what_gnuradio_reads(self):
        for dtype, elements in ELEMENTS.items():
            for size in (0, 1, 1280):
                values = values_of(dtype, size)
                vector = to_vector(values)
                np.testing.assert_array_equal(elements(vector), values)
                np.testing.assert_array_equal(to_array(vector, dtype), values)
                self.assertEqual(to_array(vector, dtype).dtype, dtype)

    def test_arrays_of_any_memory_layout(self):
        values = values_of(np.float32)
        shifted = np.frombuffer(b"x" + values.tobytes(), np.float32, offset=1)
        for other in (shifted, np.repeat(values, 2)[::2], values[::-1][::-1]):
            np.testing.assert_array_equal(to_array(to_vector(other), np.float32), values)
        np.testing.assert_array_equal(to_array(to_vector(np.array([True, False])), np.uint8), [1, 0])

    def test_view_shares_memory_and_cannot_be_written(self):
        vector = pmt.init_f32vector(3, [1.0, 2.0, 3.0])
        view = to_array(vector, np.float32)
        pmt.f32vector_set(vector, 1, 7.0)
        self.assertEqual(view.tolist(), [1.0, 7.0, 3.0])
        with self.assertRaises(ValueError):
            view[0] = 0.0

    def test_view_and_its_slices_keep_the_vector(self):
        """What the PDU was made of is long gone and its memory taken by others when the slices are read."""
        values = values_of(np.complex64)
        slices = []
        for number in range(50):
            pdu = pack(new_metadata({"slot": number}), values + number)
            _, payload = unpack(pdu, np.complex64)
            slices.append(payload[10:20])
            del pdu, payload
        gc.collect()
        others = [to_vector(np.full(1280, -1, np.complex64)) for _ in range(200)]
        for number, each in enumerate(slices):
            np.testing.assert_array_equal(each, values[10:20] + number)
        self.assertEqual(len(others), 200)

    def test_views_of_metadata_keep_the_vector(self):
        views = [read_array(new_metadata({"confidence": np.full(300, i, np.float32)}), "confidence", np.float32)
                 for i in range(50)]
        gc.collect()
        others = [to_vector(np.full(300, -1, np.float32)) for _ in range(200)]
        self.assertEqual([view.tolist() for view in views], [[float(i)] * 300 for i in range(50)])
        self.assertEqual(len(others), 200)

    def test_wrong_kinds_are_refused(self):
        for message in (pmt.intern("text"), pmt.PMT_NIL, pmt.make_u8vector(3, 0)):
            with self.assertRaises(PduError):
                to_array(message, np.float32)

    def test_entries_are_what_gnuradio_makes_of_them(self):
        values = {"flag": True, "slot": 2**63 - 1, "n0": 0.25, "gain": 1 - 2j, "reason": "noise", "nested": {"a": 1.5}}
        metadata = new_metadata(values)
        for key, value in values.items():
            entry = pmt.dict_ref(metadata, pmt.intern(key), pmt.PMT_NIL)
            self.assertTrue(pmt.equal(entry, pmt.to_pmt(value)) or pmt.is_dict(entry), key)
        self.assertEqual(read_dict(metadata, "nested"), {"a": 1.5})
        entry = pmt.dict_ref(new_metadata({"n0": np.float32(2)}), pmt.intern("n0"), pmt.PMT_NIL)
        self.assertEqual(pmt.to_double(entry), 2.0)

    def test_entry_of_a_dictionary_is_added_or_replaced(self):
        metadata = new_metadata({"timings": {"first": 1.0}, "odd": 3})
        metadata = with_entry_of(metadata, "timings", "second", 2.0)
        metadata = with_entry_of(metadata, "timings", "first", 0.5)
        self.assertEqual(read_dict(metadata, "timings"), {"first": 0.5, "second": 2.0})
        for key in ("odd", "absent"):
            self.assertEqual(read_dict(with_entry_of(metadata, key, "a", 1.0), key), {"a": 1.0})


if __name__ == "__main__":
    gr_unittest.run(qa_pdus)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that stays with a process: arrays of a megabyte are made and dropped with every frame.

Left to itself, glibc gives such blocks back to the kernel and gets them again, each page zeroed: up to a third of the
time of the link. The three bounds are described in mallopt(3).
"""

from __future__ import annotations

import ctypes
import os

#: variable that glibc reads at the start of a process: (parameter of mallopt, bytes)
KEPT = {
    "MALLOC_MMAP_THRESHOLD_": (-3, 32 << 20),  # M_MMAP_THRESHOLD; glibc takes no more
    "MALLOC_TRIM_THRESHOLD_": (-1, 128 << 20),  # M_TRIM_THRESHOLD: this much may lie unused at the top of the heap
}


def keep_memory():
    """Have this process, and the processes it starts, keep what they free; what the user has set stays.

    Without effect where the C library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    for variable, (parameter, size) in KEPT.items():
        if variable not in os.environ:
            os.environ[variable] = str(size)
            if mallopt is not None:
                mallopt(parameter, size)

# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder on a disk that is soon full: a file system of its own where that is permitted, else a limit on each file."""

import contextlib
import os
import resource
import subprocess


@contextlib.contextmanager
def full_disk(folder, n_kib):
    """The folder, with room for ``n_kib`` KiB in all (as root), or in each file; for this process and its children."""
    folder.mkdir()
    size = ["-o", f"size={n_kib}k", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", *size], capture_output=True).returncode == 0:
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_kib * 1024, before[1]))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

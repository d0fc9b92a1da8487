# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that runs in a block's thread keeps things in `threading.local`: they crash GNU Radio on Python 3.13."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [*(ROOT / "python" / "tokenlink" / name for name in ("phy", "channel", "link", "wire")),
           ROOT / "gr-twist" / "python" / "twist"]
STORAGE = re.compile(r"(?<!`)threading\.local\b|from threading import .*\blocal\b")


def test_threads_keep_nothing():
    files = [path for folder in FOLDERS for path in folder.rglob("*.py") if not path.name.startswith("qa_")]
    assert {"kernels.py", "batch.py", "_counting.py"} <= {path.name for path in files}
    assert [path.name for path in files if STORAGE.search(path.read_text())] == []

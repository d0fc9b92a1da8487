# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point of ``./twist``."""

import sys

from tokenlink.cli.main import run_app

if __name__ == "__main__":
    sys.exit(run_app(sys.argv[1:]))

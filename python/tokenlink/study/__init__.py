# SPDX-License-Identifier: GPL-3.0-or-later
"""Many runs in one process: what is compared, over which channels, and the rows that come out."""

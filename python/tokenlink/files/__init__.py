# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that people write, read without trusting them, and files that a command will write, looked at before it works.
"""

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run says in numbers: records of its slots, metrics over them, intervals. Below all that reports."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run says: records per frame, metrics over them, and the report."""

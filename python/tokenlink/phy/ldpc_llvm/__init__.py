# SPDX-License-Identifier: GPL-3.0-or-later
"""LDPC kernels written as LLVM IR for one code and one processor each, compiled at run time."""

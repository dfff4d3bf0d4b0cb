# SPDX-License-Identifier: MIT
"""Paging beside the kernel."""

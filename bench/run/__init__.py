# SPDX-License-Identifier: MIT
"""Real programs beside the kernel."""

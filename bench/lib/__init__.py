# SPDX-License-Identifier: MIT
"""What the benches that stand beside the kernel share."""

# SPDX-License-Identifier: MIT
"""What Quire is measured against, and by what."""

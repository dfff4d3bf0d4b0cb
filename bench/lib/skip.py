# SPDX-License-Identifier: MIT
"""The one way in which a part of a bench says that this host cannot run it."""


class Skip(Exception):
    """Its text names what is missing."""

"""Parts of the standard library without what importing them costs.

``json``, ``socket`` and ``ssl`` bring ``re``, ``enum`` and ``selectors`` along, and make classes of some
hundred constants; ``threading`` and ``contextlib`` bring ``functools`` and ``collections``, ``os`` abstract
classes of all kinds. All that is more than half of an agent's start-up, which every host pays. The C modules
beneath do the work either way. Their interface is nobody's promise, so they are called only on the Pythons
that this was tried with; on any other one the public modules are used.
"""

from __future__ import annotations

import sys

KNOWN_PYTHON = sys.implementation.name == "cpython" and (3, 9) <= sys.version_info[:2] <= (3, 13)

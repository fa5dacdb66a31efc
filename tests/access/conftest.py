"""Lets these tests import what they share, and what the tests of the SMTP server have."""

import sys
from pathlib import Path

_TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(_TESTS / name) for name in ("access", "receive", "interop")]

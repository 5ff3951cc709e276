"""Time-outs of tests."""

from typing import Final

#: Longest wait for an event [s]; it must also be sufficient on a busy machine.
PATIENCE_S: Final = 120.0

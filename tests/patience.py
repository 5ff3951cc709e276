"""How long tests wait for what has to happen."""

from typing import Final

#: Ends the wait for what hangs [s]. What is only slow, on a machine that others load, has to pass.
PATIENCE_S: Final = 120.0

"""The protocols of simulated meters: a model becomes registers, a request its reply.

In: a meter model with transformer ratios; bytes received on a line. Out: requests, the contents of
registers, frames of replies, and the numbers that a reader decodes from them.

A protocol costs one module beside this one and one row in `PROTOCOLS`; whoever serves meters knows
it only through that row. Laws: pure, bytes in and bytes out; no code is shared with the agent,
because the simulator checks the agent's decoder independently.
"""

from typing import Final

from simulators.protocols.modbus_device import MODBUS
from simulators.protocols.simulated_protocol import SimulatedProtocol

#: Protocols by the `protocol` of a meter model.
PROTOCOLS: Final[dict[str, SimulatedProtocol]] = {"modbus": MODBUS}

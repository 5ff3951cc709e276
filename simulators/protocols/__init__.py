"""The protocols of simulated meters: fill registers from a meter model, and answer requests.

In: a meter model with transformer ratios, and bytes received on a line. Out: requests, register
values, frames of replies, and the numbers that a correct reader decodes from them.

A new protocol costs one module in this folder and one row in `PROTOCOLS`. Other packages use a
protocol only through its row. Laws: pure, bytes in and bytes out. No code is shared with the agent,
because the simulator checks the agent's decoder independently.
"""

from typing import Final

from simulators.protocols.modbus_device import MODBUS
from simulators.protocols.simulated_protocol import SimulatedProtocol

#: Protocols, by the key `protocol` of a meter model.
PROTOCOLS: Final[dict[str, SimulatedProtocol]] = {"modbus": MODBUS}

"""List the reasons for which a message could not be delivered, in words for people. Pure.

Law: the reasons are msgids. `jieneng alerts list` and `jieneng alerts notify` translate them, and
show them after the receiver's name. The error text of a server, such as `HTTP 404`, is shown
unchanged.
"""

from typing import Final

from jieneng.metering.errors import Msgid

NO_ANSWER: Final[Msgid] = "no answer in time"
BAD_CERTIFICATE: Final[Msgid] = "the server's certificate is not valid"
UNKNOWN_NAME: Final[Msgid] = "the server's name is not known"
CONNECTION_REFUSED: Final[Msgid] = "the server refuses connections"
NO_ROUTE: Final[Msgid] = "no route to the server"
NO_CONNECTION: Final[Msgid] = "no connection"
BAD_ADDRESS: Final[Msgid] = "the address is not valid"
NO_ROBOT: Final[Msgid] = "the answer does not come from a chat robot; check the address"
NO_RECEIVER: Final[Msgid] = "alerts.toml has no such receiver"
NO_ADDRESS: Final[Msgid] = "the receiver has no address"

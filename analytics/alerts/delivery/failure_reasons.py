"""List the reasons for which a message could not be delivered, in words for people. Pure.

Law: these are msgids, shown after the receiver's name: `jieneng alerts list` and `notify` translate
them. What a server says itself, such as `HTTP 404`, is shown as it is.
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
NO_ROBOT: Final[Msgid] = "the answer is not that of a robot; check the address"
NO_RECEIVER: Final[Msgid] = "alerts.toml has no such receiver"
NO_ADDRESS: Final[Msgid] = "the receiver has no address"

"""Find the address of a receiver: in `alerts.toml`, in a file, or in an environment variable.

Law: an address may contain a password, a token or a key. It is used only to send notices, and is
never written to a log or an error message.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from analytics.alerts.alert_rule import Receiver
from jieneng.metering.errors import UsageError

#: Prefix of environment variables with addresses: `JIENENG_RECEIVER_NIGHT_SHIFT` contains the
#: address of the receiver `night-shift`.
VARIABLE_PREFIX: Final = "JIENENG_RECEIVER_"


def variable_name(receiver: str) -> str:
    """Return the name of the environment variable with the address of a receiver."""
    return VARIABLE_PREFIX + receiver.upper().replace("-", "_")


def receiver_address(
    receiver: Receiver, folder: Path, environment: Mapping[str, str] = os.environ
) -> str:
    """Return the address of a receiver.

    Args:
        receiver: row of `alerts.toml`.
        folder: folder of the site.
        environment: the environment variables.

    Raises:
        UsageError: the receiver has no address, or the file with its address can't be read.
    """
    if receiver.url is not None:
        return receiver.url
    variable = variable_name(receiver.id)
    if receiver.url_file is None:
        address = environment.get(variable, "").strip()
        if not address:
            raise UsageError(
                "receiver {receiver} has no address: give it url_file or url in alerts.toml, or "
                "set the environment variable {variable}.",
                receiver=receiver.id,
                variable=variable,
            )
        return address
    file = folder / receiver.url_file
    try:
        address = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "the address of receiver {receiver} can't be read from {file}: {reason}.",
            receiver=receiver.id,
            file=file,
            reason=error.strerror if isinstance(error, OSError) else "it is not UTF-8 text",
        ) from error
    if not address:
        raise UsageError(
            "the file {file} with the address of receiver {receiver} is empty.",
            receiver=receiver.id,
            file=file,
        )
    return address

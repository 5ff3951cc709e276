"""Read and check the files named in the settings of a broker: password, TLS certificates and key.

Law: the error for a file that can't be used names the file, its key in the settings, and a way to
correct it. A file is read only when a connection or `problems` needs it.
"""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jieneng.metering.errors import ConfigError, Problem

# systemd puts the credentials of a service there; they exist only while the service runs.
_CREDENTIALS: Final = "/run/credentials/"
_CERTIFICATE, _KEY = "-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----"
_CERTIFICATE_END: Final = "-----END CERTIFICATE-----"
_MARKS: Final = {"ca_file": _CERTIFICATE, "cert_file": _CERTIFICATE, "key_file": _KEY}


def problems(
    password_file: str | None,
    ca_file: str | None,
    cert_file: str | None,
    key_file: str | None,
    *,
    in_service: bool = False,
) -> list[Problem]:
    """Return the problems of the files.

    Args:
        password_file: file with the password.
        ca_file: file with the certificate authority; TLS is used only if it is given.
        cert_file: file with the certificate of the client.
        key_file: file with the key of the client; None if the key is in `cert_file`.
        in_service: True if this process is the service itself; only then do credentials from
            systemd exist.
    """
    hidden = () if in_service else (_CREDENTIALS,)
    named = {"password_file": password_file, "ca_file": ca_file}
    if ca_file:
        named |= {"cert_file": cert_file, "key_file": key_file}
    found = [
        problem
        for key, path in named.items()
        if path and not path.startswith(hidden)
        for problem in _file_problems(key, path)
    ]
    paths = (ca_file, cert_file, key_file)
    if not found and not any(path and path.startswith(hidden) for path in paths):
        try:
            tls_context(*paths)
        except ConfigError as error:
            found += error.problems
    return found


def password(file: str | None) -> str | None:
    """Return the password from a file or, if no file is given, from the environment.

    Raises:
        ConfigError: the file can't be read.
    """
    if not file:
        return os.environ.get("JIENENG_MQTT_PASSWORD")
    return _read("password_file", file).strip()


def tls_context(
    ca_file: str | None, cert_file: str | None, key_file: str | None
) -> ssl.SSLContext | None:
    """Return the context of a TLS connection; None without a certificate authority.

    Raises:
        ConfigError: a file can't be used.
    """
    if not ca_file:
        return None
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if cert_file:
            # If the key has a password, fail instead of asking for it at the terminal.
            context.load_cert_chain(cert_file, key_file, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        named = {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}
        found = [
            problem for key, path in named.items() if path for problem in _file_problems(key, path)
        ]
        raise ConfigError(found or [_pair_problem(cert_file, key_file, error)]) from error
    return context


def certificates(cert_file: str | None) -> list[bytes]:
    """Return the certificates in a file, each in DER; none without a file.

    Raises:
        ConfigError: the file can't be read.
    """
    if not cert_file:
        return []
    blocks = _read("cert_file", cert_file).split(_CERTIFICATE)[1:]
    texts = [_CERTIFICATE + block.partition(_CERTIFICATE_END)[0] for block in blocks]
    return [ssl.PEM_cert_to_DER_cert(f"{text}{_CERTIFICATE_END}\n") for text in texts]


def _file_problems(key: str, path: str) -> Iterator[Problem]:
    """Yield the problems of a single file."""
    try:
        text = _read(key, path)
    except ConfigError as error:
        yield from error.problems
        return
    mark = _MARKS.get(key, "")
    if mark in text:
        return
    yield Problem(
        text=(
            "{path} is not a private key in PEM form."
            if mark == _KEY
            else "{path} is not a certificate in PEM form."
        ),
        fix="Convert it with openssl, or name the right file: it has a line with {mark}.",
        values={"path": path, "mark": mark},
        path=("broker", key),
    )


def _pair_problem(cert_file: str | None, key_file: str | None, error: Exception) -> Problem:
    """Return the problem of a certificate and a key that are valid but can't be used together."""
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return Problem(
            text="the key in {key} does not belong to the certificate in {certificate}.",
            fix="Name the key with which this certificate was requested.",
            values={"key": key_file or cert_file, "certificate": cert_file},
            path=("broker", "key_file" if key_file else "cert_file"),
        )
    return Problem(
        text="the certificates of TLS can't be used: {error}.",
        fix="Check ca_file, cert_file and key_file; a key must not have a password.",
        values={"error": error},
        path=("broker", "cert_file" if cert_file else "ca_file"),
    )


def _read(key: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        if key != "password_file":
            return ""  # the file is not PEM; the caller reports it
        reason = "it is no text in UTF-8"
    except OSError as error:
        reason = error.strerror or str(error)
    raise ConfigError(
        [
            Problem(
                text="the file {path} can't be read: {error}.",
                fix="Check the path after {key}, and the permissions of the file.",
                values={"path": path, "key": key, "error": reason},
                path=("broker", key),
            )
        ]
    )

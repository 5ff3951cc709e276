"""Certificates made by openssl, for this machine's address."""

import ssl
import subprocess
from pathlib import Path

from tests.servers import need


def make(folder: Path, name: str, days: int) -> Path:
    """Make `name.pem` and `name.key`, valid for some days, and return the certificate's path."""
    certificate = folder / f"{name}.pem"
    subprocess.run(
        [
            *(need("openssl"), "req", "-x509", "-nodes", "-days", str(days)),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-keyout", folder / f"{name}.key", "-out", certificate),
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return certificate


def expiry_ms(certificate: Path) -> int:
    """Return the end of a certificate's validity, as openssl says it [UTC, ms]."""
    done = subprocess.run(
        [need("openssl"), "x509", "-in", certificate, "-noout", "-enddate"],
        check=True,
        capture_output=True,
        text=True,
    )
    return 1000 * ssl.cert_time_to_seconds(done.stdout.strip().removeprefix("notAfter="))

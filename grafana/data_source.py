"""Define the data source of the boards: the store, over InfluxQL, with a read-only account.

Grafana reads address and account from its environment: `INFLUX_URL`, `INFLUX_DATABASE`,
`INFLUX_USER`, `INFLUX_PASSWORD`. InfluxDB 1.x and openGemini need user and password. In InfluxDB
2.x, the password is a token, with any user name; user and password of a 1.x-compatible account work
as well. A bucket of InfluxDB 2.x must be mapped to a database name (DBRP mapping).
`jieneng ingest prepare` creates the account.
"""

from typing import Any, Final

import msgspec

UID: Final = "jieneng-store"
REFERENCE: Final = {"type": "influxdb", "uid": UID}
NAME: Final = "节能数据库"

DATA_SOURCES_YAML: Final = f"""\
# Made by `jieneng grafana build`. Grafana fills in INFLUX_... from its own environment.
apiVersion: 1
datasources:
  - name: {NAME}
    uid: {UID}
    type: influxdb
    access: proxy
    url: $INFLUX_URL
    user: $INFLUX_USER
    isDefault: true
    editable: false
    jsonData:
      version: InfluxQL
      dbName: $INFLUX_DATABASE
      httpMode: GET
      timeInterval: 10s
    secureJsonData:
      password: $INFLUX_PASSWORD
"""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Address of the database, and a read-only account.

    Attributes:
        url: address under which Grafana reaches the database.
        database: database or bucket.
        user: user name; any name for a token of InfluxDB 2.x.
        password: password or token.
    """

    url: str
    database: str
    user: str
    password: str


def api_body(account: Account) -> dict[str, Any]:
    """Return the data source as a request body of Grafana's HTTP API."""
    return {
        "name": NAME,
        "uid": UID,
        "type": "influxdb",
        "access": "proxy",
        "url": account.url,
        "user": account.user,
        "isDefault": True,
        "jsonData": {
            "version": "InfluxQL",
            "dbName": account.database,
            "httpMode": "GET",
            "timeInterval": "10s",
        },
        "secureJsonData": {"password": account.password},
    }

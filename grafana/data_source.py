"""Define the data source of the boards: the store, over InfluxQL.

The address comes from Grafana's environment: `INFLUX_URL`, `INFLUX_DATABASE`, `INFLUX_TOKEN`.
InfluxDB 2.x maps the database to a bucket (DBRP) and requires the token; 1.x ignores the token.
"""

from typing import Final

UID: Final = "jieneng-store"
REFERENCE: Final = {"type": "influxdb", "uid": UID}

DATA_SOURCES_YAML: Final = f"""\
# Made by `jieneng grafana build`. Grafana fills in INFLUX_... from its own environment.
apiVersion: 1
datasources:
  - name: 节能数据库
    uid: {UID}
    type: influxdb
    access: proxy
    url: $INFLUX_URL
    isDefault: true
    editable: false
    jsonData:
      version: InfluxQL
      dbName: $INFLUX_DATABASE
      httpMode: GET
      timeInterval: 10s
      httpHeaderName1: Authorization
    secureJsonData:
      httpHeaderValue1: Token $INFLUX_TOKEN
"""

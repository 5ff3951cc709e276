#!/bin/sh
# Run once by the influxdb image after its set-up: maps the bucket to a database for InfluxQL, and
# makes the account with which Grafana may only read.
set -eu
influx v1 dbrp create --default \
  --db "$DOCKER_INFLUXDB_INIT_BUCKET" --rp autogen \
  --bucket-id "$DOCKER_INFLUXDB_INIT_BUCKET_ID" --org "$DOCKER_INFLUXDB_INIT_ORG"
influx v1 auth create \
  --username grafana --password "$(cat /run/secrets/influx_grafana)" \
  --read-bucket "$DOCKER_INFLUXDB_INIT_BUCKET_ID" --org "$DOCKER_INFLUXDB_INIT_ORG"

#!/bin/sh
# Run once by the influxdb image after its set-up: maps the bucket to a database for InfluxQL.
set -eu
influx v1 dbrp create --default \
  --db "$DOCKER_INFLUXDB_INIT_BUCKET" --rp autogen \
  --bucket-id "$DOCKER_INFLUXDB_INIT_BUCKET_ID" --org "$DOCKER_INFLUXDB_INIT_ORG"

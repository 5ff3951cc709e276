"""Answers to a write, word for word as servers give them, and what each means."""

import json

import pytest

from jieneng.storage.write_answers import (
    REFUSAL_WORDS,
    TROUBLE_WORDS,
    Verdict,
    read_answer,
)


def influx_1(words: str) -> str:
    return json.dumps({"error": words}) + "\n"


def influx_2(code: str, message: str) -> str:
    return json.dumps({"code": code, "message": message})


def influx_3(*messages: str, error: str = "partial write of line protocol occurred") -> str:
    lines = [
        {"original_line": "electricity,meter=m1", "line_number": i + 1, "error_message": words}
        for i, words in enumerate(messages)
    ]
    return json.dumps({"error": error, "data": lines})


_CONFLICT = (
    'input field "energy_kwh" on measurement "electricity" is type float, already exists as type '
    "integer dropped=3"
)

#: Refusals: code, status, body.
REFUSALS = [
    ("field_type", 400, influx_1(f"partial write: field type conflict: {_CONFLICT}")),
    (
        "field_type",
        422,
        influx_2(
            "unprocessable entity",
            f"failure writing points to database: partial write: field type conflict: {_CONFLICT}",
        ),
    ),
    ("field_type", 400, influx_1("conflict field type: energy_kwh")),
    (
        "field_type",
        400,
        influx_3("invalid column type for column 'energy_kwh', expected f64, got i64"),
    ),
    (
        "field_type",
        400,
        influx_3(
            "Field type mismatch on table electricity column energy_kwh. Existing column is "
            "iox::column_type::field::integer but attempted to add iox::column_type::field::float"
        ),
    ),
    ("retention", 400, influx_1("partial write: points beyond retention policy dropped=2")),
    (
        "retention",
        500,
        influx_2(
            "internal error",
            "unexpected error writing points to database: partial write: points beyond retention "
            "policy dropped=2",
        ),
    ),
    (
        "retention",
        422,
        influx_2(
            "unprocessable entity",
            "failure writing points to database: partial write: dropped 2 points outside retention "
            "policy of duration 1h0m0s - oldest 2001-09-09T01:46:40Z, newest 2001-09-09T01:46:40Z "
            "dropped=2",
        ),
    ),
    (
        "retention",
        400,
        influx_1(
            "partial write: point time is expired, compared with rp duration dropped=1",
        ),
    ),
    (
        "series_limit",
        400,
        influx_1(
            'partial write: max-values-per-tag limit exceeded (1/1): measurement="electricity" '
            'tag="meter" value="m2" dropped=1'
        ),
    ),
    (
        "series_limit",
        400,
        influx_1("partial write: max-series-per-database limit exceeded: (1) dropped=1"),
    ),
    (
        "series_limit",
        400,
        influx_1(
            "partial write: too many series in database jieneng. upper limit: 1; current: 1 "
            "dropped=0"
        ),
    ),
    (
        "column_limit",
        422,
        influx_3("Update to schema would exceed number of columns per table limit of 500 columns"),
    ),
    ("column_limit", 400, influx_1("partial write: too many tag keys dropped=1")),
    (
        "time",
        400,
        influx_1(
            "unable to parse 'e v=1 9223372036854775807': time outside range "
            "-9223372036854775806 - 9223372036854775806"
        ),
    ),
    ("time", 400, influx_3("timestamp 92233720368547758070 is out of range")),
    ("too_large", 413, influx_1("Request Entity Too Large")),
    ("too_large", 413, "<html><h1>413 Request Entity Too Large</h1><hr>nginx</html>"),
    (
        "too_large",
        413,
        influx_2("request too large", "unable to read data: points batch is too large"),
    ),
    ("too_large", 400, influx_1("unable to parse 'e v=1': max key length exceeded: 65536 > 65535")),
    ("too_large", 400, influx_1("request body length more than 100M")),
    (
        "too_large",
        500,
        influx_1("tag value for tag named: meter. upper limit: 65535; current: 70000"),
    ),
    (
        "name",
        400,
        influx_1(
            'partial write: invalid tag key: input tag "time" on measurement "e" is invalid '
            "dropped=1"
        ),
    ),
    ("name", 400, influx_3("'time' is a reserved column")),
    (
        "parse",
        400,
        influx_1("unable to parse 'electricity,meter=a energy_kwh=': missing field value"),
    ),
    ("parse", 400, influx_2("invalid", "unable to parse 'electricity': missing fields")),
    ("parse", 400, influx_3("missing fields", error="line protocol parsing error")),
    ("parse", 400, influx_3("invalid line protocol - multiple instances of 'v' field found")),
    ("parse", 400, influx_1("partial write: invalid number dropped=0")),
    ("parse", 400, influx_1("NaN is an unsupported value for field energy_kwh")),
    ("parse", 400, influx_1("parse fail, point without fields is unsupported")),
    ("parse", 400, influx_1("partial write: duplicate tag meter dropped=1")),
]

#: Trouble: status, body.
TROUBLES = [
    (500, influx_1("engine: error writing WAL entry: write /wal/1.wal: no space left on device")),
    (
        400,
        influx_1(
            "partial write: write /data/index/L0-1.tsl: no space left on device dropped=100",
        ),
    ),
    (
        422,
        influx_2(
            "unprocessable entity",
            "failure writing points to database: partial write: shard 3 is pending deletion "
            "dropped=100",
        ),
    ),
    (500, influx_1("write /data/_series/00/0000: input/output error")),
    (500, influx_1("open /data/1/fields.idx: read-only file system")),
    (500, influx_1("write /data/1: disk quota exceeded")),
    (500, influx_1("engine: cache-max-memory-size exceeded: (1073741825/1073741824)")),
    (503, influx_1("engine: cache maximum memory size exceeded")),
    (500, influx_1("fork/exec: cannot allocate memory")),
    (500, "Resources exhausted: Failed to allocate additional 1 bytes"),
    (500, influx_1("open /data/1/00001.tsm: too many open files")),
    (500, influx_1("timeout")),
    (500, influx_2("internal error", "context deadline exceeded")),
    (400, influx_1("get shard resources out of time: bucket lacks of resources")),
    (
        500,
        influx_2(
            "internal error",
            "unexpected error writing points to database: not attempting to open shard 2; opening "
            'shard previously failed with: error loading series file for database "29": invalid',
        ),
    ),
    (500, influx_1("engine is closed")),
    (500, influx_1("tsdb: series file closed")),
    (500, influx_1("[shard 7] shard is disabled")),
    (500, influx_1("write failed")),
    (400, influx_1("readonly now and writing is not allowed")),
    (403, influx_1("disable write!")),
    (500, influx_1("nil shard group")),
    (500, influx_1("raft: no leader")),
    (500, influx_1('retention policy not found: "autogen"')),
    (503, influx_1("request throttled, exceeds timeout")),
    (429, influx_2("too many requests", "org 1 has exceeded limited_write plan limit")),
    (400, "too many requests"),
    (503, influx_2("unavailable", "service unavailable")),
    (500, "runtime error: panic: index out of range"),
    (500, "object store error: Generic S3 error"),
    (422, influx_1("Adding a new database would exceed limit of 5 databases")),
    (502, "upstream sent: dial tcp 127.0.0.1:8086: connect: connection refused"),
    (400, influx_1("unexpected EOF")),
    (502, "<html><h1>502 Bad Gateway</h1></html>"),
    (400, "<html>400 plain HTTP request sent to HTTPS port</html>"),
    (400, "<html>unable to parse your request</html>"),
    (404, "<html>nothing here</html>"),
    (200, "<html>a login page</html>"),
    (200, '{"results":[]}'),
    (500, ""),
    (502, ""),
    (504, "words that nobody has seen"),
    (302, ""),
    (405, '{"error":"method not allowed"}'),
    (408, ""),
    (400, ""),
]


@pytest.mark.parametrize(("code", "status", "body"), REFUSALS)
def test_a_refusal_is_known_by_its_words_whatever_the_status(
    code: str, status: int, body: str
) -> None:
    answer = read_answer(status, body.encode())
    assert (answer.verdict, answer.code) == (Verdict.REFUSED, code)
    assert answer.words.startswith(str(status))


@pytest.mark.parametrize("status", [400, 422, 500, 503])
@pytest.mark.parametrize(("code", "_", "body"), [row for row in REFUSALS if row[1] != 413])
def test_the_words_of_a_refusal_win_over_every_status(
    code: str, _: int, body: str, status: int
) -> None:
    assert read_answer(status, body.encode()).code == code


@pytest.mark.parametrize(("status", "body"), TROUBLES)
def test_trouble_is_no_verdict_on_points(status: int, body: str) -> None:
    answer = read_answer(status, body.encode())
    assert (answer.verdict, answer.code) == (Verdict.TROUBLE, "")


@pytest.mark.parametrize("status", [400, 413, 422, 500])
@pytest.mark.parametrize("words", ["no space left on device", "engine is closed", "timeout"])
def test_trouble_within_a_refusal_is_trouble(status: int, words: str) -> None:
    body = influx_1(f"partial write: field type conflict: {words} dropped=3")
    answer = read_answer(status, body.encode())
    assert answer.verdict is (Verdict.REFUSED if status == 413 else Verdict.TROUBLE)


@pytest.mark.parametrize(
    "name", ["timeout", "no space left on device", 'a \\"panic\\"', "engine closed"]
)
def test_names_and_values_of_points_are_not_read_as_the_servers_words(name: str) -> None:
    limit = f'max-values-per-tag limit exceeded (1/1): tag="meter" value="{name}" dropped=1'
    assert read_answer(400, influx_1(f"partial write: {limit}").encode()).code == "series_limit"
    line = f"unable to parse 'electricity,meter={name} energy_kwh=': missing field value"
    assert read_answer(400, influx_1(line).encode()).code == "parse"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, influx_1('database not found: "jieneng"')),
        (500, influx_1('database not found: "jieneng"')),
        (404, influx_2("not found", "no dbrp mapping found")),
        (404, influx_2("not found", 'bucket "jieneng" not found')),
        (404, ""),
    ],
)
def test_a_missing_database_is_known(status: int, body: str) -> None:
    assert read_answer(status, body.encode()).verdict is Verdict.NO_DATABASE


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, influx_2("unauthorized", "unauthorized access")),
        (403, influx_2("forbidden", "insufficient permissions for write")),
        (403, influx_1('"a" user is not authorized to write to database "b"')),
        (403, "<html>403 Forbidden</html>"),
    ],
)
def test_a_closed_door_is_known(status: int, body: str) -> None:
    assert read_answer(status, body.encode()).verdict is Verdict.NOT_ALLOWED


def test_only_an_empty_204_means_stored() -> None:
    assert read_answer(204, b"").verdict is Verdict.STORED
    assert read_answer(204, b"\n").verdict is Verdict.STORED
    assert read_answer(204, b'{"error":"hm"}').verdict is not Verdict.STORED


@pytest.mark.parametrize("status", [200, 201, 202, 304])
def test_an_empty_answer_of_another_server_is_trouble_and_not_stored(status: int) -> None:
    """A proxy's maintenance page, a web server at a wrong `url`: readings were lost to it."""
    assert read_answer(status, b"").verdict is Verdict.TROUBLE


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize(
    "body", [influx_1("the frobnicator says no"), "no.", influx_1("partial write: odd dropped=1")]
)
def test_words_that_no_table_has_are_unclear(status: int, body: str) -> None:
    assert read_answer(status, body.encode()).verdict is Verdict.UNCLEAR


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"[" * 100_000, b"x" * 1_000_000, b'{"error":'])
def test_a_hostile_body_is_unclear_and_short(body: bytes) -> None:
    answer = read_answer(400, body)
    assert answer.verdict is Verdict.UNCLEAR
    assert len(answer.words) < 400


def test_the_number_of_dropped_lines_is_told() -> None:
    body = influx_1("partial write: points beyond retention policy dropped=2").encode()
    assert read_answer(400, body).dropped == 2


@pytest.mark.parametrize("data", ["list", "object"])
def test_influxdb_3_tells_the_reason_in_either_form(data: str) -> None:
    line = {"original_line": "e", "line_number": 1, "error_message": "missing fields"}
    body = {"error": "?", "data": [line] if data == "list" else line}
    answer = read_answer(400, json.dumps(body).encode())
    assert answer.code == "parse"
    assert "missing fields" in answer.words


@pytest.mark.parametrize("row", [*TROUBLE_WORDS, *REFUSAL_WORDS], ids=str)
def test_every_row_of_the_tables_is_shown_by_an_answer(row: tuple[str, str, str]) -> None:
    import re

    bodies = [body for _, _, body in REFUSALS] + [body for _, body in TROUBLES]
    alternatives = re.compile(row[1], re.IGNORECASE)
    assert any(alternatives.search(body) for body in bodies)

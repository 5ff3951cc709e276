"""Interpret a server's answer to a write. Pure: status and body in, a verdict out.

Laws:

- The message of the answer is searched first for words that mean trouble of the server, then for
  words that mean a refusal of points. The status counts last: InfluxDB 2, for example, refuses
  points with status 500 as well as 422.
- Names and values quoted in the message are not searched, because a meter may be called "timeout".
- If the message contains no known words, the verdict is `UNCLEAR`: the lines are neither stored nor
  refused for good.

To add a wording, add a row: its meaning, the words, and the servers that send them.

Sources: InfluxDB 1.6 and 1.8 (services/httpd/handler.go, tsdb/shard.go, models/points.go),
InfluxDB 2.9 (http/legacy/write_handler.go, v1/coordinator/points_writer.go), InfluxDB 3.11
(influxdb3_server/src/http.rs, influxdb3_catalog/src/error.rs), openGemini 1.3
(lib/errno/message.go).
"""

import re
from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

import msgspec

#: Number of characters of the message that are kept: enough for a log line.
_WORDS_KEPT: Final = 300
#: Number of characters of an answer that are searched.
_WORDS_READ: Final = 20_000


class Verdict(Enum):
    """The meaning of an answer."""

    STORED = "every line is stored"
    NO_DATABASE = "the server has no such database"
    NOT_ALLOWED = "the server does not accept the credentials"
    REFUSED = "the server refuses at least one line, with a known message"
    TROUBLE = "the server can't store anything now"
    UNCLEAR = "the server does not store every line, and its message is unknown"


class WriteAnswer(msgspec.Struct, frozen=True):
    """The meaning of an answer, and the server's message.

    Attributes:
        verdict: the meaning.
        code: short name of a refusal, such as `field_type`; empty for all other verdicts.
        words: the server's message, short enough for a log.
        dropped: number of dropped lines, if the server states it.
    """

    verdict: Verdict
    code: str = ""
    words: str = ""
    dropped: int | None = None


class _Row(NamedTuple):
    meaning: str  # a code of a refusal, or a kind of trouble
    words: str  # regular expression, matched without regard to capitals
    source: str


#: Words of a server, or of a proxy before it, that can't store anything now.
TROUBLE_WORDS: Final = (
    _Row("disk", r"no space left|disk (?:is )?full|quota exceeded", "ENOSPC, EDQUOT"),
    _Row(
        "disk", r"input/output error|read-?only file ?system|error (?:writing|syncing) wal", "1, 2"
    ),
    _Row("memory", r"out of memory|cannot allocate memory|resources exhausted", "ENOMEM, 3"),
    _Row("memory", r"cache-max-memory-size|cache maximum memory size", "1, 2"),
    _Row("files", r"too many open files|file table overflow", "EMFILE, ENFILE"),
    _Row("time", r"time-?out|timed out|out of time|deadline exceeded|context cancel", "all"),
    _Row(
        "closed", r"(?:engine|store|shard|wal|file|partition)(?: is)?(?: already)? closed", "1, 2"
    ),
    _Row("closed", r"shard is (?:disabled|being deleted)|pending deletion|shutting down", "1, 2"),
    _Row("closed", r"shard previously failed|error loading series", "2"),
    _Row("closed", r"not writable|shard not found|write failed", "1, 2"),
    _Row("closed", r"read-?only now|readonly status|disable write", "openGemini"),
    _Row(
        "cluster", r"no leader|not (?:the )?leader|nil shard group|can't map|\braft", "openGemini"
    ),
    _Row(
        "busy", r"too many (?:concurrent )?(?:writes|requests)|throttl|rate limit|slow down", "1, 2"
    ),
    _Row("busy", r"overload|temporarily|try again|unavailable|lacks of resources", "proxies"),
    _Row("network", r"connection (?:refused|reset|closed)|broken pipe|unexpected eof", "proxies"),
    _Row("policy", r"retention policy not found", "1: the default policy was dropped"),
    _Row("policy", r"new database would exceed|database .*(?:deleted|being removed)", "3"),
    _Row("fault", r"\bpanic\b|corrupt|object store error", "all"),
)

#: Words by which a server refuses points, with the code of the reason.
REFUSAL_WORDS: Final = (
    _Row("field_type", r"field type conflict|already exists as type", "1, 2"),
    _Row("field_type", r"conflict field type", "openGemini"),
    _Row("field_type", r"(?:column|field) type mismatch|invalid column type", "3"),
    _Row("retention", r"beyond retention policy|outside retention policy", "1, 2"),
    _Row("retention", r"time is expired", "openGemini"),
    _Row("series_limit", r"max-(?:series|values)-per-\w+ limit|max-series", "1"),
    _Row("series_limit", r"too many series", "openGemini"),
    _Row("column_limit", r"update to schema would exceed", "3"),
    _Row("column_limit", r"too many (?:tag|field) keys", "openGemini"),
    _Row("time", r"time outside range|timestamp .*(?:out of range|overflow)", "1, 2, 3"),
    _Row("too_large", r"max key length exceeded|is too long|batch is too large", "1, 2"),
    _Row("too_large", r"request body length more than|upper limit: \d", "openGemini"),
    _Row("name", r"invalid (?:tag key|field name|measurement)|is a reserved column", "1, 2, 3"),
    _Row("parse", r"unable to parse|line protocol pars|invalid line protocol", "1, 2, 3"),
    _Row("parse", r"missing (?:measurement|fields?|tags?)\b|bad timestamp|duplicate tags?", "1, 2"),
    _Row("parse", r"invalid (?:number|float|boolean|field format|tag format)", "1, 2"),
    _Row(
        "parse", r"(?:nan|inf) is an unsupported value|point (?:is invalid|without fields)", "1, 2"
    ),
    _Row("parse", r"parse fail|unmarshal points error|invalid (?:tag|field) ?:", "openGemini"),
)

_NO_DATABASE: Final = re.compile(
    r"database (?:is )?not found|dbrp mapping|bucket (?:\S+ )?not found", re.IGNORECASE
)
_TROUBLE: Final = [(row, re.compile(row.words, re.IGNORECASE)) for row in TROUBLE_WORDS]
_REFUSAL: Final = [(row, re.compile(row.words, re.IGNORECASE)) for row in REFUSAL_WORDS]

#: Status of a request of which every line is stored.
_STORED: Final = 204
#: Status of a request that is too large.
_TOO_LARGE: Final = 413
#: Statuses with which a server refuses points, if the answer also has a message.
_JUDGING_STATUSES: Final = frozenset({400, 422, 500})
#: Meaning of the other statuses that are not trouble.
_STATUS: Final = {401: Verdict.NOT_ALLOWED, 403: Verdict.NOT_ALLOWED, 404: Verdict.NO_DATABASE}

#: Names and values in an answer, and the lines that 1.x and 2.x could not parse.
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|(?<=unable to parse )\'.*\'', re.DOTALL)
_DROPPED: Final = re.compile(r"dropped=(\d+)")


def read_answer(status: int, body: bytes) -> WriteAnswer:
    """Return the meaning of an answer to a write."""
    words = _words(body)
    unquoted = _QUOTED.sub('""', words)
    verdict, code = _judge(status, unquoted)
    dropped = _DROPPED.search(unquoted) if verdict is Verdict.REFUSED else None
    return WriteAnswer(
        verdict,
        code,
        words=f"{status} {words[:_WORDS_KEPT]}".strip(),
        dropped=int(dropped[1]) if dropped else None,
    )


def _judge(status: int, words: str) -> tuple[Verdict, str]:
    """Return the verdict and, for a refusal, its code."""
    # Each of the servers says 204. An empty 200 is how a proxy or another server answers anything.
    if status == _STORED and not words:
        return Verdict.STORED, ""
    if status == _TOO_LARGE:  # also of a proxy: smaller requests may pass
        return Verdict.REFUSED, "too_large"
    is_page = words.startswith("<")  # for people, from a proxy or from another kind of server
    if is_page or _meaning(words, _TROUBLE):
        is_login = is_page and _STATUS.get(status) is Verdict.NOT_ALLOWED
        return Verdict.NOT_ALLOWED if is_login else Verdict.TROUBLE, ""
    if _NO_DATABASE.search(words):
        return Verdict.NO_DATABASE, ""
    if code := _meaning(words, _REFUSAL):
        return Verdict.REFUSED, code
    judges = words and status in _JUDGING_STATUSES
    return Verdict.UNCLEAR if judges else _STATUS.get(status, Verdict.TROUBLE), ""


def _meaning(words: str, rows: Sequence[tuple[_Row, re.Pattern[str]]]) -> str:
    """Return the meaning of the first row whose words occur in an answer; "" if none occurs."""
    return next((row.meaning for row, pattern in rows if pattern.search(words)), "")


def tells_missing_database(words: str) -> bool:
    """Return True if an error says that the server has no such database."""
    return bool(_NO_DATABASE.search(_QUOTED.sub('""', words)))


def error_words(body: bytes) -> str:
    """Return the error message in an answer's body, short enough for a log."""
    return _words(body)[:_WORDS_KEPT]


def _words(body: bytes) -> str:
    """Return the error message in a body: the text in its JSON, or the whole body."""
    try:
        form = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body[:_WORDS_READ].decode("utf-8", "replace").strip()
    # The key is `error` in 1.x, 3 and openGemini, and `message` in 2.x.
    said = str(form.get("error") or form.get("message") or form)
    lines = form.get("data")  # 3 tells each line's own error: one, or a list of them
    told = [
        str(line["error_message"])
        for line in (lines if isinstance(lines, list) else [lines])
        if isinstance(line, dict) and "error_message" in line
    ]
    return ": ".join([said, *dict.fromkeys(told)])[:_WORDS_READ]

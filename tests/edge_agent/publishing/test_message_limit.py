"""The largest message that a broker accepts: configured, stated by it, or found out."""

import math

from edge_agent.publishing.message_limit import MessageLimit


def test_the_least_of_what_is_set_and_said_holds() -> None:
    limit = MessageLimit(5000)
    assert limit.payload_bytes == 5000
    limit.connected(2000)
    assert limit.payload_bytes == 2000
    limit.connected(math.inf)
    assert limit.payload_bytes == 5000
    assert MessageLimit().payload_bytes == math.inf


def test_two_connections_that_break_behind_a_large_message_halve_it() -> None:
    limit = MessageLimit()
    for lower in (False, True):
        limit.connected(math.inf)
        limit.passed(400)
        assert limit.broke([9000, 300]) is lower
    assert limit.payload_bytes == 4500
    for _ in range(2):
        limit.connected(math.inf)
        limit.passed(4000)
        limit.broke([4400])
    assert limit.payload_bytes == 4000, "as much as passed"


def test_a_break_is_no_evidence_where_larger_messages_pass() -> None:
    limit = MessageLimit()
    for _ in range(10):
        limit.connected(math.inf)
        limit.passed(9000)
        assert not limit.broke([9000])
        assert not limit.broke([])
    limit.connected(math.inf)
    limit.broke([9000])
    limit.connected(math.inf)
    limit.passed(9000)
    limit.connected(math.inf)
    limit.broke([8000])
    assert limit.payload_bytes == math.inf, "the first break was answered by a message that passed"


def test_a_bad_line_grinds_nothing_to_dust() -> None:
    limit = MessageLimit()
    for _ in range(100):
        limit.connected(math.inf)
        limit.broke([min(9000, int(min(limit.payload_bytes, 10**6)))])
    assert limit.payload_bytes == 1024


def test_a_refusal_for_the_size_counts_at_once() -> None:
    limit = MessageLimit()
    limit.connected(math.inf)
    limit.refused(9000)
    assert limit.payload_bytes == 4500

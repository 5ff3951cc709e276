"""What is under way, and when it goes again."""

import math

from edge_agent.window import Key, Window

ONE, TWO, THREE = ("aaaaaaaa", 1), ("aaaaaaaa", 2), ("bbbbbbbb", 1)


def sent_at(window: Window, oldest: list[Key], until_s: float, step_s: float = 1.0) -> list[float]:
    """When the first batch goes out, if nobody ever answers."""
    found, now_s = [], 0.0
    while now_s <= until_s:
        due = window.due(oldest, now_s)
        if oldest[0] in due:
            found.append(now_s)
        window.sent(due, now_s)
        now_s += step_s
    return found


def test_new_batches_are_due_at_once_and_only_once() -> None:
    window = Window(10.0)
    assert window.due([ONE, TWO], 0.0) == {ONE, TWO}
    window.sent([ONE, TWO], 0.0)
    assert window.due([ONE, TWO, THREE], 1.0) == {THREE}


def test_a_batch_without_an_answer_goes_again_ever_later() -> None:
    assert sent_at(Window(10.0), [ONE], 800.0) == [0, 10, 30, 70, 150, 310, 470, 630, 790]


def test_any_answer_sends_again_what_has_waited() -> None:
    """Hours of silence end with the first acknowledgement, not with the longest time-out."""
    window = Window(10.0)
    sent_at(window, [ONE, TWO], 500.0)
    assert window.due([ONE, TWO], 501.0) == set()
    window.heard(501.0)
    assert window.due([TWO], 501.0) == {TWO}


def test_a_batch_that_left_the_spool_is_forgotten() -> None:
    window = Window(10.0)
    window.sent([ONE, TWO], 0.0)
    assert window.due([TWO], 1.0) == set()
    assert window.due([], 2.0) == set()
    assert window.next_due_s() == math.inf


def test_the_next_due_time_is_the_earliest() -> None:
    window = Window(10.0)
    assert window.next_due_s() == math.inf
    window.sent([ONE], 0.0)
    window.sent([TWO], 4.0)
    assert window.next_due_s() == 10.0

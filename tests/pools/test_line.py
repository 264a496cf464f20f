from __future__ import annotations

import os
import threading

import pytest

from umbel.execution.outcome import Begun, Kind, Outcome
from umbel.pools.line import Line, Post, open_line, token
from umbel.testing.pools import jobs
from umbel.testing.waiting import patience


@pytest.fixture
def line_and_post():
    pool, child = open_line()
    line, post = Line(pool), Post(child)
    yield line, post
    line.close()
    post.socket.close()
    os.close(child.reports)
    os.close(child.alarms)


def test_each_token_goes_to_the_child_or_back_to_the_pool(line_and_post):
    line, post = line_and_post
    line.send(jobs(10, "noop"))
    assert [post.claim() for _ in range(4)] == [token(0)] * 4
    assert line.unbegun() == 6
    assert line.take_back() == 6
    assert post.claim() == b""
    line.send(jobs(2, "noop"))
    assert post.receive().generation == 0
    assert token(post.receive().generation) == post.claim() == token(1)


def test_two_that_grab_tokens_at_once_get_each_of_them_once(line_and_post):
    line, post = line_and_post
    claimed, taken = [], 0

    def claim() -> None:
        while len(claimed) + taken < 20_000:
            if post.claim():
                claimed.append(1)

    thread = threading.Thread(target=claim)
    thread.start()
    for _ in range(200):
        line.send([])
        os.write(line._ends.tokens_out, b"\0\0\0\0" * 100)
        taken += line.take_back()
    thread.join(patience())
    assert len(claimed) + taken == 20_000


def test_reports_arrive_in_order_and_whole_whatever_their_size(line_and_post):
    line, post = line_and_post
    sizes = [0, 10, 3_000_000, 5, 300_000, 262_136, 0, 1_000]
    told = []

    def report() -> None:
        post.report(Begun(1, 2, 3.0), -1.0)
        for number, size in enumerate(sizes):
            post.report(Outcome(number, Kind.SUCCESS, text="x" * size), 0.25)

    thread = threading.Thread(target=report)
    thread.start()
    began = []
    while len(told) < len(sizes):
        begun, ended = line.reports()
        began += begun
        told += ended
    thread.join(patience())
    assert began == [Begun(1, 2, 3.0)]
    assert [(outcome.number, len(outcome.text), spent) for outcome, spent in told] == [
        (number, size, 0.25) for number, size in enumerate(sizes)
    ]


def test_a_large_frame_is_sent_in_parts_and_others_wait_behind_it(line_and_post):
    line, post = line_and_post
    assert line.send(jobs(3, "length", "x" * 2_000_000))
    assert line.send(jobs(1, "noop"))
    frames = []

    def receive() -> None:
        frames.extend(post.receive() for _ in range(2))

    thread = threading.Thread(target=receive)
    thread.start()
    while line.flush():
        pass
    thread.join(patience())
    assert [len(frame.jobs) for frame in frames] == [3, 1]


def test_alarms_carry_the_numbers_of_jobs(line_and_post):
    line, post = line_and_post
    assert post.alarms() == set()
    line.alarm(7)
    line.alarm(9)
    assert post.alarms() == {7, 9}


def test_the_child_learns_that_the_pool_is_gone():
    pool, child = open_line()
    post = Post(child)
    Line(pool).close()
    assert post.receive() is None
    post.socket.close()
    os.close(child.reports)
    os.close(child.alarms)


def test_the_pool_survives_a_child_that_is_gone():
    pool, child = open_line()
    line = Line(pool)
    os.close(child.socket)
    os.close(child.reports)
    os.close(child.alarms)
    assert line.bells() == b""
    assert not line.send(jobs(3, "noop"))
    line.alarm(1)
    assert line.reports() == ([], [])
    assert line.take_back() == 3
    line.close()

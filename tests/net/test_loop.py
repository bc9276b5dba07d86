"""The loop runs timers in order, hears other threads and believes no stale readiness."""

import contextlib
import random
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.net.loop import READ, Loop
from fleetpush.net.throttle import BURST, Throttle


@pytest.fixture(params=["epoll", "poll"])
def loop(request, monkeypatch):
    if request.param == "poll":  # as where there is no epoll
        monkeypatch.setattr("fleetpush.net.loop._epoll", lambda: None)
    loop = Loop()
    yield loop
    loop.close()


def test_timers_run_in_order_of_time_and_not_when_cancelled(loop):
    ran = []
    delays = [0.005 * i for i in range(6)]
    for delay in random.Random(1).sample(delays, len(delays)):
        loop.call_later(delay, lambda d=delay: ran.append(d))
    loop.call_later(0.001, lambda: ran.append("cancelled")).cancel()
    loop.call_later(0.04, loop.stop)
    loop.run()
    assert ran == delays


def test_a_timer_may_cancel_the_next(loop):
    ran = []
    at = loop.now()
    second = loop.call_at(at + 0.001, lambda: ran.append("second"))
    loop.call_at(at, second.cancel)
    loop.call_later(0.01, loop.stop)
    loop.run()
    assert ran == []


def test_calls_from_another_thread_wake_the_loop(loop):
    ran = []

    def elsewhere():
        for i in range(5000):
            loop.call_soon(lambda i=i: ran.append((i, threading.current_thread())))
        loop.call_soon(loop.stop)

    thread = threading.Thread(target=elsewhere)
    loop.call_soon(thread.start)
    loop.run()
    thread.join()
    assert ran == [(i, threading.current_thread()) for i in range(5000)]


def test_calls_made_by_calls_run_after_those_that_wait(loop):
    ran = []
    loop.call_soon(lambda: (ran.append(1), loop.call_soon(lambda: (ran.append(3), loop.stop()))))
    loop.call_soon(lambda: ran.append(2))
    loop.run()
    assert ran == [1, 2, 3]


def test_what_an_earlier_callback_closed_is_not_called(loop):
    pairs = [socket.socketpair() for _ in range(2)]
    called = []

    def closes_the_other(mine, other):
        def ready(mask):
            called.append(mine)
            loop.unregister(pairs[mine][0].fileno())
            loop.unregister(pairs[other][0].fileno())
            pairs[other][0].close()
            loop.stop()

        return ready

    for mine, other in ((0, 1), (1, 0)):
        pairs[mine][1].send(b"x")
        loop.register(pairs[mine][0].fileno(), READ, closes_the_other(mine, other))
    loop.run()
    assert len(called) == 1
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_a_number_given_to_another_socket_does_not_inherit_readiness(loop):
    pairs = [socket.socketpair() for _ in range(2)]
    called, kept = [], []

    def replaces_the_other(mine, other):
        def ready(mask):
            called.append("old")
            number = pairs[other][0].fileno()
            loop.unregister(number)
            pairs[other][0].close()
            fresh = socket.socketpair()
            kept.extend(fresh)
            assert number in {s.fileno() for s in fresh}
            same = next(s for s in fresh if s.fileno() == number)
            loop.register(number, READ, lambda mask: called.append("new"))
            loop.unregister(pairs[mine][0].fileno())
            kept.append(same)
            loop.stop()

        return ready

    for mine, other in ((0, 1), (1, 0)):
        pairs[mine][1].send(b"x")
        loop.register(pairs[mine][0].fileno(), READ, replaces_the_other(mine, other))
    loop.run()
    assert called == ["old"]
    for sock in [*kept, *pairs[0], *pairs[1]]:
        sock.close()


def test_what_comes_in_a_pause_is_found_together(loop):
    looks, heard = [], []

    def pause():
        looks.append(loop.now())
        return 1.0 if len(looks) == 2 else 0.0

    loop.pauses = [pause]
    with contextlib.ExitStack() as sockets:
        pairs = [[sockets.enter_context(s) for s in socket.socketpair()] for _ in range(3)]
        others = [threading.Timer(0.01 * n, pairs[n][0].send, [b"x"]) for n in (1, 2)]

        def hear(number):
            pairs[number][1].recv(9)
            heard.append((number, len(looks)))
            if number == 0:
                for other in others:
                    other.start()
            if len(heard) == 3:
                loop.stop()

        for number, (_, mine) in enumerate(pairs):
            loop.register(mine.fileno(), READ, lambda mask, n=number: hear(n))
        pairs[0][0].send(b"x")
        loop.run()
    # The first look finds one, the pause before the second gathers the two that come meanwhile.
    assert heard == [(0, 1), (1, 2), (2, 2)]
    assert loop.slept > 0.9


def test_no_pause_makes_a_timer_late_or_keeps_what_is_to_be_called_soon(loop):
    ran = []
    loop.pauses = [lambda: 3600.0]
    loop.call_soon(lambda: ran.append("soon"))
    loop.call_later(0.02, lambda: (ran.append("timer"), loop.call_soon(loop.stop)))
    loop.run()
    assert ran == ["soon", "timer"]


def test_the_shortest_pause_counts(loop):
    loop.pauses = [lambda: 3600.0, lambda: 0.0]
    mine, other = socket.socketpair()
    loop.register(mine.fileno(), READ, lambda mask: loop.stop())
    other.send(b"x")
    loop.run()
    mine.close()
    other.close()


def test_calls_to_a_loop_that_has_ended_do_no_harm():
    loop = Loop()
    loop.call_soon(loop.stop)
    loop.run()
    loop.close()
    thread = threading.Thread(target=loop.call_soon, args=(lambda: None,))
    thread.start()
    thread.join()


@given(
    st.floats(1e3, 1e9),
    st.lists(st.tuples(st.integers(1, 1 << 18), st.floats(0, 0.2)), min_size=1, max_size=200),
)
def test_the_rate_holds_in_the_long_run(rate, sends):
    throttle, now, spent, last = Throttle(rate), 0.0, 0, 0
    for count, idle in sends:
        now += idle
        now += throttle.delay(now)
        assert throttle.delay(now) <= 1e-6 * max(1.0, now)
        throttle.spend(count)
        spent += count
        last = max(last, count)
        assert spent <= rate * (now + BURST) * (1 + 1e-6) + last


@given(st.floats(1e3, 1e9), st.lists(st.integers(1, 1 << 18), min_size=1, max_size=200))
def test_a_busy_sender_is_not_held_back_more_than_the_rate_asks(rate, sends):
    throttle, now = Throttle(rate), 0.0
    for count in sends:
        now += throttle.delay(now)
        throttle.spend(count)
    assert now * rate <= sum(sends[:-1]) * (1 + 1e-6) + 1


@given(st.lists(st.tuples(st.floats(1e3, 1e9), st.integers(1, 1 << 18)), min_size=1, max_size=100))
def test_a_rate_that_changes_holds_from_then_on(steps):
    throttle, now, spent, allowed, most = Throttle(steps[0][0]), 0.0, 0, 0.0, 0.0
    for rate, count in steps:
        throttle.change(rate, now)
        waited = throttle.delay(now)
        now, allowed = now + waited, allowed + waited * rate
        most = max(most, rate * BURST)
        throttle.spend(count)
        spent += count
        assert spent <= (allowed + most) * (1 + 1e-6) + count


def test_no_rate_is_no_limit():
    throttle = Throttle(None)
    throttle.spend(1 << 40)
    assert throttle.delay(0.0) == 0.0

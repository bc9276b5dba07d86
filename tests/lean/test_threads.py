"""What goes between threads arrives once, in order, and nobody waits for what is there."""

from fleetpush.lean.threads import Lock, Queue, start


def test_what_is_put_by_several_threads_is_taken_once_and_in_each_ones_order():
    queue, each = Queue(), 2000
    for name in range(4):
        start(lambda name=name: [queue.put((name, i)) for i in range(each)])
    taken = []
    while len(taken) < 4 * each:
        found = queue.take(timeout=30)
        assert found
        taken += found
    for name in range(4):
        assert [i for who, i in taken if who == name] == list(range(each))
    assert queue.take(timeout=0) == []


def test_a_taker_that_waits_is_woken():
    queue, back = Queue(), Queue()
    start(lambda: back.put(queue.take()))
    queue.put("late")
    assert back.take(timeout=30) == [["late"]]


def test_what_was_put_at_once_is_taken_at_once():
    queue = Queue()
    queue.put(1)
    queue.put(None)
    assert queue.take() == [1, None]
    assert queue.take(timeout=0.01) == []


def test_what_does_not_ring_wakes_nobody_until_somebody_rings():
    queue, back = Queue(), Queue()
    queue.put(1, rings=False)
    assert queue._bell.locked(), "a taker that waits goes on waiting"
    queue.ring()
    assert not queue._bell.locked()
    assert queue.take() == [1]
    assert queue.take(timeout=0) == []
    queue.ring()
    assert queue._bell.locked(), "there is nothing to take"
    start(lambda: back.put(queue.take()))
    queue.put(2, rings=False)
    queue.put(3)
    taken = back.take(timeout=30)[0]
    assert (taken + queue.take(timeout=0)) == [2, 3]


def test_a_thread_that_fails_says_so_and_leaves_the_others_alone(monkeypatch):
    said = Queue()
    monkeypatch.setattr("sys.unraisablehook", lambda problem: said.put(problem.exc_type))
    start(lambda: 1 // 0)
    assert said.take(timeout=30) == [ZeroDivisionError]
    done = Lock()
    done.acquire()
    start(done.release)
    assert done.acquire(timeout=30)

"""Identical requests at the same time share one making, and none suffers for it."""

import contextlib
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.errors import Cancelled, EngineCrashed, EngineFailed
from auto_voice.synthesis.flight import Flights
from auto_voice.synthesis.stream import Stats
from tests.examples import examples

PIECES = [b"first ", b"second ", b"third ", b"last"]
WHOLE = b"".join(PIECES)


def here():
    return False


def gone():
    return True


class Making:
    """Makes pieces, and counts how often somebody had them made."""

    def __init__(self, pieces=PIECES, error=None):
        self.pieces = pieces
        self.error = error
        self.begun = 0
        self.made = 0
        self.closed = 0

    def __call__(self, is_gone):
        self.begun += 1
        return self._make(is_gone)

    def _make(self, is_gone):
        try:
            for piece in self.pieces:
                self.made += 1
                yield piece
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1


class Desk:
    """Where requests come: flights, and what was kept."""

    def __init__(self, limit_bytes=1000):
        self.flights = Flights(limit_bytes)
        self.kept = []

    def board(self, making, is_gone=here, key="key"):
        pieces, _, joined = self.flights.board(key, making, Stats(), is_gone, self.kept.append)
        return pieces, joined


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def making():
    return Making()


def run_threads(functions):
    """What each gave or raised, in order."""
    results = [None] * len(functions)

    def run(index, function):
        try:
            results[index] = function()
        except BaseException as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_one_request_gets_what_is_made(desk, making):
    pieces, joined = desk.board(making)
    assert not joined
    assert list(pieces) == PIECES
    assert desk.kept == [WHOLE]


def test_nothing_is_made_before_it_is_wanted(desk, making):
    pieces, _ = desk.board(making)
    assert making.begun == 0
    next(pieces)
    assert making.made == 1


def test_a_hundred_requests_at_once_are_made_once(desk, making):
    boarded = [desk.board(making) for _ in range(100)]
    assert [joined for _, joined in boarded] == [False] + [True] * 99
    results = run_threads([lambda pieces=pieces: list(pieces) for pieces, _ in boarded])
    assert results == [PIECES] * 100
    assert (making.begun, making.made) == (1, len(PIECES))
    assert desk.kept == [WHOLE]


def test_statistics_are_those_of_the_making(desk, making):
    leader = desk.flights.board("key", making, Stats(), here, desk.kept.append)
    follower = desk.flights.board("key", making, Stats(), here, desk.kept.append)
    assert follower[1] is leader[1]
    assert list(leader[0]) == list(follower[0])


def test_other_requests_are_made_by_themselves(desk):
    one, other = Making(), Making([b"else"])
    first, _ = desk.board(one, key="one")
    second, joined = desk.board(other, key="other")
    assert not joined
    assert (list(first), list(second)) == (PIECES, [b"else"])


def test_after_the_end_it_is_begun_anew(desk, making):
    """From then on the cache answers; without one, it is made again."""
    list(desk.board(making)[0])
    pieces, joined = desk.board(making)
    assert not joined
    assert list(pieces) == PIECES
    assert making.begun == 2


def test_while_the_whole_is_being_kept_it_can_be_joined(making):
    """Nobody finds neither the flight nor the cache's entry."""
    found = []
    flights = Flights(1000)

    def keep(audio):
        pieces, _, joined = flights.board("key", making, Stats(), here, lambda audio: None)
        found.append((joined, list(pieces)))

    list(flights.board("key", making, Stats(), here, keep)[0])
    assert found == [(True, PIECES)]
    assert making.begun == 1


def test_a_request_that_comes_in_the_middle_gets_all(desk, making):
    early, _ = desk.board(making)
    assert [next(early), next(early)] == PIECES[:2]
    late, joined = desk.board(making)
    assert joined
    assert list(late) == PIECES
    assert list(early) == PIECES[2:]
    assert making.begun == 1


def test_the_first_one_may_leave(desk, making):
    leader, _ = desk.board(making)
    follower, _ = desk.board(making)
    next(leader)
    leader.close()
    assert list(follower) == PIECES
    assert making.begun == 1
    assert desk.kept == [WHOLE]


def test_when_the_last_one_leaves_the_making_ends(desk, making):
    one, _ = desk.board(making)
    other, _ = desk.board(making)
    next(one)
    next(other)
    one.close()
    assert making.closed == 0
    other.close()
    assert making.closed == 1
    assert desk.kept == []
    pieces, joined = desk.board(making)
    assert not joined
    assert list(pieces) == PIECES


def test_one_that_reads_slowly_holds_nobody_up(desk, making):
    slow, _ = desk.board(making)
    fast, _ = desk.board(making)
    next(slow)
    assert list(fast) == PIECES
    assert list(slow) == PIECES[1:]


def test_one_that_boards_and_never_reads_holds_nobody_up(desk, making):
    desk.board(making)
    assert list(desk.board(making)[0]) == PIECES


class TestErrors:
    """They reach everybody, and nothing of them is kept."""

    def test_all_hear_of_it(self, desk):
        making = Making(error=EngineCrashed("it died", retry_after_s=1))
        boarded = [desk.board(making)[0] for _ in range(8)]
        received = [[] for _ in boarded]

        def read(index):
            for piece in boarded[index]:
                received[index].append(piece)

        results = run_threads([lambda i=i: read(i) for i in range(len(boarded))])
        assert [type(error) for error in results] == [EngineCrashed] * len(boarded)
        assert received == [PIECES] * len(boarded)
        assert desk.kept == []
        assert making.begun == 1

    def test_the_next_request_tries_anew(self, desk, making):
        failing = Making([], EngineCrashed("it died"))
        with pytest.raises(EngineCrashed):
            list(desk.board(failing)[0])
        pieces, joined = desk.board(making)
        assert not joined
        assert list(pieces) == PIECES

    def test_one_nobody_foresaw_is_an_answer_too(self, desk, caplog):
        boarded = [desk.board(Making([b"a"], ZeroDivisionError()))[0] for _ in range(3)]
        results = run_threads([lambda pieces=pieces: list(pieces) for pieces in boarded])
        assert [type(error) for error in results] == [EngineFailed] * 3
        assert caplog.text.count("Traceback") == 1

    def test_one_at_the_very_start(self, desk):
        def start(is_gone):
            raise EngineFailed("no")

        with pytest.raises(EngineFailed):
            list(desk.board(start)[0])
        assert list(desk.board(Making())[0]) == PIECES


class TestClientsThatGo:
    """What is made for somebody who left is not made, unless for others."""

    class Waiting(Making):
        """Waits for a worker before each piece, as long as somebody is there."""

        def _make(self, is_gone):
            for piece in super()._make(is_gone):
                if is_gone():
                    raise Cancelled("the client went away")
                yield piece

    def test_the_only_one(self, desk):
        making = self.Waiting()
        with pytest.raises(Cancelled):
            list(desk.board(making, gone)[0])
        assert making.made == 1
        assert desk.kept == []

    def test_one_of_several_leaves_the_others_alone(self, desk):
        making = self.Waiting()
        left, _ = desk.board(making, gone)
        stays, _ = desk.board(making, here)
        next(left)
        assert list(stays) == PIECES
        assert making.begun == 1
        assert desk.kept == [WHOLE]

    def test_one_that_joins_just_then_is_served(self, desk):
        """The making was given up for the one before; for this one it is begun again."""
        joined = []

        def gone_and_joined():
            if not joined:
                joined.append(desk.board(making, here)[0])
                return True
            return True

        making = self.Waiting()
        with contextlib.suppress(Cancelled):
            list(desk.board(making, gone_and_joined)[0])
        assert list(joined[0]) == PIECES

    def test_one_that_waits_for_another_to_make_it(self, desk):
        """It leaves although the other one's worker is busy."""
        begun, go_on = threading.Event(), threading.Event()

        class Busy(Making):
            def _make(self, is_gone):
                begun.set()
                assert go_on.wait(30)
                yield from super()._make(is_gone)

        making = Busy()
        leader, _ = desk.board(making)
        follower, _ = desk.board(making, gone)
        thread = threading.Thread(target=lambda: results.extend(leader))
        results = []
        thread.start()
        assert begun.wait(30)
        with pytest.raises(Cancelled):
            next(follower)
        go_on.set()
        thread.join(30)
        assert results == PIECES


class TestLongAnswers:
    """What is larger than the limit is neither kept nor held in memory."""

    def test_at_the_limit_it_is_kept(self):
        desk = Desk(len(WHOLE))
        list(desk.board(Making())[0])
        assert desk.kept == [WHOLE]

    def test_past_the_limit_it_is_not(self):
        desk = Desk(len(WHOLE) - 1)
        assert list(desk.board(Making())[0]) == PIECES
        assert desk.kept == []

    def test_past_the_limit_nobody_joins(self):
        desk = Desk(10)
        making = Making()
        early, _ = desk.board(making)
        assert b"".join(next(early) for _ in range(2)) == b"first second "
        late, joined = desk.board(making)
        assert not joined
        assert list(late) == PIECES
        assert list(early) == PIECES[2:]

    def test_pieces_that_all_have_read_are_forgotten(self):
        desk, making = Desk(30), Making(Piece.stream(50, 3))
        readers = [desk.board(making)[0] for _ in range(3)]
        for number in range(50):
            assert len({next(reader) for reader in readers}) == 1
            assert Piece.held_bytes() <= 36  # the limit, and what is on its way

    def test_one_left_far_behind_gets_its_rest_all_the_same(self):
        """Its pieces were dropped; they are made again for it alone."""
        pieces = [b"%04d" % number for number in range(100)]
        making = Making(pieces)
        desk = Desk(40)
        slow, _ = desk.board(making)
        fast, _ = desk.board(making)
        assert next(slow) == pieces[0]
        assert list(fast) == pieces
        assert b"".join(slow) == b"".join(pieces[1:])
        assert making.begun == 2

    def test_the_rest_is_right_where_pieces_are_cut_otherwise(self):
        """The second making delivers in pieces of other sizes."""
        text = bytes(range(256)) * 4
        sizes = iter([16, 7])

        def start(is_gone):
            size = next(sizes)
            return iter([text[i : i + size] for i in range(0, len(text), size)])

        desk = Desk(64)
        slow, _ = desk.board(start)
        fast, _ = desk.board(start)
        first = next(slow) + next(slow)
        assert b"".join(fast) == text
        assert first + b"".join(slow) == text

    def test_memory_stays_bounded_while_one_does_not_read(self):
        desk, making = Desk(1000), Making(Piece.stream(500, 100))
        stuck, _ = desk.board(making)
        fast, _ = desk.board(making)
        next(stuck)
        largest = max(Piece.held_bytes() for _ in fast)
        assert 1000 < largest <= 2 * 1000 + 200
        stuck.close()


class Piece(bytes):
    """Bytes that are counted while somebody holds them."""

    held = []

    def __del__(self):
        Piece.held.remove(len(self))

    @classmethod
    def stream(cls, count, size):
        for number in range(count):
            cls.held.append(size)
            yield cls(b"%03d" % number * (size // 3) + bytes(size % 3))

    @classmethod
    def held_bytes(cls):
        return sum(cls.held)


@settings(deadline=None, max_examples=examples(150))
@given(
    limit=st.integers(0, 60),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=10),
    steps=st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["read", "read", "read", "close", "board"])),
        max_size=60,
    ),
)
def test_whatever_the_order_each_gets_the_whole(limit, sizes, steps):
    """Readers come, read, and leave in any order: whoever reads to the end has all of it."""
    text = bytes(range(sum(sizes)))
    pieces, start = [], 0
    for size in sizes:
        pieces.append(text[start : start + size])
        start += size
    desk, making = Desk(limit), Making(pieces)
    readers, received = {}, {}
    for who, step in steps:
        if step == "board":
            if who in readers:
                readers[who].close()
            readers[who], _ = desk.board(making)
            received[who] = b""
        elif who in readers and step == "read":
            received[who] += next(readers[who], b"")
            assert text.startswith(received[who])
        elif who in readers:
            readers.pop(who).close()
    for who, reader in readers.items():
        assert received[who] + b"".join(reader) == text
    assert set(desk.kept) <= {text}
    assert making.closed <= making.begun
    last, _ = desk.board(making)
    assert b"".join(last) == text

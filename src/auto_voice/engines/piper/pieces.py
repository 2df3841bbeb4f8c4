"""From frames to samples in pieces, by stages that each look a little to either side.

A stage keeps the last few steps that it has been given, since the next piece's first steps look
at them, and holds back what would look at steps that have not come. So the pieces equal the whole
but for the rounding of a few sums, whatever the sizes of the pieces are; they are always the same,
so that the same request gives the same bytes.
"""

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Deque, Iterator, List, Mapping, NamedTuple

import numpy as np

from auto_voice.engines.piper.cuts import Stage
from auto_voice.engines.piper.runtime import Session

FIRST_FRAMES = 24
"""Of sound in the first piece; about 0.28 s. A voice that is twice as fast as speech has the second
one ready before the first has been heard."""
MOST_FRAMES = 48
"""Of sound in the others: what is computed for nobody when a client leaves, and what a worker's
memory holds at once. 128 take a fiftieth less time, or three, and 60 MB more."""


class Link(NamedTuple):
    """A stage that can run."""

    session: Session
    stage: Stage


class Chain:
    """The stages from frames to samples of one voice. Any number of threads may use it."""

    def __init__(self, links: List[Link]) -> None:
        self._links = links
        self.hop = 1
        """Samples of a frame."""
        ahead = 0.0
        for link in links:
            ahead += link.stage.reach.after / self.hop
            self.hop *= link.stage.reach.rate
        self._ahead = int(np.ceil(ahead))
        """Frames after a piece's last one that it looks at."""

    def pieces(self, given: Mapping[str, Any], frames: int, threads: int) -> Iterator[Any]:
        """The samples, [S], of a sentence that is so many frames long."""
        flow = _Flow(self._links, given)
        borders = _borders(frames, self._ahead)
        if threads < 2 or len(borders) < 3:
            for start, end in zip(borders, borders[1:]):
                yield flow.piece(start, end, end == frames)
            return
        # Nothing competes with the piece that somebody waits for.
        yield flow.piece(0, borders[1], False)
        with ThreadPoolExecutor(threads) as workers:
            waiting: Deque["Future[Any]"] = deque()
            try:
                for start, end in zip(borders[1:], borders[2:]):
                    waiting.append(workers.submit(flow.piece, start, end, end == frames))
                    if len(waiting) > threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                flow.stop()


class _Flow:
    """One sentence on its way through the stages.

    Several pieces may be under way: each enters a stage after the one before it has, since it
    needs the end of what that one brought there, and no sooner and no later.
    """

    def __init__(self, links: List[Link], given: Mapping[str, Any]) -> None:
        self._links = links
        self._given = given
        self._frames = given[links[0].stage.start]
        """[1, C, F]"""
        self._ends = [_End(link.stage) for link in links]
        self._entered = [0] * len(links)
        """For each stage the first frame of the piece whose turn it is."""
        self._turn = threading.Condition()
        self._stopped = False

    def piece(self, start: int, end: int, last: bool) -> Any:
        """Samples [S] of the next frames; `start` to `end`, those that it looks at included."""
        steps = self._frames[..., start:end]
        for number, (session, stage) in enumerate(self._links):
            with self._turn:
                while self._entered[number] != start and not self._stopped:
                    self._turn.wait()
                if self._stopped:
                    break
                taken = self._ends[number].take(steps, last)
                self._entered[number] = end
                self._turn.notify_all()
            if taken.length == 0:  # too short a piece; the next one will bring its sound, too
                steps = None
                continue
            inputs = {stage.start: taken.steps}
            for name in session.inputs:
                if name != stage.start:
                    side = self._given[name]
                    inputs[name] = side[..., taken.span] if name in stage.sides else side
            (steps,) = session.run(inputs)
            steps = steps[..., taken.first : taken.first + taken.length]
        return np.zeros(0, np.float32) if steps is None else np.ravel(steps)

    def stop(self) -> None:
        """Nobody wants the rest."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()


class _Taken(NamedTuple):
    """What a stage computes for a piece."""

    steps: Any
    """[1, C, T], its input."""
    span: slice
    """Where in the sentence these steps are."""
    first: int
    """Of its output the first step that is new and right."""
    length: int
    """So many are."""


class _End:
    """Where a stage is in a sentence."""

    def __init__(self, stage: Stage) -> None:
        self._reach = stage.reach
        self._kept: Any = None
        """The last steps of its input, [1, C, T]."""
        self._from = 0
        """Where in the sentence they begin."""
        self._done = 0
        """Steps of its input whose output has been computed."""

    def take(self, steps: Any, last: bool) -> _Taken:
        """What to compute, given the next steps, or None; ``last``: there are no more."""
        if steps is None:
            steps = self._kept
        elif self._kept is not None:
            steps = np.concatenate((self._kept, steps), axis=-1)
        if steps is None:
            return _Taken(None, slice(0, 0), 0, 0)
        came = self._from + steps.shape[-1]
        ready = came if last else max(came - self._reach.after, self._done)
        low = max(self._done - self._reach.before, 0)
        taken = _Taken(
            steps[..., low - self._from :],
            slice(low, came),
            (self._done - low) * self._reach.rate,
            (ready - self._done) * self._reach.rate,
        )
        keep = max(ready - self._reach.before, 0)
        self._kept = steps[..., keep - self._from :].copy()  # else it would hold all of them
        self._from, self._done = keep, ready
        return taken


def _borders(frames: int, ahead: int) -> List[int]:
    """Where the pieces begin and end, the frames included that the first one looks at beyond it."""
    borders = [0]
    size = FIRST_FRAMES + ahead
    while borders[-1] < frames:
        left = frames - borders[-1]
        # No piece is so small that it would cost more than it is worth.
        borders.append(frames if left <= size + MOST_FRAMES // 2 else borders[-1] + size)
        size = MOST_FRAMES
    return borders

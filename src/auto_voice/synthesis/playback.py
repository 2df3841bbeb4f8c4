"""How well somebody could listen to an answer while it is being made."""


class Playback:
    """A listener who plays each piece of audio as soon as it is there.

    Only the time that making takes counts: a client that stops reading, since
    it is paused or has enough for now, does not wait for us.
    """

    __slots__ = ("stalled_s", "_ends")

    def __init__(self) -> None:
        self.stalled_s = 0.0
        """Seconds of silence in the middle, so far."""
        self._ends = 0.0
        """When what has been made so far will have been played; 0.0 before the first piece."""

    def add(self, asked: float, made: float, audio_s: float) -> None:
        """A piece of ``audio_s`` seconds was asked for and then made, on any one clock."""
        if self._ends:
            ahead_s = max(0.0, self._ends - asked)
            self.stalled_s += max(0.0, made - asked - ahead_s)
        self._ends = max(self._ends, made) + audio_s

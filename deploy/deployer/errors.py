"""What may go wrong, with the exit status that says so.

DeployError                20  a host could not be reached, or a command failed there
├── Misused                 2  wrong usage, or a wrong environment file
├── NotReady               10  the new version did not become ready, or did not speak
├── JudgedBad              11  it failed after the switch
├── Inconclusive           12  there were no figures to judge it by
├── NotSigned              14  its image is not signed by the key
├── NoImage                15  its image could not be had
├── Unclear                21  going back did not work everywhere
├── Locked                 75  another deploy is running
└── Interrupted           130  a signal; 128 and its number
"""


class DeployError(Exception):
    """Why a deploy does not go on."""

    status = 20
    outcome = "failed"


class Misused(DeployError):
    """Another try will not help."""

    status = 2


class NotReady(DeployError):
    """Nobody has heard the new version."""

    status = 10


class JudgedBad(DeployError):
    """Some have."""

    status = 11


class Inconclusive(DeployError):
    """No data is never a pass."""

    status = 12
    outcome = "inconclusive"


class NotSigned(DeployError):
    """Whoever made the image, it was not who should have."""

    status = 14


class NoImage(DeployError):
    """The registry does not have it, or does not answer."""

    status = 15


class Unclear(DeployError):
    """A person has to look."""

    status = 21


class Locked(DeployError):
    """EX_TEMPFAIL: try again later."""

    status = 75


class Interrupted(DeployError):
    """Somebody wants it to end."""

    outcome = "interrupted"

    def __init__(self, signal_number: int) -> None:
        super().__init__("interrupted")
        self.status = 128 + signal_number

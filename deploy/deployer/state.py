"""What a host knows of itself: which slot serves, what is in each, and what is under way."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Dict, Optional

from deployer.errors import Unclear

FORMAT = 1
UNDER_TRIAL = ("hold", "start", "ready", "speak", "switch", "bake", "held")
"""Phases in which the old slot is still the one that counts; after them, the new one is."""


def other(slot: str) -> str:
    """The slot beside it."""
    return "green" if slot == "blue" else "blue"


@dataclass(frozen=True)
class Release:
    """What a slot holds."""

    version: str
    image: str
    """By its digest, or its id where no registry knows it."""
    deploy: str


@dataclass(frozen=True)
class Underway:
    """A deploy that has begun and not ended."""

    id: str
    version: str
    image: str
    from_slot: Optional[str]
    to_slot: str
    phase: str
    began: str
    again: bool = False
    """A rollback: the slot's container was there before, and stays."""


@dataclass(frozen=True)
class State:
    """`state.json`."""

    active: Optional[str] = None
    slots: Dict[str, Release] = field(default_factory=dict)
    deploy: Optional[Underway] = None

    @property
    def current(self) -> Optional[Release]:
        """What is in the active slot."""
        return self.slots.get(self.active) if self.active else None

    def begun(self, deploy: Underway) -> "State":
        """The same while a deploy is under way."""
        return replace(self, deploy=deploy)

    def reached(self, phase: str) -> "State":
        """The same deploy, a phase on."""
        assert self.deploy is not None  # nosec B101: phases belong to a deploy
        return replace(self, deploy=replace(self.deploy, phase=phase))

    def accepted(self) -> "State":
        """The new slot is the one that counts from now on."""
        deploy = self.deploy
        assert deploy is not None  # nosec B101: phases belong to a deploy
        release = Release(deploy.version, deploy.image, deploy.id)
        return replace(
            self,
            active=deploy.to_slot,
            slots={**self.slots, deploy.to_slot: release},
            deploy=replace(deploy, phase="drain"),
        )

    def ended(self) -> "State":
        """Nothing is under way."""
        return replace(self, deploy=None)

    def dumped(self) -> str:
        """As JSON."""
        content: Dict[str, Any] = {"format": FORMAT, "active": self.active}
        content["slots"] = {slot: asdict(self.slots[slot]) for slot in sorted(self.slots)}
        deploy = asdict(self.deploy) if self.deploy else None
        if deploy:
            deploy["from"], deploy["to"] = deploy.pop("from_slot"), deploy.pop("to_slot")
        content["deploy"] = deploy
        return json.dumps(content, indent=2) + "\n"


def loaded(text: str) -> State:
    """From JSON; of an empty text, that of a host where nothing was deployed yet.

    Raises:
        Unclear: it is none, or one of a later format.
    """
    if not text.strip():
        return State()
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise Unclear(f"state.json has format {content['format']}, not {FORMAT}")
        deploy = content["deploy"]
        if deploy is not None:
            deploy["from_slot"], deploy["to_slot"] = deploy.pop("from"), deploy.pop("to")
        return State(
            content["active"],
            {slot: Release(**release) for slot, release in content["slots"].items()},
            Underway(**deploy) if deploy else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unclear(f"state.json is damaged: {error!r}") from None

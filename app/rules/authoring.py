"""Who may write a resource that is no referral: an output that a partner reports, a consent that a hospital holds.

Pure. A resource belongs to the organisation that created it: that one may change it, and delete it as long as no
referral rests on it. What the hub itself made of a discharge nobody writes but the hub.
"""

from typing import Any, Final

from app.core.json_meaning import beyond
from app.rules import labelling
from app.rules.verdict import Reason, Verdict

Resource = dict[str, Any]

_NOT_THE_AUTHOR: Final = Reason("not-the-author", "only the organisation that created it may change it")
_LABELS: Final = Reason("labels-stay", labelling.CARRIED_ON, "meta.security")
_REPORTED: Final = Reason("reported", "a Task names it as its output; set its status to entered-in-error instead")
_PERSON: Final = Reason("person-stays", "the person that it is about can't be changed; create another one")

PEOPLE: Final = ("subject", "patient")
"""Elements that say whom a resource is about."""


def judge_change(before: Resource, after: Resource, *, author: bool) -> Verdict:
    """Whether the author's change may be taken; no reasons = it may.

    Args:
        before: the resource as it is.
        after: as it would become.
        author: whether the caller's organisation created it.
    """
    if not author:
        return Verdict((_NOT_THE_AUTHOR,))
    said = labelling.stated(after)
    stripped = said is not None and beyond(said, labelling.held(before)) is None
    moved = any(before.get(name) is not None and _whom(before, name) != _whom(after, name) for name in PEOPLE)
    return Verdict((*((_LABELS,) if stripped else ()), *((_PERSON,) if moved else ())))


def _whom(resource: Resource, name: str) -> Any:
    return resource.get(name, {}).get("reference")


def judge_deletion(*, author: bool, reported: bool) -> Verdict:
    """Whether the resource may be deleted; no reasons = it may.

    Args:
        author: whether the caller's organisation created it.
        reported: whether an output of a Task names it, so that others rely on it.
    """
    if not author:
        return Verdict((_NOT_THE_AUTHOR,))
    return Verdict((_REPORTED,) if reported else ())

"""What each partner is shown of one visit's referral, and what it loses: decisions become grants and revocations."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, cast

from app.services.referral.sharing import Shared, Sharing, ends_of, granted
from app.services.referral.situation import Settlement, Situation
from app.services.writing import Draft, Resource
from app.store.changes import Grant, Revocation
from fhir_mappings import packet_content
from schemas.stub import Child, Decided, NeedLink, ReferralLink

OFFERED: Final = "Patient|offer|"
"""Start of the keys of offer Patients, which are no part of the visit's own resources."""
LOST: Final = frozenset({"rejected", "cancelled", "entered-in-error"})
_ORIGIN: Final = "Provenance|"


class Outcome(NamedTuple):
    """What was decided about one partner."""

    before: Decided | None
    """What stood before; None where the partner was not asked yet."""
    shared: Shared
    back: Shared

    @property
    def changed(self) -> bool:
        """Whether the partner may see something else than before."""
        return self.shared.row is not None


class Showing:
    """One settlement's grants and revocations, in the making."""

    def __init__(
        self,
        situation: Situation,
        link: ReferralLink,
        sharing: Sharing,
        result: Settlement,
        task_of: Callable[[str], Resource],
    ) -> None:
        self._now = situation
        self._hospital = situation.file.organization
        self._link = link
        self._sharing = sharing
        self._result = result
        self._task_of = task_of
        self.clinical: Sequence[Resource] = ()
        """All that the visit was built into."""
        self.newly: set[str] = set()
        """Ids of those that nobody but the hospital sees yet."""
        self._outcomes: dict[str, Outcome] = {}

    # ---- decisions

    def decide(self, need: NeedLink, child: Child) -> Outcome:
        """Decide about a partner in both directions, once in a settlement."""
        found = self._outcomes.get(child.task)
        if found is not None:
            return found
        before = child.decided
        shared, back = (self._sharing.decide(need, child, way) for way in ("to-recipient", "back"))
        child.decided, child.back = shared.decided, back.decided
        self._result.decisions += [one.row for one in (shared, back) if one.row is not None]
        self._result.jobs += ends_of(self._now.file.id, shared.decided, back.decided)
        self._outcomes[child.task] = Outcome(before, shared, back)
        return self._outcomes[child.task]

    def children(self) -> Iterator[tuple[NeedLink, Child]]:
        """Everybody who was ever asked."""
        for need in (*self._link.needs, *self._link.former):
            for child in need.children:
                yield need, child

    def _permitted(self) -> Iterator[tuple[NeedLink, Child]]:
        """Those who are in it and may see the packet."""
        for need, child in self.children():
            may_see = child.decided is not None and child.decided.level == "packet"
            if may_see and self._task_of(child.task)["status"] not in LOST:
                yield need, child

    # ---- what goes

    def packet(self, need: str, decided: Decided | None) -> frozenset[str]:
        """Ids of the resources of the visit that the packet of a need holds."""
        consent = decided.consent if decided else None
        return frozenset(one["id"] for one in packet_content.within(self.clinical, need, consent=consent))

    def new_to_hospital(self, resource_id: str) -> None:
        """The hospital sees what its own visit was built into."""
        self._result.grants.append(Grant(self._hospital, resource_id))
        self.newly.add(resource_id)

    def show(self, need: NeedLink, child: Child) -> None:
        """What the decision permits, as far as it is new: all of it, or what the visit has told since."""
        outcome = self.decide(need, child)
        decided = outcome.shared.decided
        if outcome.changed:
            self._grant(child, (child.service_request, child.task), ())
        if decided.level != "packet" or self._task_of(child.task)["status"] in LOST:
            return
        packet = self.packet(need.need, decided)
        seen = [one["id"] for one in self.clinical if one["id"] in packet]
        if outcome.changed:
            self._grant(child, seen, self._cause(child))
        else:
            self._grant(child, [one for one in seen if one in self.newly], ())

    def _grant(self, child: Child, resources: Iterable[str], cause: tuple[str, int] | tuple[()]) -> None:
        decided = cast("Decided", child.decided)
        self._result.grants += [
            granted(child.partner, one, decided, cause if cause and one not in self.newly else None)
            for one in resources
        ]

    def _cause(self, child: Child) -> tuple[str, int]:
        """The version of its Task that is written with the grants, and by which who polls learns of them."""
        row = self._now.rows.get(child.task)
        return child.task, row.version + 1 if row else 1

    def back(self, need: NeedLink, child: Child) -> None:
        """The hospital's own Task tells from now on what a partner reports: with its notice."""
        decided = cast("Decided", child.back)
        if decided.level == "packet" and decided.notice is not None:
            own = (need.service_request, need.task)
            self._result.grants += [granted(self._hospital, one, decided, None)._replace(until=None) for one in own]

    # ---- where it comes from

    def _sees_origin(self, need: NeedLink) -> bool:
        """Whether the packet of a need holds where all of it comes from."""
        return bool(packet_content.within([{"resourceType": "Provenance", "id": ""}], need.need))

    def audiences(self, drafts: Sequence[Draft]) -> dict[str, list[str]]:
        """What is written, by who is told where it comes from: the hospital, of all (empty), and ``|partner``.

        A partner whose own Task or request is written is told of that, and of what its packet holds. Whether others
        are asked changes neither what it is told of nor how often. Of the Patients of offers nobody is told.
        """
        offered = {held.id for key, held in self._link.resources.items() if key.startswith(OFFERED)}
        targets = {
            one.resource["id"]: f"{one.resource['resourceType']}/{one.resource['id']}/_history/{one.version}"
            for one in drafts
            if one.resource["id"] not in offered
        }
        found = {"": [*targets.values()]} if targets else {}
        for need, child in self._permitted():
            own = {child.service_request, child.task}
            if not own.isdisjoint(targets):
                seen = own | (self.packet(need.need, child.decided) if self._sees_origin(need) else set())
                told = found.setdefault(f"|{child.partner}", [])
                told += [target for one, target in targets.items() if one in seen and target not in told]
        return found

    def show_origin(self, resource_id: str, audience: str) -> None:
        """A Provenance: to the hospital, and where it is for one partner, to that one."""
        self._result.grants.append(Grant(self._hospital, resource_id))
        for _, child in self._permitted():
            if audience == f"|{child.partner}":
                self._grant(child, (resource_id,), ())

    # ---- what is taken away

    def hide(self, child: Child) -> None:
        """A partner that is no longer in it, or may see less, loses what nothing else permits it to see."""
        kept: set[str] = set()
        for need, other in self._permitted():
            if other.partner == child.partner and other is not child:
                kept |= self.packet(need.need, other.decided) | self._origins_of(child.partner)
        gone = [h.id for key, h in self._link.resources.items() if h.id not in kept and not key.startswith(OFFERED)]
        self._result.revocations += [Revocation(child.partner, one) for one in gone]

    def _origins_of(self, partner: str) -> set[str]:
        """What tells a partner where its own comes from."""
        resources = self._link.resources.items()
        return {held.id for key, held in resources if key.startswith(_ORIGIN) and key.endswith(f"|{partner}")}

    def retract(self, resource_id: str) -> None:
        """What the visit no longer says nobody sees any more."""
        viewers = {self._hospital, *(child.partner for _, child in self.children())}
        self._result.revocations += [Revocation(viewer, resource_id) for viewer in sorted(viewers)]

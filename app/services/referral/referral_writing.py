"""What of a settlement is written: the next versions of its resources, offers beside them, and where they come from."""

from typing import cast

from app.services.referral.referral_facts import offer_facts
from app.services.referral.referral_work import Work
from app.services.referral.showing import OFFERED
from app.services.referral.situation import NotConforming
from app.services.writing import Draft, Resource, digest, last_modified, without_server_meta
from app.store.changes import Grant
from fhir_mappings import build, gate
from fhir_mappings.building.offer import offer_of
from schemas.stub import Child, Decided


class Writing:
    """Turns what a settlement has come to into drafts."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def clinical(self) -> list[Resource]:
        resources = build.clinical(
            self._work.event, parties=self._work.parties, ids=self._work.ids, labels=self._work.labels
        )
        by_id = {held.id: held for held in self._work.link.resources.values()}
        for resource in resources:
            held = by_id[resource["id"]]
            draft = _draft(resource, held.version + 1)
            if held.digest == (fingerprint := digest(draft.body)):
                continue
            if not held.digest:
                self._work.showing.new_to_hospital(held.id)
            held.version = draft.version
            held.digest = fingerprint
            self._work.result.drafts.append(draft)
        self._hide_retracted({resource["id"] for resource in resources})
        return resources

    def _hide_retracted(self, stated: set[str]) -> None:
        """What the visit no longer says (a dose charted in error, a removed diagnosis) nobody sees any more."""
        for key, held in self._work.link.resources.items():
            if held.digest and held.id not in stated and not key.startswith(("Provenance|", OFFERED)):
                held.digest = ""
                self._work.showing.retract(held.id)

    def tasks(self) -> None:
        stamp = self._work.now.now.isoformat()
        sent = {i for _, child in self._work.showing.children() for i in (child.task, child.service_request)}
        offers = self._offers()
        for resource_id, resource in self._work.tasks.items():
            stored = self._work.now.rows.get(resource_id)
            forced = resource_id in self._work.forced
            if stored is not None and resource is stored.resource and not forced:
                continue
            plain = without_server_meta(resource)
            if stored is not None and _same(without_server_meta(stored.resource), plain) and not forced:
                continue
            if resource["resourceType"] == "Task":
                plain["lastModified"] = last_modified(plain, stamp)
            before = stored.resource if stored else None
            version = stored.version + 1 if stored else 1
            self._work.result.drafts.append(_draft(plain, version, before, offers.get(resource_id)))
            if stored is None and resource_id not in sent:
                self._work.result.grants.append(Grant(self._work.now.file.organization, resource_id))

    def _offers(self) -> dict[str, Resource]:
        """The offer renditions of what is sent to partners that may not see the packet, by id."""
        found: dict[str, Resource] = {}
        for need, child in self._work.showing.children():
            own = {child.service_request, child.task}
            if cast("Decided", child.decided).level == "packet" or own.isdisjoint(self._work.tasks):
                continue
            offer = offer_of(
                self._work.task(child.service_request),
                self._work.task(child.task),
                facts=offer_facts(
                    self._work.now,
                    self._work.event,
                    need.need,
                    self._work.showing.clinical,
                    self._work.coverage,
                    tied=self._work.tied(need.need),
                ),
                parties=self._work.parties,
                ids=self._work.ids,
                labels=self._work.labels,
            )
            found |= {child.service_request: offer.request, child.task: offer.task}
            self._put_offered(child, offer.patient)
        return found

    def _put_offered(self, child: Child, patient: Resource) -> None:
        """The Patient of an offer, which its partner alone sees."""
        held = self._work.held("Patient", f"offer|{child.task}")
        draft = _draft(patient, held.version + 1)
        self._work.result.grants.append(Grant(child.partner, held.id, decision=cast("Decided", child.decided).id))
        if held.digest != (fingerprint := digest(draft.body)):
            held.version, held.digest = draft.version, fingerprint
            self._work.result.drafts.append(draft)

    def provenance(self) -> None:
        """One for the hospital, and one for each partner whose own request was written."""
        audiences = self._work.showing.audiences(self._work.result.drafts)
        for audience, targets in audiences.items():
            provenance = build.provenance(
                targets,
                key=f"{self._work.now.origin.ledger}{audience}",
                message_hash=self._work.now.origin.content_hash,
                control_id=self._work.now.origin.control_id,
                sender=self._work.now.sender.id,
                recorded=self._work.now.now,
                occurred=self._work.now.origin.occurred,
                parties=self._work.parties,
                ids=self._work.ids,
                labels=self._work.labels,
                activity="CREATE" if self._work.result.opened else "UPDATE",
            )
            held = self._work.link.resources[f"Provenance|{self._work.now.origin.ledger}{audience}"]
            held.version += 1
            self._work.result.drafts.append(_draft(provenance, held.version))
            self._work.showing.show_origin(held.id, audience)


def _draft(resource: Resource, version: int, before: Resource | None = None, offer: Resource | None = None) -> Draft:
    try:
        return Draft.of(resource, version, before, offer)
    except TypeError:
        # What JSON can't hold does not pass the gate, which says so in its own words.
        raise NotConforming(gate.check(resource)) from None


def _same(before: Resource, after: Resource) -> bool:
    return {**before, "lastModified": ""} == {**after, "lastModified": ""}

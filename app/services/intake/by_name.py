"""What a hospital asks for by name with single requests: a source Task, a consent.

A partner that is registered as a sender too asks so for a person who was sent to it: it is the requester then. Both are
intake: they go the way of every message, into the ledger and into the visit, and the hub's own referral comes of them.
(SDOHCC Referral Workflow, "Indirect": the source's Task, the hub's answer on it.)
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, NoReturn

from app.core import json
from app.core.actor import Actor
from app.core.errors import Forbidden, HubError, Issue, Unprocessable
from app.rules.consent_elements import ELEMENTS, missing_elements
from app.services.hub import Hub
from app.services.intake import fhir_intake, intake_requests
from app.services.intake.intake import Intake
from app.services.intake.intake_reading import Arrival, Refusal, read_fhir
from app.services.interactions import Done
from app.services.referral.parties import status_of
from app.services.writing import Rendition, Resource, decoded
from app.store.queries import IndexIn, Query, Row
from app.store.reader import Reader
from fhir_mappings.fhir_in import by_name
from fhir_mappings.labels import PART2
from schemas.discharge import ConsentGiven
from schemas.references import local
from schemas.sender import Sender

_LATEST: Final = 50
"""Stays and diagnoses of one person that are looked at."""


class ByName:
    """Turns what a hospital writes into what intake reads."""

    def __init__(self, hub: Hub, intake: Intake) -> None:
        self._hub = hub
        self._intake = intake

    async def is_hospital(self, actor: Actor) -> bool:
        """Whether the actor's organisation sends discharges."""
        return actor.organization is not None and bool(await intake_requests.senders_of(self._hub, actor))

    async def ask(self, actor: Actor, task: Resource, sender: str | None) -> Done:
        """The source Task that a posted one comes to.

        Raises Forbidden for whom is no hospital, Unprocessable where the focus, the person or the visit is not known
        here or it is no request, and what intake raises.
        """
        senders = await self._senders(actor, sender)
        reader = self._hub.store.reader(actor)
        request = await self._led_to(reader, task, "focus", "ServiceRequest")
        patient = await self._led_to(reader, task, "for", "Patient")
        encounter = await self._visit(reader, task, request, patient)
        own = encounter.get("serviceProvider", {}).get("reference") == f"Organization/{actor.organization}"
        now = self._hub.clock.now()
        if own:
            told = by_name.referral(request, task, patient, encounter, now)
        else:
            known = await self._sent_on(reader, patient, senders)
            told = by_name.onward(request, task, patient, encounter, known=known, now=now)
        data = json.dumps(told)
        try:
            answer = json.loads(await fhir_intake.transaction(self._hub, self._intake, actor, data, senders))
        except HubError as error:
            raise _own_words(error, "Task") from error
        place: str | None = answer["entry"][-1]["response"].get("location")
        found = local(place) if place else None
        row = await reader.read("Task", found[1]) if found else None
        if row is None:
            raise Unprocessable("It was filed, and no referral came of it; the ledger says why.", path="Task")
        return Done(201, "Task", row.id, row.version, Rendition.of(row))

    async def _sent_on(self, reader: Reader, patient: Resource, senders: Sequence[Sender]) -> list[Resource]:
        """What is told of a person whom another organisation had sent to who asks: the diagnoses that it sees.

        Unprocessable where a record of a Part 2 program would go on as one of none.
        """
        directory = await self._hub.registry.current()
        statuses = {status_of(directory, one, None) for one in senders}
        if "not-part2" in statuses and PART2 in patient["meta"]["security"]:
            text = "The record came from a Part 2 program and would not go on as one: tell a discharge of your own."
            raise Unprocessable(text, path="Task.for")
        of_the_person = Query("Condition", (IndexIn("patient", (f"Patient/{patient['id']}",)),), limit=_LATEST)
        return [decoded(row) for row in await reader.search(of_the_person)]

    async def check_consent(self, actor: Actor, consent: Resource) -> None:
        """Whether a hospital's consent can be relied on.

        Raises Unprocessable where it says what can't be read as a whole, so that nothing of it gets lost, and where an
        active one lacks elements of 42 CFR 2.31(a) for every visit: one issue for each, with the element to fill.
        """
        told = await self._consents(actor, consent, alone=True)
        for arrived in told:
            if isinstance(arrived, Refusal):
                raise _own_words(fhir_intake.refusal(arrived), "Consent")
        missing = [self._missing(one) for one in told if isinstance(one, Arrival)]
        least = min(missing, key=len, default=())
        if least:
            raise Unprocessable("The consent lacks elements of 42 CFR 2.31(a).", issues=tuple(map(_lacking, least)))

    def _missing(self, told: Arrival) -> tuple[str, ...]:
        today = self._hub.clock.now().astimezone(told.sender.zone()).date()
        consents = told.facts.circumstances.consents if told.facts.circumstances is not None else []
        return tuple(
            number
            for one in consents
            if one.status == "active"
            for number in missing_elements(one, on=_signed_on(one, today))
        )

    async def tell_consent(self, actor: Actor, consent: Resource) -> None:
        """Every visit of the person whose referral the consent may bear on is looked at again.

        Raises Unprocessable where one of them can't be: whoever takes a consent back must not believe that it is done.
        """
        told = [await self._intake.receive(arrived) for arrived in await self._consents(actor, consent)]
        for outcome in told:
            if isinstance(outcome.reading, Refusal):
                raise _own_words(fhir_intake.refusal(outcome.reading), "Consent")

    async def _consents(self, actor: Actor, consent: Resource, *, alone: bool = False) -> list[Arrival | Refusal]:
        """The consent as it is told to each visit of the person; where there is none, by itself if ``alone``."""
        if not await self.is_hospital(actor):
            return []
        reader = self._hub.store.reader(actor)
        row = await _found(reader, consent.get("patient"), "Patient")
        if row is None:
            return []
        senders = await intake_requests.senders_of(self._hub, actor)
        names = (await self._hub.registry.current()).names
        document = await _found(reader, consent.get("sourceReference"), "DocumentReference")
        visits: list[Resource | None] = [decoded(visit) for visit in await _visits(reader, row)]
        if not visits and alone:
            visits = [None]
        told = [
            by_name.consent(
                consent,
                decoded(row),
                visit,
                names,
                self._hub.clock.now(),
                document=decoded(document) if document is not None else None,
            )
            for visit in visits
        ]
        return [read_fhir(self._intake.inbound(json.dumps(one), senders[:1]), self._hub.keys) for one in told]

    # ---- what it is about

    async def _senders(self, actor: Actor, named: str | None) -> Sequence[Sender]:
        senders = await intake_requests.senders_of(self._hub, actor, named)
        if not senders:
            raise Forbidden("A Task is created by a hospital; a partner changes the one that it was sent.")
        return senders

    async def _led_to(self, reader: Reader, task: Resource, element: str, kind: str) -> Resource:
        row = await _found(reader, task.get(element), kind)
        if row is None:
            _refuse(element, f"a {kind} of this server that the caller may see; else send a transaction with all of it")
        return decoded(row)

    async def _visit(self, reader: Reader, task: Resource, request: Resource, patient: Resource) -> Resource:
        stated = task.get("encounter") or request.get("encounter")
        if stated is not None:
            return await self._led_to(reader, {"encounter": stated}, "encounter", "Encounter")
        visits = await _visits(reader, (await reader.by_ids([patient["id"]]))[0])
        if not visits:
            _refuse("encounter", "the Encounter that it belongs to")
        return decoded(visits[-1])


async def _found(reader: Reader, reference: Resource | None, kind: str) -> Row | None:
    """What a reference leads to, where the reader may see it."""
    found = local((reference or {}).get("reference", ""))
    return await reader.read(kind, found[1]) if found and found[0] == kind else None


async def _visits(reader: Reader, patient: Row) -> list[Row]:
    """The visits of a person that the reader may see, the one that changed last at the end."""
    query = Query("Encounter", (IndexIn("patient", (f"Patient/{patient.id}",)),), limit=_LATEST)
    return await reader.search(query)


def _signed_on(consent: ConsentGiven, today: date) -> date:
    signed = consent.signed_at
    return signed.date() if isinstance(signed, datetime) else signed or today


def _lacking(number: str) -> Issue:
    wanted = f"42 CFR 2.31(a)({number}): {ELEMENTS[number]}"
    if number == "3":
        wanted += "; all that a referral says, so neither class, code, label nor period, and data related to the visit"
    return Issue("required", wanted, by_name.CONSENT_ELEMENTS[number])


def _own_words(error: HubError, kind: str) -> HubError:
    """``error`` with the paths of what was sent, the last entry of the Bundle that was made of it."""
    issues = tuple(Issue(one.code, one.text, _below(one.path, kind)) for one in error.issues)
    return type(error)(error.message, issues=issues)


def _below(path: str | None, kind: str) -> str:
    rest = (path or "").partition(".resource.")[2]
    return f"{kind}.{rest}" if rest else kind


def _refuse(element: str, expected: str) -> NoReturn:
    raise Unprocessable(f"Expected: {expected}.", path=f"Task.{element}")

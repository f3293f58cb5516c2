"""What a partner may see of one referral, as it is given to the partner's own FHIR server. Pure.

Each resource carries an identifier by which the hub finds it there again: where it is read at the hub, and its id. So
whatever becomes of an answer, the same request once more makes nothing twice. Ids there are the other server's own.
What the owner of a Task says (status, reasons, outputs) is that server's, and is never written over. Provenance has no
identifier and stays at the hub.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from schemas.codes.local import BUSINESS_STATUS
from schemas.partner_server import BSER_BUSINESS_STATUS, PartnerServer
from schemas.references import local, references

Resource = dict[str, Any]
_TASK_CODE: Final = "http://hl7.org/fhir/CodeSystem/task-code"
_PLACER: Final[Resource] = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PLAC"}]}
_NOT_GIVEN: Final = frozenset({"Provenance"})
_ONE_IDENTIFIER: Final = frozenset({"QuestionnaireResponse", "Bundle", "Composition"})
"""Types of which ``identifier`` is no list."""
_OWNERS: Final[tuple[str, ...]] = ("status", "statusReason", "output", "lastModified", "note", "businessStatus")
"""Of a Task what its owner says; of the last two the hub says something as well."""


class Given:
    """What one partner is given of one Task.

    Args:
        rows: the resources that it may see, decoded.
        task: id of its Task.
        base: FHIR base of the hub.
        server: the partner's.
        said: paragraphs that must go with it.
    """

    def __init__(
        self, rows: Sequence[Resource], task: str, *, base: str, server: PartnerServer, said: Sequence[str] = ()
    ) -> None:
        self._base = base
        self._server = server
        mine = [one for one in rows if one["resourceType"] not in _NOT_GIVEN and not self._is_theirs(one)]
        self._theirs = {name_of(one): self._place_there(one) for one in rows if self._is_theirs(one)}
        self.members = {name_of(one): self._plain(one) for one in mine}
        self.task = f"Task/{task}"
        self._note = {"authorString": "Throughline", "text": "\n\n".join(said)} if said else None

    @property
    def digest(self) -> str:
        """The same as long as the hub has nothing new to say."""
        said = {name: one if name != self.task else self._own_words(one) for name, one in self.members.items()}
        return hashlib.sha256(json.dumps([said, self._note], sort_keys=True).encode()).hexdigest()

    def found_by(self, name: str) -> str:
        """The search that finds a member there."""
        kind, _, number = name.partition("/")
        return f"identifier={quote(f'{self._base}/{kind}|{number}', safe='')}"

    def transaction(self, there: Resource | None, tag: str | None) -> Resource:
        """All of it at once; ``there``: the Task as it was read there, with its ETag, None where it is to be made."""
        urls = {name: f"urn:uuid:{name.partition('/')[2]}" for name in self.members}
        entries = [
            {
                "fullUrl": urls[name],
                "resource": self.given(name, there, urls),
                "request": self._request(name, there, tag),
            }
            for name in self.members
        ]
        return {"resourceType": "Bundle", "type": "transaction", "entry": entries}

    def in_order(self) -> list[str]:
        """The members, what others refer to first; where they refer to each other in a circle, in any order."""
        done: list[str] = []
        seen: set[str] = set()

        def visit(name: str) -> None:
            seen.add(name)
            for link in references(self.members[name]):
                if link in self.members and link not in seen:
                    visit(link)
            done.append(name)

        for name in self.members:
            if name not in seen:
                visit(name)
        return done

    def given(self, name: str, there: Resource | None, places: Mapping[str, str]) -> Resource:
        """A member as it is to be there; of the Task, what its owner said there stays.

        Args:
            name: of the member.
            there: the Task as it was read there; None where it is to be made.
            places: member to where it is there. What is not there is referred to at the hub.
        """
        known = {**self._theirs, **places}
        links = [link for link in references(self.members[name]) if local(link) is not None]
        one: Resource = _relinked(self.members[name], {link: known.get(link, f"{self._base}/{link}") for link in links})
        if name != self.task:
            return one
        return self._new_task(one) if there is None else self._merged(one, there)

    # ---- parts

    def _is_theirs(self, one: Resource) -> bool:
        return str(one.get("meta", {}).get("source", "")).startswith(f"{self._server.root}/")

    def _place_there(self, one: Resource) -> str:
        return str(one["meta"]["source"]).removeprefix(f"{self._server.root}/")

    def _plain(self, one: Resource) -> Resource:
        """Without what is the hub's own of a version, with the identifier by which it is found."""
        kind = one["resourceType"]
        meta = {name: value for name, value in one.get("meta", {}).items() if name in {"profile", "security"}}
        known: Resource = {"system": f"{self._base}/{kind}", "value": one["id"]}
        if kind == "Task" and self._server.vocabulary == "bser":
            known = {"type": _PLACER, **known}
        held = one.get("identifier", [])
        identifier = known if kind in _ONE_IDENTIFIER else [*held, known]
        plain = {name: value for name, value in one.items() if name not in {"id", "meta", "text"}}
        return {**plain, **({"meta": meta} if meta else {}), "identifier": identifier}

    def _request(self, name: str, there: Resource | None, tag: str | None) -> Resource:
        kind = name.partition("/")[0]
        if name != self.task:
            return {"method": "PUT", "url": f"{kind}?{self.found_by(name)}"}
        if there is None:
            return {"method": "POST", "url": kind, "ifNoneExist": self.found_by(name)}
        match = {"ifMatch": tag} if tag else {}
        return {"method": "PUT", "url": f"{kind}/{there['id']}", **match}

    def _own_words(self, task: Resource) -> Resource:
        kept = {name: value for name, value in task.items() if name not in _OWNERS}
        return {**kept, "businessStatus": _own_mark(task)}

    def _new_task(self, task: Resource) -> Resource:
        made = {**task, "note": [*task.get("note", ()), self._note]} if self._note else task
        if self._server.vocabulary == "bser":
            created = {"coding": [{"system": BSER_BUSINESS_STATUS, "code": "2.0", "display": "Created"}]}
            return {**made, "status": "received", "businessStatus": _own_mark(task) or created}
        return made

    def _merged(self, task: Resource, there: Resource) -> Resource:
        kept: Resource = {name: there[name] for name in (*_OWNERS, "id") if name in there}
        if _own_mark(there):
            # What the hub said once, it may not say any more.
            kept.pop("businessStatus")
        mark = _own_mark(task)
        notes = list(there.get("note", ()))
        if self._note and not any(one.get("text") == self._note["text"] for one in notes):
            notes.append(self._note)
        others = [one for one in there.get("identifier", ()) if one not in task["identifier"]]
        ours = {name: value for name, value in task.items() if name not in _OWNERS}
        return {
            **ours,
            **kept,
            "identifier": [*task["identifier"], *others],
            **({"businessStatus": mark} if mark else {}),
            **({"note": notes} if notes else {}),
        }


def _own_mark(task: Resource) -> Resource | None:
    """The business status that the hub itself set."""
    said: Resource | None = task.get("businessStatus")
    codings = (said or {}).get("coding", ())
    return said if any(one.get("system") == BUSINESS_STATUS for one in codings) else None


def taken_back(task: Resource, there: Resource, server: PartnerServer) -> Resource:
    """The Task there as it says that the request is taken back; ``task`` is the hub's, with the reason."""
    reason = {"statusReason": task["statusReason"]} if "statusReason" in task else {}
    if server.vocabulary == "bser":
        # The initiator asks (BSeR 5.2), the recipient confirms.
        asked = {"coding": [{"system": BSER_BUSINESS_STATUS, "code": "5.2", "display": "Cancellation Requested"}]}
        return {**there, "status": "in-progress", "businessStatus": asked, **reason}
    status = "entered-in-error" if task["status"] == "entered-in-error" else "cancelled"
    return {**there, "status": status, **reason}


def abort(task: Resource, there: Resource, *, base: str, now: str) -> Resource:
    """The Cancellation Request Task (code ``abort``) about the Task there."""
    reason = {"reasonCode": task["statusReason"]} if "statusReason" in task else {}
    parties: Resource = {name: there[name] for name in ("requester", "owner", "for") if name in there}
    return {
        "resourceType": "Task",
        "identifier": [{"system": f"{base}/Task", "value": f"{task['id']}-abort"}],
        "status": "requested",
        "intent": "order",
        "code": {"coding": [{"system": _TASK_CODE, "code": "abort"}]},
        "focus": {"reference": f"Task/{there['id']}"},
        "authoredOn": now,
        "lastModified": now,
        **parties,
        **reason,
    }


def name_of(one: Resource) -> str:
    """``Task/17``."""
    return f"{one['resourceType']}/{one['id']}"


def made_of(response: Resource, names: Sequence[str]) -> dict[str, str] | None:
    """Which resource there each member has become, of the answer to a transaction; None where it doesn't say."""
    entries = response.get("entry", ())
    if response.get("type") != "transaction-response" or len(entries) != len(names):
        return None
    found = {name: _located(one, name.partition("/")[0]) for name, one in zip(names, entries, strict=True)}
    return None if any(place is None for place in found.values()) else {k: v for k, v in found.items() if v}


def _located(entry: Resource, kind: str) -> str | None:
    place = located(entry.get("response", {}).get("location"), kind)
    number = entry.get("resource", {}).get("id")
    return place or (f"{kind}/{number}" if number else None)


def located(address: object, kind: str) -> str | None:
    """``Task/17`` of the address of a resource or of a version of it."""
    if not isinstance(address, str):
        return None
    parts = address.partition("/_history/")[0].rstrip("/").split("/")
    return "/".join(parts[-2:]) if len(parts) > 1 and parts[-2] == kind else None


def _relinked(value: Any, places: Mapping[str, str]) -> Any:
    """``value`` with other references; no other text is touched."""
    if isinstance(value, dict):
        return {
            name: places.get(inner, inner)
            if name == "reference" and isinstance(inner, str)
            else _relinked(inner, places)
            for name, inner in value.items()
        }
    return [_relinked(one, places) for one in value] if isinstance(value, list) else value

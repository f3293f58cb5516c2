"""What a client sends to write a resource, read as far as no stored resource is needed for it."""

import re
from typing import Final

from app.core import json_patch
from app.core.errors import BadRequest, Issue, NotAllowed, Unprocessable
from app.rules import labelling
from app.services.interactions import Edit, Wanted
from app.services.reading.reads import not_found
from app.services.writing import Resource
from fhir_mappings import admissible, gate
from schemas.resources import ALL

_TAG: Final = re.compile(r'(?:W/)?"([0-9]{1,8})"')
_SAID: dict[str, str] = {
    "create": "is not created by clients",
    "update": "is not changed by clients",
    "patch": "is not changed by clients",
    "delete": "is never deleted",
}


def admit_interaction(resource_type: str, interaction: str) -> None:
    """NotFound for what is no type here, NotAllowed where the type's spec does not declare the interaction."""
    spec = ALL.get(resource_type)
    if spec is None or not spec.search:
        not_found()
    if interaction not in spec.interactions:
        raise NotAllowed(f"{resource_type} {_SAID[interaction]} on this server; see the CapabilityStatement.")


def conforming(resource_type: str, body: object) -> Resource:
    """``body`` as a resource of the type, in which nothing acts and nothing changes the meaning of the rest unknown.

    Raises BadRequest with the path of everything that is wrong.
    """
    if not isinstance(body, dict) or body.get("resourceType") != resource_type:
        raise BadRequest(f"A resource of type {resource_type} is expected.", path=f"{resource_type}.resourceType")
    problems = gate.check(body) or admissible.check(body)
    if problems:
        raise BadRequest(
            f"The {resource_type} does not conform.",
            issues=tuple(Issue(p.code, f"{p.rule}: {p.expected}", p.path) for p in problems),
        )
    return body


def put(resource_type: str, resource_id: str, body: object, if_match: int | None) -> Wanted:
    """A PUT: the body is the whole resource (https://hl7.org/fhir/R4/http.html#update)."""
    found = conforming(resource_type, body)
    if found.get("id") != resource_id:
        raise BadRequest("The id in the body must be the id in the URL.", path=f"{resource_type}.id")
    return Wanted(resource_type, resource_id, lambda _: found, if_match, said_version(found))


def version_of_tag(text: object) -> int | None:
    """The version that the ETag of one version names (``W/"3"``); None for any other text."""
    found = _TAG.fullmatch(text.strip()) if isinstance(text, str) else None
    return int(found[1]) if found is not None else None


def said_version(resource: Resource) -> int | None:
    """The version that a body says it is."""
    said = resource.get("meta", {}).get("versionId", "")
    return int(said) if said.isdecimal() and len(said) < 9 else None


def patching(operations: object) -> Edit:
    """The edit that a JSON Patch is. Raises BadRequest where it is none; the edit raises Unprocessable."""
    if not isinstance(operations, list):
        raise BadRequest("A JSON Patch is a list of operations.")

    def edit(seen: Resource) -> Resource:
        try:
            patched: Resource = json_patch.apply_patch(seen, operations)
        except json_patch.PatchConflict as error:
            raise Unprocessable(error.rule, path=error.path) from error
        except json_patch.PatchError as error:
            raise BadRequest(error.rule, path=error.path) from error
        if labelling.lost(seen, patched):
            # A patch says what becomes of every element, where a PUT may say nothing of the labels.
            raise Unprocessable(labelling.CARRIED_ON, path=f"{seen['resourceType']}.meta.security")
        return patched

    return edit

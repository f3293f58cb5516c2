"""The part of the story that asks what the hub would say of a resource: ``$validate``."""

from typing import Any, Final

from tools.example_recorder import Recorder
from tools.example_world import HOSPITAL, PARTNER, READER

Json = dict[str, Any]
_FHIR: Final = "application/fhir+json"
_PROFILE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"
_PERSON: Final = {"resourceType": "Patient", "name": [{"family": "Htest", "given": ["Sam"]}], "gender": "male"}


async def tell_validation(recorder: Recorder, task: Json) -> None:
    """A resource without fault and one with several; a change, and what is stored."""
    await _resources(recorder)
    await _stored(recorder, task)


async def _resources(recorder: Recorder) -> None:
    async def ask(name: str, summary: str, body: Any, **more: Any) -> None:
        about: Json = {"name": name, "who": HOSPITAL, "path": {"type": "Patient"}, "media": _FHIR, "body": body}
        await recorder.say("validate", summary, **{**about, **more})

    await ask("all-ok", "Nothing is wrong", _PERSON)
    wrong = {**_PERSON, "gender": "m", "birthDate": "04/02/1991", "favouriteColour": "blue"}
    await ask("faults", "Each fault with its path and its rule", wrong)
    await ask("profile", "By a profile that the request names", _PERSON, query={"profile": _PROFILE})
    parameters = [{"name": "resource", "resource": _PERSON}, {"name": "mode", "valueCode": "create"}]
    wrapped = {"resourceType": "Parameters", "parameter": parameters}
    await ask("mode", "As Parameters: would it be taken as a create", wrapped)
    await ask("unknown", "A type that is not here", {"resourceType": "Basic"}, path={"type": "Basic"}, status=404)
    await ask("contradiction", "A mode that needs an id", _PERSON, query={"mode": "update"}, status=400)


async def _stored(recorder: Recorder, task: Json) -> None:
    path = {"type": "Task", "id": task["id"]}
    await recorder.say("validateStored", "A stored resource", name="stored", who=READER, path=path)
    await recorder.say(
        "validateStored",
        "Would it be deleted",
        name="delete",
        who=READER,
        path=path,
        query={"mode": "delete"},
    )
    now = await recorder.say(
        "readTask", "Before a change is judged", name="to-judge", who=PARTNER, path={"id": task["id"]}
    )
    await recorder.say(
        "validateChange",
        "A change that is well formed",
        name="change",
        who=PARTNER,
        path=path,
        query={"mode": "update"},
        media=_FHIR,
        body=now,
    )
    old = {**now, "meta": {**now["meta"], "versionId": "1"}}
    await recorder.say(
        "validateChange",
        "A change of an older version",
        name="stale",
        who=PARTNER,
        path=path,
        query={"mode": "update"},
        media=_FHIR,
        body=old,
    )

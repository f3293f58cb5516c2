"""The part of the story in which a partner says who is still in care: the list of the week, and one word for all."""

from typing import Any, Final

from tools.example_recorder import Recorder
from tools.example_world import PARTNER

Json = dict[str, Any]
_FHIR: Final = "application/fhir+json"


async def tell_still_here(recorder: Recorder) -> None:
    """All of it, in order."""
    path = {"id": recorder.world.organizations[PARTNER]}
    asked: Json = {"who": PARTNER, "path": path}
    found = await recorder.say("stillHereTask", "Whom it is asked about this week", name="list", **asked)
    (listed,) = [one["valueString"] for one in found["parameter"] if one["name"] == "list"]

    async def answer(summary: str, *parts: Json, **more: Any) -> None:
        parameters = [{"name": "list", "valueString": listed}, {"name": "by", "valueString": "HTEST R. Diaz"}, *parts]
        body = {"resourceType": "Parameters", "parameter": parameters}
        said: Json = {**asked, "media": _FHIR, "body": body, **more}
        await recorder.say("answerStillHereTask", summary, **said)

    here = {"name": "rest-here", "valueBoolean": True}
    await answer("All still here", here, name="all")
    await answer("The same again: known", here, name="again")
    nobody = {"name": "task", "valueReference": {"reference": "Task/HTEST-none"}}
    left = {"name": "answer", "part": [nobody, {"name": "code", "valueCode": "left"}]}
    await answer("Somebody who is not on the list", left, name="stranger", status=422)

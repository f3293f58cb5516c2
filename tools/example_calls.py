"""The part of the story in which people talk by phone: a call, a spoken answer, and what the partner says of it."""

from typing import Any, Final

from app.services.packets import card_codes
from tools.example_recorder import Recorder
from tools.example_world import HOSPITAL, PARTNER

Json = dict[str, Any]
_FHIR: Final = "application/fhir+json"
_AT: Final = "2026-06-05T14:20:00-04:00"
_NUMBER: Final = "+1 555 0100"


def _parameters(*parts: Json) -> Json:
    return {"resourceType": "Parameters", "parameter": [*parts]}


def _told(partner: str) -> list[Json]:
    return [
        {"name": "partner", "valueReference": {"reference": f"Organization/{partner}"}},
        {"name": "number", "valueString": _NUMBER},
        {"name": "at", "valueDateTime": _AT},
        {"name": "recorded-by", "valueString": "HTEST A. Ng"},
    ]


async def _at_the_door(recorder: Recorder, code: str) -> None:
    """Somebody comes with the card; then somebody whom nobody here knows."""
    named = [{"name": "family", "valueString": "HTESTNOBODY"}, {"name": "birth-date", "valueDate": "1991-04-02"}]
    by = {"name": "by", "valueString": "HTEST R. Diaz, front desk"}
    signed = {"name": "consent-signed", "valueDate": "2026-06-05"}
    form = {"name": "consent-form", "valueString": "HTEST form 7"}
    said: Json = {"who": PARTNER, "media": _FHIR}
    operation = "patientIsHereTask"
    card = _parameters({"name": "code", "valueString": code}, by)
    await recorder.say(operation, "With the card of the hospital", name="card", body=card, **said)
    unknown = _parameters(*named, by, signed, form)
    await recorder.say(operation, "No referral of such a person", name="unknown", body=unknown, status=404, **said)
    unsigned = _parameters(*named, by)
    await recorder.say(operation, "By name a consent is needed", name="unsigned", body=unsigned, status=400, **said)


async def tell_calls(recorder: Recorder) -> None:
    """All of it, in order."""
    found = await recorder.say(
        "searchTask", "What nobody has answered", name="to-call", who=PARTNER, query={"status": "requested"}
    )
    child = next(entry["resource"] for entry in found["entry"] if entry["resource"]["resourceType"] == "Task")
    ours = {"id": child["partOf"][0]["reference"].rpartition("/")[2]}
    theirs = {"id": child["id"]}
    told = _told(recorder.world.organizations[PARTNER])

    async def send(operation: str, summary: str, *parts: Json, **more: Any) -> None:
        said: Json = {"who": HOSPITAL, "path": ours, "media": _FHIR, "body": _parameters(*parts), **more}
        await recorder.say(operation, summary, **said)

    silent = {"name": "outcome", "valueCode": "no-answer"}
    await send("recordCallTask", "Nobody answered", *told, silent, name="no-answer", status=201)
    await send("recordCallTask", "The same again: kept once", *told, silent, name="again")
    await send("recordCallTask", "No number", *told[:1], *told[2:], silent, name="no-number", status=400)
    yes = {"name": "answer", "valueCode": "accepted"}
    by = {"name": "said-by", "valueString": "HTEST R. Diaz"}
    await send("recordAnswerTask", "They take the person", *told, by, yes, name="accepted")
    late = {"name": "answer", "valueCode": "rejected"}
    reason = {"name": "reason", "valueCode": "no-capacity"}
    await send(
        "recordAnswerTask", "The lifecycle has no such step", *told, by, late, reason, name="too-late", status=422
    )
    wrong = {"name": "text", "valueString": "HTEST: we said that we would call back."}
    await send(
        "correctAnswerTask", "What holds instead is missing", wrong, name="unsaid", who=PARTNER, path=theirs, status=422
    )
    partner: Json = {"who": PARTNER, "path": theirs}
    await send("confirmAnswerTask", "It is as it was recorded", by | {"name": "by"}, name="confirmed", **partner)
    begun = {"name": "answer", "valueCode": "in-progress"}
    await send("recordAnswerTask", "They have begun", *told, by, begun, name="begun")
    holds = {"name": "answer", "valueCode": "on-hold"}
    why = {"name": "reason", "valueString": "Waits for the identification."}
    await send("correctAnswerTask", "What holds instead", wrong, holds, why, name="corrected", **partner)
    await _at_the_door(recorder, await card_codes.printed(recorder.world.hub, ours["id"]))

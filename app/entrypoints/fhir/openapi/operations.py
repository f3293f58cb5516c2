"""What is said of operations that are not one type's interaction: metadata, ``$packet``, ``$validate``."""

from typing import Any, Final

from app.entrypoints.fhir.openapi.parts import (
    BASE,
    FHIR,
    ID,
    NOTICE,
    SPEC,
    TEXT,
    Json,
    body,
    operation,
    parameter,
    refusals,
    sent,
)
from schemas.resources import ALL


def _metadata() -> Json:
    return {
        "tags": ["Server"],
        "operationId": "capabilities",
        "summary": "CapabilityStatement",
        "description": f"What this server does; needs no token. {SPEC}/http.html#capabilities",
        "security": [],
        "responses": {"200": body("The statement.", "CapabilityStatement"), **refusals("406")},
    }


def _packet() -> Json:
    return operation(
        "packetOf",
        ALL["Task"],
        "r",
        "All of one referral as a document",
        "Everything that the token's organisation may see of a referral, in one document Bundle: an operation of this "
        f"server in the manner of {SPEC}/documents.html. For people the same as a page (`Accept: text/html`) or as a "
        "print (`application/pdf`): what is asked and whom to call, the last-dose letter, the notice, then all the "
        "rest. The same is disclosed, recorded and left out in each form.",
        parameters=[ID, parameter("_format", "query", "`json`, `html` or `pdf`, before `Accept`.", TEXT)],
        responses={"200": _forms(), **refusals("401", "403", "404", "406", "503")},
    )


def _forms() -> Json:
    """The packet as a document Bundle, and the pages made of it."""
    answer = body("A document Bundle whose first entry is the Composition, or pages of it.", "Bundle", NOTICE)
    pages = {"text/html": {"schema": TEXT}, "application/pdf": {"schema": {"type": "string", "format": "binary"}}}
    return {**answer, "content": {**answer["content"], **pages}}


def _break_glass() -> Json:
    return operation(
        "breakGlass",
        ALL["Task"],
        "r",
        "One referral in a medical emergency",
        "For an organisation with medical personnel that was asked with this Task and may not see all of it: the whole "
        "packet, once, in this answer. The four parameters are those that 42 CFR 2.51(c) has documented; the privacy "
        "officer reviews each use. Nothing becomes visible by it. An operation of this server, as "
        f"{SPEC}/operations.html has them.",
        parameters=[ID],
        requestBody={"required": True, "content": {FHIR: {"schema": {"$ref": "#/components/schemas/Parameters"}}}},
        responses={
            "200": body("A document Bundle; its first entry is the Composition.", "Bundle"),
            **refusals("400", "401", "403", "404", "406", "413", "415", "503"),
        },
    )


def _by_a_person(name: str, summary: str, text: str) -> Json:
    return operation(
        name,
        ALL["Task"],
        "u",
        summary,
        f"{text} For the hospital that made the referral. The answer is the source Task as it then is. An operation of "
        f"this server, as {SPEC}/operations.html has them.",
        parameters=[ID],
        requestBody={"required": True, "content": {FHIR: {"schema": {"$ref": "#/components/schemas/Parameters"}}}},
        responses={
            "200": body("The source Task.", "Task", "ETag", NOTICE),
            **refusals("400", "401", "403", "404", "406", "413", "415", "422", "503"),
        },
    )


_ASK: Final = _by_a_person(
    "ask",
    "Ask the partner that a person chose",
    "Parameters are `partner` (valueReference, an Organization) and `by` (valueString, who decided). The partner is "
    "asked beside whoever waits, whoever would be next; consent is asked as for everybody, and 422 says what is in "
    "the way and what would cure it.",
)
_CHOOSE_FALLBACK: Final = _by_a_person(
    "chooseFallback",
    "Record the fallback that a person chose",
    "Parameters are `fallback` (valueCode, a code of https://throughline.org/fhir/CodeSystem/fallback) and `by` "
    "(valueString, who decided). It is noted on the Task; the coverage clock goes on until a dose is told.",
)


def _match(kind: str, summary: str, text: str, **more: Any) -> Json:
    return operation(
        kind,
        ALL["ServiceRequest"],
        "r",
        summary,
        f"{text} Every partner for the need of a request that the caller's hospital made, the first to be asked first: "
        "reasons, the age of what was attested, the next intake, and what somebody must call about. Who is excluded by "
        "its own word comes last, with that word. Nothing is sent to anybody. An operation of this server in the "
        f"manner of {SPEC}/patient-operation-match.html; /schemas/OperationDefinition-match.json defines it.",
        responses={
            "200": body("A searchset of HealthcareService; each entry says why in `search`.", "Bundle"),
            **refusals("400", "401", "403", "404", "406", *more.pop("also", ()), "422", "503"),
        },
        **more,
    )


_COUNT: Final = parameter(
    "count", "query", "How many partners at most.", {"type": "integer", "minimum": 1, "maximum": 1000}
)

# ---- what was said by phone

_TOLD: Final = ("400", "401", "403", "404", "406", "409", "413", "415", "422", "503")


def _spoken(name: str, summary: str, text: str, responses: Json) -> Json:
    return operation(
        name,
        ALL["Task"],
        "u",
        summary,
        f"{text} An operation of this server, as {SPEC}/operations.html has them.",
        parameters=[ID],
        requestBody=sent("Parameters"),
        responses={**responses, **refusals(*_TOLD)},
    )


_RECORD_ANSWER: Final = _spoken(
    "recordAnswer",
    "A partner's spoken answer",
    "For the hospital, on its own Task: `answer` (a status), `said-by`, `number` (unless `how` is in-person), `at`, "
    "`recorded-by`; `partner` where several were asked, `reason` and `output` where the status needs one; `how`, "
    "`note`. "
    "The Task of the partner moves by the partner's own rules and carries a tag until the partner confirms it. The "
    "number is kept for the hospital alone. Telling the same again changes nothing.",
    {"200": body("The hospital's Task, as it then is.", "Task", "ETag", NOTICE)},
)
_RECORD_CALL: Final = _spoken(
    "recordCall",
    "An attempt to reach a partner by phone",
    "For the hospital, on its own Task: `partner`, `number`, `at`, `outcome` (talked, left-message, no-answer, busy, "
    "wrong-number), `recorded-by`; `talked-to`, `note`. It is kept as a Communication that the hospital alone sees.",
    {
        "200": body("It was told before.", "Communication", "ETag"),
        "201": body("The Communication.", "Communication", "ETag", "Location"),
    },
)
_PATIENT_IS_HERE: Final = operation(
    "patientIsHere",
    ALL["Task"],
    "u",
    "A person stands at the partner's door",
    "For a partner: `code` of the card, or `family` and `birth-date`; `by` (who says so). A consent that the person "
    "signed there, which names the partner: `consent-signed` (day or moment), `consent-form`, and `consent-expires`, "
    "`consent-both-directions`; by name it is needed. The answer is the partner's own Task, accepted, with the outcome "
    "`arrived`; whoever else had a place is told that it is no longer needed. Where not exactly one open referral fits "
    f"the answer is 404, and after many of them 429. An operation of this server, as {SPEC}/operations.html has them.",
    requestBody=sent("Parameters"),
    responses={
        "200": body("The partner's Task.", "Task", "ETag", NOTICE),
        **refusals(*_TOLD, "429"),
    },
)
_CONFIRM_ANSWER: Final = _spoken(
    "confirmAnswer",
    "The partner confirms what was recorded for it",
    "For the owner of the Task; `by` names who confirms. So does a PUT or PATCH to the same status, or an output.",
    {"200": body("The partner's Task, without the tag.", "Task", "ETag", NOTICE)},
)
_CORRECT_ANSWER: Final = _spoken(
    "correctAnswer",
    "The partner did not say so",
    "For the owner of the Task: `text`, and `by`. While the Task is open, `answer` and `reason` say what holds "
    "instead, as far as the lifecycle allows. A Task that is over stays over, is marked as disputed and left to a "
    "person.",
    {"200": body("The partner's Task, as it then is.", "Task", "ETag", NOTICE)},
)

# ---- who is still in care

_STILL_HERE: Final = operation(
    "stillHere",
    ALL["Task"],
    "r",
    "Whom the partner has taken: this week's list",
    "For the partner itself: one `person` for each about whom something is not known yet "
    "(`asked`: arrival, first-dose, day-7, day-30, day-90, day-180), each once a week, and the id of the `list`. Names "
    "stand there with the scope system/Patient.r. An "
    f"operation of this server, as {SPEC}/operations.html has them.",
    parameters=[ID],
    responses={"200": body("The list.", "Parameters", NOTICE), **refusals("400", "401", "403", "404", "406", "503")},
)
_ANSWER_STILL_HERE: Final = operation(
    "answerStillHere",
    ALL["Task"],
    "u",
    "All still here, but for these",
    "For the partner itself: `list`, `by` (who vouches for it), `rest-here` where "
    "everybody else on that list is there, and an `answer` (`task`, `code`, `on`) for each of whom something else is "
    "said. A first dose is told by itself. It answers that list and nobody who was added since; telling the same again "
    f"changes nothing. Each answer is an output of the partner's Task. An operation of this server, as {SPEC}/"
    "operations.html has them.",
    parameters=[ID],
    requestBody=sent("Parameters"),
    responses={"200": body("What became of each.", "Parameters"), **refusals(*_TOLD)},
)

# ---- $validate

_VALIDATE: Final = (
    "The answer is 200 with an OperationOutcome, whatever is found: each issue says who found it (FHIR R4 with its "
    "invariants, a profile, or fhir.resources as second opinion, a warning then) and where, and never repeats a value. "
    "Profiles that this server has no rules of are not judged, and the outcome says so. Nothing is stored. "
    f"{SPEC}/resource-operation-validate.html"
)
_TYPE: Final = parameter("type", "path", "A type that is here.", {"enum": sorted(ALL)}, required=True)
_PROFILE: Final = parameter("profile", "query", "Canonical of a profile to judge by, besides those claimed.", TEXT)


def _mode(*modes: str) -> Json:
    text = "Whether this server would take that, too."
    return parameter("mode", "query", text, {"enum": [*modes]})


def _validating(kind: str, summary: str, text: str, more: list[Json], **extra: Any) -> Json:
    return {
        "tags": ["Validation"],
        "operationId": kind,
        "summary": summary,
        "description": f"{text} {_VALIDATE}",
        "security": [{"oauth": []}, {"bearer": []}],
        "parameters": [_TYPE, *more, _PROFILE],
        **extra,
    }


_FOUND: Final = body("What was found; `All OK.` where that is nothing.", "OperationOutcome")
_READ: Final = ("400", "401", "403", "404", "406")
_SENT: Final = {"200": _FOUND, **refusals(*_READ, "413", "415", "503")}
_JUDGED: Final[Json] = {
    "required": True,
    "content": {FHIR: {"schema": {"type": "object", "description": "A resource, right or wrong, or Parameters."}}},
}

PATHS: Final[dict[str, Json]] = {
    f"{BASE}/metadata": {"get": _metadata()},
    f"{BASE}/Task/{{id}}/$packet": {"get": _packet()},
    f"{BASE}/Task/{{id}}/$break-glass": {"post": _break_glass()},
    f"{BASE}/Task/$patient-is-here": {"post": _PATIENT_IS_HERE},
    f"{BASE}/Task/{{id}}/$ask": {"post": _ASK},
    f"{BASE}/Task/{{id}}/$choose-fallback": {"post": _CHOOSE_FALLBACK},
    f"{BASE}/Task/{{id}}/$record-answer": {"post": _RECORD_ANSWER},
    f"{BASE}/Task/{{id}}/$record-call": {"post": _RECORD_CALL},
    f"{BASE}/Task/{{id}}/$confirm-answer": {"post": _CONFIRM_ANSWER},
    f"{BASE}/Task/{{id}}/$correct-answer": {"post": _CORRECT_ANSWER},
    f"{BASE}/Organization/{{id}}/$still-here": {"get": _STILL_HERE, "post": _ANSWER_STILL_HERE},
    f"{BASE}/ServiceRequest/{{id}}/$match": {
        "get": _match("match", "Ranked partners for a request", "By query.", parameters=[ID, _COUNT]),
        "post": _match(
            "matchByPost",
            "Ranked partners for a request",
            "The body is Parameters with `count`, or empty.",
            parameters=[ID],
            also=("413", "415"),
            requestBody={"content": {FHIR: {"schema": {"$ref": "#/components/schemas/Parameters"}}}},
        ),
    },
    f"{BASE}/{{type}}/$validate": {
        "post": _validating(
            "validate",
            "Judge a resource",
            "The body is the resource, or Parameters with `resource`, `mode`, `profile`. Any valid token.",
            [_mode("create")],
            requestBody=_JUDGED,
            responses=_SENT,
        )
    },
    f"{BASE}/{{type}}/{{id}}/$validate": {
        "get": _validating(
            "validateStored",
            "Judge a stored resource",
            "The stored resource is judged. Scope `system/<type>.r`.",
            [ID, _mode("delete", "profile")],
            responses={"200": _FOUND, **refusals(*_READ, "503")},
        ),
        "post": _validating(
            "validateChange",
            "Judge a resource in the place of a stored one",
            "`mode` update asks for the id and the version of the stored one, too. Scope `system/<type>.r`.",
            [ID, _mode("update", "delete", "profile")],
            requestBody=_JUDGED,
            responses=_SENT,
        ),
    },
}

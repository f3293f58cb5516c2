"""What a service wants written: plain values, grouped so that all of it happens or none.

A service never holds a transaction. It returns ``Changes``; the committer writes many of them
together and answers one ``Committed`` (or an exception) for each. They are named tuples because a
referral makes a hundred of them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Level = Literal["offer", "full"]
LedgerState = Literal["referral", "updated", "waiting", "review", "not-ours", "rejected", "duplicate"]


OFFER_PATIENT: Final = "offer:patient"
"""Row of the generic index beside the search parameters: includes follow it instead of the column ``patient``."""


class ResourceChange(NamedTuple):
    """A new version of one resource. ``version`` 1 creates it; n replaces version n - 1 and no other."""

    id: str
    type: str
    version: int
    content: bytes
    """Served bytes (schemas.served): the resource without id, versionId and lastUpdated."""
    columns: Mapping[str, str | int | None] = MappingProxyType({})
    """Typed search columns (Task, ServiceRequest)."""
    found_by: tuple[tuple[str, str], ...] | None = ()
    """(search parameter, value) rows of the generic index; None leaves those of the version before.

    A resource with an offer has a row ``OFFER_PATIENT`` with the reference to the Patient that the offer names.
    """
    deleted: bool = False
    offer: bytes | None = None
    """Its offer rendition, of the same shape; without it who may see the offer only sees nothing of this version."""


class Grant(NamedTuple):
    """``organization`` may see resource ``id`` at ``level`` until ``until`` (None: no end)."""

    organization: str
    id: str
    level: Level = "full"
    decision: str | None = None
    """The decision that permits it; None: nothing of a person (the directory), or the organisation's own."""
    notice: str | None = None
    """Notice that must travel with it: the id of a policy pack."""
    until: int | None = None
    disclosed: int = 0
    """Up to which version this is no disclosure: ``OWN`` for what the organisation wrote itself."""
    cause: tuple[str, int] | None = None
    """Of a resource that was there before: id and version of what is written with the grant and makes it visible.

    Its lastUpdated does not move, so who polls for what changed since finds it by when that was written.
    """


OWN = 2**31 - 1
"""Of a Grant: nobody is shown anything by reading what they wrote."""


class Revocation(NamedTuple):
    """``organization`` may no longer see resource ``id``."""

    organization: str
    id: str


class Decision(NamedTuple):
    """What was decided of who may see what of one referral; every grant of a person's data names one.

    Rows are added when a decision comes out otherwise than the one before, and never changed.
    """

    id: str
    at: int
    referral: str
    """Id of the source ServiceRequest."""
    task: str | None
    """Id of the Task that the recipient holds, or (on the way back) of the one that the discloser holds."""
    patient: str
    discloser: str
    """Organisation whose record it is."""
    recipient: str
    direction: Literal["to-recipient", "back"]
    purpose: str
    """v3-ActReason code."""
    level: Literal["nothing", "offer", "packet"]
    basis: str | None
    """Legal reason of a permit."""
    consent: str | None
    """Id of the Consent that it stands on, and its version."""
    consent_version: int | None
    redisclosure: str | None
    """The rule that the recipient is under."""
    notice: str | None
    until: int | None
    """When it ends by itself (microseconds): the consent expires."""
    reasons: str
    """JSON array of {"code","text"}."""
    cure: str
    """JSON array of texts: what would turn a refusal into a permit."""


class Author(NamedTuple):
    """``organization`` wrote resource ``id``: it may change and delete it."""

    id: str
    organization: str


class Claim(NamedTuple):
    """Resource ``id`` is the one that a conditional create with the keyed hash ``key`` made.

    Two at once can't both write it. ``instead_of`` is the resource that held the claim and no longer answers to it.
    """

    key: str
    id: str
    instead_of: str | None = None


class VisitChange(NamedTuple):
    """A visit stub: the encrypted record, its wrapped key, and the keyed hashes that find it."""

    id: str
    organization: str
    version: int
    key: bytes
    content: bytes
    expires_at: int | None
    numbers: tuple[str, ...] = ()
    """Keyed hashes of visit identifiers that are new to this visit."""
    persons: tuple[str, ...] = ()
    """Keyed hashes of patient identifiers that are new to this visit."""
    lost_numbers: tuple[str, ...] = ()
    """Keyed hashes that no longer find it: of the account of a person that it is no longer of."""
    lost_persons: tuple[str, ...] = ()


class VisitAbsorbed(NamedTuple):
    """A visit that turned out to be another one: its row and key go, all that finds it or points to it moves."""

    id: str
    version: int
    """As stored; another one is a conflict."""
    into: str
    at: int
    referral: str | None = None
    """The referral that its messages belong to now."""


class ReferralVisit(NamedTuple):
    """The visit that the referral of a source ServiceRequest grew from; it may be known already."""

    request: str
    visit: str


class LedgerRow(NamedTuple):
    """Where one received message went."""

    id: str
    sender: str | None
    control_id: str | None
    message_type: str | None
    received_at: int
    state: LedgerState
    reasons: str
    """JSON array of {"code","text"}."""
    visit: str | None = None
    referral: str | None = None
    person: str | None = None
    """Keyed hash of the patient identifier, while the visit is not known."""
    raw: bytes | None = None


class LedgerMove(NamedTuple):
    """An earlier message moves to another state with its visit; its history is kept."""

    id: str
    at: int
    state: LedgerState
    reasons: str
    referral: str | None = None
    visit: str | None = None
    only_from: tuple[LedgerState, ...] = ()


class VisitMoves(NamedTuple):
    """All messages of ``visit`` that are in one of ``only_from`` move to ``state``."""

    visit: str
    at: int
    state: LedgerState
    reasons: str
    referral: str | None
    only_from: tuple[LedgerState, ...]


class Receipt(NamedTuple):
    """Identity of one received message: written once, so a second copy has no second effect."""

    scope: str
    key: str
    mac: str
    ledger: str


class ReviewItem(NamedTuple):
    """The visit's one row in the review queue; ``closed`` takes it off."""

    visit: str
    """Id of the visit; of the ledger entry where its visit is not known."""
    sender: str
    at: int
    reasons: str
    referral: str | None = None
    closed: bool = False
    kind: Literal["queue", "list"] = "queue"
    """To be answered, or a line of the daily list."""
    unit: str | None = None
    """PV1-3.1 that nobody has classified and that it waits for."""
    suggested: tuple[str, ...] = ()
    """Needs that it suggests."""


class ReviewAnswer(NamedTuple):
    """What a person said of an item; every answer is kept."""

    id: str
    visit: str
    sender: str
    at: int
    answer: Literal["refer", "not-ours", "later"]
    by: str
    """Who: the account of the command line, a client, a person of the portal."""
    until: int | None = None
    """Of ``later``: when it comes back."""


class SubscriptionChange(NamedTuple):
    """What of a Subscription decides which changes are its events; written beside the resource itself."""

    id: str
    organization: str
    client: str
    """Who subscribed: whose rights are asked at each notification."""
    topic: str
    """Type of resource: Task or ServiceRequest."""
    status: str
    filters: str = "{}"
    """JSON object, see app.rules.filters."""
    heartbeat: int = 0
    """Seconds without a notification after which one is sent all the same; 0 = never."""
    gone: bool = False


class Job(NamedTuple):
    """Work that falls due; ``id`` is chosen so that the same cause makes the same job once."""

    id: str
    kind: str
    subject: str
    due_at: int


class CoverageEvent(NamedTuple):
    """The coverage clock of one referral as it was computed; rows are added when something changed, never changed."""

    id: str
    referral: str
    """Id of the source ServiceRequest."""
    visit: str
    at: int
    cause: str
    """``message:<ledger id>``, ``job:<job id>`` or ``answer:<id>``."""
    why: str
    """JSON array: the inputs that changed, by name."""
    digest: str
    """Keyed hash of the inputs."""
    inputs: bytes
    """JSON, sealed under the key of the visit."""
    outputs: str
    """JSON object."""


class Disclosure(NamedTuple):
    """First disclosures of one response: who got which versions, and why."""

    id: str
    organization: str
    client: str
    purpose: str
    entries: tuple[tuple[str, int, Level, str | None], ...]
    """(resource id, version, level, decision)."""
    user: str | None = None
    """Who used the client, where it is a person."""


class Incident(NamedTuple):
    """What a privacy officer must look at: glass that was broken, a request that is held."""

    id: str
    kind: Literal["break-glass", "held-request"]
    at: int
    organization: str | None
    """Whose records; None where it is not said whose."""
    decision: str | None
    content: bytes
    """JSON, sealed: it may name persons."""


class Question(NamedTuple):
    """Something that a partner has not said, and that would have told more about where to send a referral.

    ``id`` is the same for the same referral, partner and facet: it counts once, however often it is looked at.
    """

    id: str
    organization: str
    facet: str
    at: int


class RetentionAnswer(NamedTuple):
    """What a partner said of whether a person is in care; rows are added, never changed."""

    id: str
    task: str
    """Id of the partner's Task."""
    organization: str
    point: str
    answer: str
    """Codes, see ``app.rules.retention``."""
    day: str
    """ISO date, in the partner's zone: of the arrival or the first dose, else on which it was said."""
    by: str
    """Who vouches for it: a name, or the client that wrote it."""
    at: int
    list: str | None = None
    """Id of the weekly list that it answers, and the day of the one that held when it was said."""
    week: str | None = None


class Changes(NamedTuple):
    """Everything that one use case writes, all or nothing."""

    scope: frozenset[str] = frozenset()
    """Visit and referral ids that it decides about: at most one member of a batch per scope."""
    resources: tuple[ResourceChange, ...] = ()
    grants: tuple[Grant, ...] = ()
    revocations: tuple[Revocation, ...] = ()
    decisions: tuple[Decision, ...] = ()
    authors: tuple[Author, ...] = ()
    claims: tuple[Claim, ...] = ()
    visits: tuple[VisitChange, ...] = ()
    absorbed: tuple[VisitAbsorbed, ...] = ()
    referrals: tuple[ReferralVisit, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    moves: tuple[LedgerMove, ...] = ()
    visit_moves: tuple[VisitMoves, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    reviews: tuple[ReviewItem, ...] = ()
    answers: tuple[ReviewAnswer, ...] = ()
    jobs: tuple[Job, ...] = ()
    jobs_gone: tuple[str, ...] = ()
    """Ids of jobs that are void: what they waited for falls due at another time, or not at all."""
    coverage_events: tuple[CoverageEvent, ...] = ()
    subscriptions: tuple[SubscriptionChange, ...] = ()
    disclosures: tuple[Disclosure, ...] = ()
    incidents: tuple[Incident, ...] = ()
    questions: tuple[Question, ...] = ()
    retention: tuple[RetentionAnswer, ...] = ()


class Committed(NamedTuple):
    """What was written is durable. ``stamps``: resource id -> lastUpdated in microseconds."""

    stamps: dict[str, int]

"""Where the HL7 validator and the hub differ on purpose, rule by rule. What no rule here explains fails the suite."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fhir_mappings.gate import Problem
from tests.conformance.validator import Issue
from tests.conformance.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Explanation:
    """One kind of difference and its reason."""

    name: str
    why: str
    first: str
    """Pattern of the whole message id of an issue, or of the whole rule of a problem."""
    second: str = ""
    """Pattern in the text of an issue, or in the path of a problem."""

    def of_issue(self, issue: Issue) -> bool:
        """Whether it explains an error of the validator."""
        return bool(re.fullmatch(self.first, issue.message_id) and re.search(self.second, issue.message))

    def of_problem(self, problem: Problem) -> bool:
        """Whether it explains a problem that the gate finds."""
        return bool(re.fullmatch(self.first, problem.rule) and re.search(self.second, problem.path))


# ---- errors in what the hub says

OF_EMITTED: Final = (
    Explanation(
        "version of a target in a document",
        "The version is taken off a reference before it is matched with fullUrl (R4 bundle.html#references), and only "
        "what the Composition names must stand in a document. The validator compares the whole text. Provenance names "
        "the versions that it tells of.",
        r"BUNDLE_BUNDLE_ENTRY_NOTFOUND_APPARENT",
        r"^Can't find '(\w+/[\w-]+)/_history/\d+' in the bundle \(.*target\[\d+\]\).*but found '[^']*/\1'",
    ),
    Explanation(
        "extension of R5",
        "The names of R5 elements as extensions stand in a package that is not here (hl7.fhir.xver-extensions).",
        r"Extension_EXT_Version_Invalid",
        r"http://hl7\.org/fhir/5\.0/StructureDefinition/extension-Encounter\.plannedEndDate",
    ),
    Explanation(
        "state that is no postal code of a state",
        "A string, bound extensibly: what the hospital sent is kept. HAPI judges it as if the binding were required.",
        r"Terminology_PassThrough_TX_Message",
        r"is not valid for system: https://www\.usps\.com/|^Unknown code .https://www\.usps\.com/#",
    ),
)


# ---- what the validator refuses and the gate takes

VALIDATOR_ONLY: Final = (
    Explanation(
        "code of a code system",
        "The gate judges elements of type code and the few required bindings of concepts. Whether a Coding is one of "
        "its code system, or a unit one of UCUM, is terminology: hospitals have later editions than any table here.",
        r"Terminology_PassThrough_TX_Message",
        r"^Unknown code|^Error processing unit",
    ),
    Explanation(
        "label that stands twice",
        "A rule of the validator's own: R4 has no invariant for it, and a label that is repeated changes nothing.",
        r"Meta_RES_Security_Duplicate",
    ),
    Explanation(
        "relative system",
        "R4's uri may be relative. Numbers of hospitals come with names of authorities that are no URLs, and are kept.",
        r"Type_Specific_Checks_DT_Identifier_System|Terminology_TX_System_Relative",
    ),
    Explanation(
        "invariant of a type that is not kept",
        "Of types that are not kept (Questionnaire, Composition, Parameters) the gate judges the structure alone.",
        r"http://hl7\.org/fhir/StructureDefinition/(Questionnaire|Composition|Parameters)#.*",
    ),
    Explanation(
        "table of codes that is not here",
        "The validator has no CDC race codes, so it refuses the right ones.",
        r"Terminology_TX_NoValid_12",
        r"urn:oid:2\.16\.840\.1\.113883\.6\.238#",
    ),
    Explanation(
        "fullUrl and links of a Bundle",
        "What comes in as a Bundle is taken apart, and each reference is looked for by intake, which refuses what it "
        "can't match; the gate does not look for resources.",
        r"BUNDLE_ENTRY_URL_ABSOLUTE|(BUNDLE|Bundle)_BUNDLE_E\w+|BUNDLE_LINK_SEARCH_NO_DUPLICATES",
    ),
    Explanation(
        "ids of elements",
        "Nothing here reads the ids of elements, so whether they differ is not asked.",
        r"DUPLICATE_ID",
    ),
    Explanation(
        "day and instant in one period",
        "per-1 of a day and an instant on that day: which is lower is not known, so it stands.",
        r"http://hl7\.org/fhir/StructureDefinition/Period#per-1",
    ),
    Explanation(
        "inside of a narrative",
        "The gate sees that a narrative is one div; its XHTML is neither shown nor parsed by the hub.",
        r"",
        r"XHTML",
    ),
    Explanation(
        "place of an extension",
        "Where an extension may stand is said by its own definition, which the gate does not read.",
        r"Extension_EXTP_Context_Wrong",
    ),
)


# ---- what the gate refuses and the validator takes

GATE_ONLY: Final = (
    Explanation(
        "type of a target",
        "R4 names the types that an element may point to. The validator asks only of targets that it can fetch.",
        r"reference-target",
    ),
    Explanation(
        "form of a primitive",
        "The regular expressions of R4 2.24.0.1: no control characters, no blanks in code, uri, id, instant and "
        "canonical. Of these the validator makes warnings or nothing.",
        r"code|uri|url|canonical|id|instant|date|dateTime|string|markdown",
        r"(?<!resourceType)$",
    ),
    Explanation(
        "empty list",
        "R4 2.6.2 (json.html): an array can't be empty. The validator warns.",
        r"empty-list",
    ),
    Explanation(
        "type that the hub doesn't read",
        "The gate knows the types that a referral may hold; a Bundle or a container with others is refused by policy.",
        r"code",
        r"\.resourceType$",
    ),
)


def explained(verdict: Verdict) -> Explanation | None:
    """The rule that explains a disagreement; None where one of its errors or problems is explained by none."""
    found = rules_of(verdict)
    return None if None in found else found[0]


def rules_of(verdict: Verdict) -> list[Explanation | None]:
    """For each problem of the gate, or else each error of the validator, the rule that explains it."""
    if verdict.problems:
        return [_of_problem(problem) for problem in verdict.problems]
    return [of_error(VALIDATOR_ONLY, issue) for issue in verdict.errors]


def of_error(rules: Iterable[Explanation], issue: Issue) -> Explanation | None:
    """The rule that explains an error."""
    return next((rule for rule in rules if rule.of_issue(issue)), None)


def _of_problem(problem: Problem) -> Explanation | None:
    return next((rule for rule in GATE_ONLY if rule.of_problem(problem)), None)


# ---- warnings of what the hub says


@dataclass(frozen=True, slots=True)
class Remark:
    """A kind of warning: what stays unjudged, or is advice."""

    name: str
    why: str
    message_id: str
    message: str = ""

    def fits(self, issue: Issue) -> bool:
        """Whether the issue is of this kind."""
        return bool(re.fullmatch(self.message_id, issue.message_id) and re.search(self.message, issue.message))


REMARKS: Final = (
    Remark("no narrative", "Advice (dom-6). The hub's resources are for programs.", r".*#dom-6"),
    Remark(
        "profile not judged",
        "Gravity SDOH Clinical Care 3.0.0: its package is not here. The gate checks its Task and ServiceRequest.",
        r"Validation_VAL_Profile_Unknown",
    ),
    Remark(
        "code needs a terminology server",
        "RxNorm, ICD-10-CM, SNOMED CT, LOINC, UCUM, VSAC and other tables are not here.",
        r"Terminology_PassThrough_TX_Message|Terminology_TX_\w*NotFound\w*|Terminology_TX_Error_CodeableConcept",
    ),
    Remark(
        "code outside an extensible value set",
        "Allowed where the value set has no such code: what the hospital said is kept.",
        r"Terminology_TX_NoValid_\w+|Terminology_TX_Code_ValueSet_Ext",
    ),
    Remark(
        "code without system, unit with annotation",
        "What the hospital said is kept as it was said.",
        r"TYPE_SPECIFIC_CHECKS_DT_QTY_UCUM_ANNOTATIONS|",
        r"annotations|Coding has no system",
    ),
    Remark(
        "searchset without a search",
        "The answer of $status is a Bundle of this type (Subscriptions R5 Backport); no search stands behind it.",
        r"BUNDLE_SEARCH_NOSELF",
    ),
    Remark(
        "same type and id, other fullUrl",
        "The version of a target in a document, as above.",
        r"BUNDLE_BUNDLE_POSSIBLE_MATCH_WRONG_FU",
    ),
    Remark(
        "paper without content",
        "The signed form stays with the hospital: a Consent says which one it was, and its hash.",
        r"TYPE_SPECIFIC_CHECKS_DT_ATT_NO_CONTENT",
    ),
    Remark(
        "observation without performer or time",
        "Advice. What nobody said is not invented.",
        r"All_observations_should_have_an?_\w+",
    ),
)


def remark_of(issue: Issue) -> Remark | None:
    """The kind of a warning."""
    return next((remark for remark in REMARKS if remark.fits(issue)), None)

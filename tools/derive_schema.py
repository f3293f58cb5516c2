"""Derive one strict JSON Schema of the FHIR R4 types that the hub reads.

    python -m tools.derive_schema        writes schemas/r4/r4.schema.json

Source: the field metadata of the R4B classes of fhir.resources (R4B has the same elements as R4 4.0.1 for these types;
the differences are in ``OVERRIDES`` and ``ADDITIONS``) and the code lists of schemas/r4/enums_r4.json. A test derives
it again and compares. The gate (``fhir_mappings.gate``) compiles the result.

Where a rule is not plain structure its node carries a ``$comment``, from which the gate takes the rule's name and what
is expected: ``choice value[x]``, ``target Patient|Group``, ``primitive date``, ``invariant cpt-2@system: ...`` (the
child to report stands after the @).
"""

import json
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from fhir_core.types import FhirBase

from tools.derive_schema_rules import INVARIANTS, PRIMITIVES, has, restful_url, target_url

R4 = Path(__file__).parents[1] / "schemas" / "r4"
TYPES = (
    # in the order in which the dispatch asks, the frequent ones first
    *("Task", "ServiceRequest", "Patient", "Encounter", "MedicationAdministration", "MedicationDispense"),
    *("MedicationRequest", "Condition", "Observation", "Provenance", "Coverage", "Organization", "Practitioner"),
    *("PractitionerRole", "Location", "Consent", "AllergyIntolerance", "Bundle", "OperationOutcome", "Parameters"),
    *("Composition", "MessageHeader", "Medication", "RelatedPerson", "Device", "Group", "HealthcareService"),
    *("Subscription", "Communication", "Appointment", "AuditEvent", "CapabilityStatement", "CarePlan", "CareTeam"),
    *("DocumentReference", "MeasureReport", "Procedure", "Questionnaire", "QuestionnaireResponse"),
)
OVERRIDES: dict[str, dict[str, Any]] = {
    # R4B only
    "Extension.valueCodeableReference": {"drop": True},
    "Extension.valueRatioRange": {"drop": True},
    # R4B admits five more
    "Observation.subject": {"targets": ["Device", "Group", "Location", "Patient"]},
}
ADDITIONS = {"Extension": {"value": {"valueMeta": "Meta"}}}
"""Choice members that R4 has and R4B lacks: class -> choice -> element -> type."""

SIDECAR = "FHIRPrimitiveExtension"
"""The library's class of ``_x``: an id alone is enough there, the value stands beside it."""

Schema = dict[str, Any]
_PRIMITIVE_OF = {name.lower(): name for name in PRIMITIVES}


def classify(annotation: Any) -> tuple[Any, bool]:
    """A Pydantic annotation as (primitive name or model class, is a list)."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _annotated(annotation)
    if origin is list:
        return classify(typing.get_args(annotation)[0])[0], True
    if origin in (typing.Union, types.UnionType):
        return classify(next(a for a in typing.get_args(annotation) if a is not type(None)))
    if annotation is bool:
        return "boolean", False
    if isinstance(annotation, type) and issubclass(annotation, FhirBase):
        return annotation.get_model_klass(), False
    raise TypeError(f"annotation that is not mapped: {annotation!r}")


def _annotated(annotation: Any) -> tuple[Any, bool]:
    # The last metadata that is known names the primitive: Code(), DateTime(), ...
    for item in reversed(annotation.__metadata__):
        name = type(item).__name__
        if name.lower() in _PRIMITIVE_OF:
            return _PRIMITIVE_OF[name.lower()], False
        if name == "UuidVersion":
            return "uuid", False
    return classify(annotation.__origin__)


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _array(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _has(name: str, primitives: Iterable[str]) -> Schema:
    """The element is there; of a primitive, its value or its extensions."""
    return has(name) if name in primitives else {"required": [name]}


class _Model:
    """The schema of one class, put together field by field."""

    def __init__(self, deriver: "Deriver", cls: Any) -> None:
        self.deriver, self.cls, self.owner = deriver, cls, cls.__resource_type__
        self.props: dict[str, Schema] = {}
        self.required: list[str] = []
        self.rules: list[Schema] = []
        self.choices: dict[str, list[str]] = {}
        self.needed_choices: set[str] = set()
        self.primitives: set[str] = set()

    def schema(self) -> Schema:
        if self.cls.has_resource_base():
            self.props["resourceType"] = {"const": self.owner}
            self.required.append("resourceType")
        elif self.owner != SIDECAR:
            self.rules.append(
                {
                    "$comment": "invariant ele-1: more than an id",
                    "if": {"required": ["id"]},
                    "then": {"minProperties": 2},
                }
            )
        for field_name, field in self.cls.model_fields.items():
            self._field(field_name, field)
        self._add_missing()
        self._close_choices()
        self.rules += INVARIANTS.get(self.owner, [])
        out: Schema = {
            "type": "object",
            "properties": self.props,
            "additionalProperties": False,
            "minProperties": 1,
        }
        if self.required:
            out["required"] = sorted(self.required)
        if self.rules:
            out["allOf"] = self.rules
        return out

    def _field(self, field_name: str, field: Any) -> None:
        name, extra = field.alias or field_name, field.json_schema_extra or {}
        if field_name == "fhir_comments" or OVERRIDES.get(f"{self.owner}.{name}", {}).get("drop"):
            return
        kind, many = classify(field.annotation)
        if field_name.endswith("__ext"):
            sidecar = self.deriver.want(kind)
            self.props[name] = _array(_or_null(sidecar)) if many else sidecar
            return
        if name == "id" and self.cls.has_resource_base():
            kind, many = "id", False
            # The library has no sidecar here, FHIR has.
            self.props["_id"] = _ref(SIDECAR)
        if f"{field_name}__ext" in self.cls.model_fields:
            self.primitives.add(name)
        elif self.owner == "Extension" and extra.get("one_of_many") and isinstance(kind, str):
            self.primitives.add(name)
            self.props[f"_{name}"] = _ref(SIDECAR)
        one = self.deriver.value(self.owner, name, kind, extra)
        self.props[name] = self._list(name, one, kind) if many else one
        if extra.get("one_of_many"):
            self.choices.setdefault(extra["one_of_many"], []).append(name)
            if extra.get("one_of_many_required"):
                self.needed_choices.add(extra["one_of_many"])
        elif field.is_required() or extra.get("element_required", False):
            self._require(name)

    def _list(self, name: str, one: Schema, kind: Any) -> Schema:
        if not isinstance(kind, str):
            return _array(one)
        # null holds the place of a value whose extensions stand in the sidecar array
        self.rules.append(
            {
                "$comment": "null only beside extensions",
                "if": {"required": [name], "not": {"required": [f"_{name}"]}},
                "then": {"properties": {name: {"items": {"not": {"type": "null"}}}}},
            }
        )
        return _array({"$comment": f"primitive {kind}", **_or_null(one)})

    def _require(self, name: str) -> None:
        if name in self.primitives:
            self.rules.append({"if": {"required": [f"_{name}"]}, "else": {"required": [name]}})
        else:
            self.required.append(name)

    def _add_missing(self) -> None:
        for choice, members in ADDITIONS.get(self.owner, {}).items():
            for name, type_name in members.items():
                self.props[name] = self.deriver.want(get_fhir_model_class(type_name))
                self.choices[choice].append(name)

    def _close_choices(self) -> None:
        for choice, names in self.choices.items():
            each = [_has(name, self.primitives) for name in sorted(names)]
            exactly = {"$comment": f"choice {choice}[x]", "oneOf": each}
            if choice in self.needed_choices:
                self.rules.append(exactly)
            elif len(each) > 1:
                self.rules.append({"if": {"anyOf": each}, "then": exactly})


class Deriver:
    """Walks the classes that ``types_`` reach and collects one definition per class."""

    def __init__(self, types_: Iterable[str], enums: Mapping[str, list[str] | None]) -> None:
        self.types, self.enums = list(types_), enums
        self.defs: dict[str, Schema] = {f"p-{name}": schema for name, schema in PRIMITIVES.items()}
        self.defs["restful-url"] = {"pattern": restful_url(enums["CapabilityStatementRestResource.type"] or [])}
        self.shortened: list[str] = []
        """Elements whose code list the library cut off and nothing here completes: must be empty."""
        self._todo: list[Any] = []
        self._seen: set[str] = set()

    def schema(self) -> Schema:
        """The whole schema, dispatching on resourceType. Raises ValueError when a code list is incomplete."""
        for name in self.types:
            self.want(get_fhir_model_class(name))
        while self._todo:
            cls = self._todo.pop()
            self.defs[cls.__resource_type__] = _Model(self, cls).schema()
        if self.shortened:
            raise ValueError(f"code lists that are cut off: {self.shortened}")
        self.defs["AnyResource"] = {
            "type": "object",
            "required": ["resourceType"],
            "properties": {"resourceType": {"enum": self.types}},
            **self._dispatch(),
        }
        self.defs["Contained"] = {
            "allOf": [
                _ref("AnyResource"),
                {"$comment": "invariant dom-2: nothing contained in it", "properties": {"contained": False}},
                {
                    "$comment": "invariant dom-4: no version, time or security label of its own (dom-4, dom-5)",
                    "properties": {
                        "meta": {"properties": {"versionId": False, "lastUpdated": False, "security": False}}
                    },
                },
            ]
        }
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$comment": "Written by tools/derive_schema.py from fhir.resources (R4B classes); do not edit.",
            "$ref": "#/$defs/AnyResource",
            "$defs": self.defs,
        }

    def _dispatch(self) -> Schema:
        """Nested if/else: it ends at the first type that matches, where a list of ifs would ask them all."""
        rest: Schema = {}
        for name in reversed(self.types):
            is_type = {"properties": {"resourceType": {"const": name}}, "required": ["resourceType"]}
            rest = {"if": is_type, "then": _ref(name), **({"else": rest} if rest else {})}
        return rest

    def want(self, cls: Any) -> Schema:
        """A reference to the definition of a class, which is derived once."""
        name: str = cls.__resource_type__
        if name not in self._seen:
            self._seen.add(name)
            self._todo.append(cls)
        return _ref(name)

    def value(self, owner: str, name: str, kind: Any, extra: Mapping[str, Any]) -> Schema:
        """The schema of one value of an element."""
        if isinstance(kind, str):
            codes = self._codes(f"{owner}.{name}", kind, extra)
            return {"enum": codes} if codes else _ref(f"p-{kind}")
        if kind.__name__ == "Resource":
            return _ref("Contained" if name == "contained" else "AnyResource")
        out = self.want(kind)
        targets = OVERRIDES.get(f"{owner}.{name}", {}).get("targets") or extra.get("enum_reference_types")
        if kind.__name__ == "Reference" and targets and "Resource" not in targets:
            return {"allOf": [out, self._target(sorted(targets))]}
        return out

    def _codes(self, path: str, kind: str, extra: Mapping[str, Any]) -> list[str] | None:
        if path in self.enums:
            return self.enums[path]
        # The library scrapes lists from short texts: only those of type code are bindings.
        found: list[str] | None = extra.get("enum_values") if kind == "code" else None
        if found and "+" in found:
            self.shortened.append(path)
        return found

    def _target(self, targets: list[str]) -> Schema:
        name = "to-" + "-".join(targets)
        either = "|".join(targets)
        self.defs[name] = {
            "$comment": f"target {either}",
            "properties": {
                "type": {"pattern": rf"^(?:(?:{either})$|[A-Za-z][A-Za-z0-9+.\-]*:)"},
                "reference": {
                    "pattern": rf"^(?:#|[A-Za-z][A-Za-z0-9+.\-]*:|(?:{either})(?:[/?]|$))",
                    # An absolute URL counts where it has the shape of a FHIR server's.
                    "if": _ref("restful-url"),
                    "then": {"pattern": target_url(either)},
                },
            },
        }
        return _ref(name)


def derived() -> str:
    """The schema as text, the same for the same sources."""
    enums = json.loads((R4 / "enums_r4.json").read_text(encoding="utf-8"))["enums"]
    schema = Deriver(TYPES, enums).schema()
    return json.dumps(schema, indent=0, sort_keys=True, ensure_ascii=True, separators=(",", ":")) + "\n"


def main() -> None:
    """Write the checked-in file."""
    (R4 / "r4.schema.json").write_text(derived(), encoding="utf-8")


if __name__ == "__main__":
    main()

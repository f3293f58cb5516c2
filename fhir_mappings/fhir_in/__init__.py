"""FHIR that a hospital sends: read into facts, known again, answered."""

"""Partners' own FHIR servers: what they are given, and what they say."""

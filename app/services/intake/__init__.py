"""Messages come in: read, joined to their visit, decided, accounted for, looked at by a person where unclear."""

"""All tables together: what the migrations must come to."""

from app.store import tables, tables_answers, tables_following, tables_pushes
from app.store.table_base import metadata

__all__ = ["metadata", "tables", "tables_answers", "tables_following", "tables_pushes"]

"""What all tables are made with: names of constraints, and text that both databases compare alike."""

from sqlalchemy import MetaData
from sqlalchemy import Text as _Text

Text = _Text().with_variant(_Text(collation="C"), "postgresql")
"""Text compared byte by byte on both databases."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

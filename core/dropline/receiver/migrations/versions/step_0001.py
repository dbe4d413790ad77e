"""Files and the contents of small ones; databases that are older than these steps have them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "files",
        sa.Column("file_id", sa.Uuid(as_uuid=False), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(255), nullable=False),
        sa.Column("stored_at", sa.String(32), nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("part", sa.Integer, nullable=False),
        sa.UniqueConstraint("idempotency_key", "part"),
        if_not_exists=True,
    )
    op.create_table(
        "contents",
        sa.Column("file_id", sa.Uuid(as_uuid=False), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )

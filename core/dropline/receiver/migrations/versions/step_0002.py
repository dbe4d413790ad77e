"""What handlers have to do, how far they have come, and what they found out."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "errands",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("handler", sa.Text, nullable=False),
        sa.Column("file_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("failed_at", sa.String(32)),
    )
    op.create_table(
        "marks",
        sa.Column("handler", sa.Text, primary_key=True),
        sa.Column("file_id", sa.Uuid(as_uuid=False), nullable=False),
    )
    op.create_table(
        "facts",
        sa.Column("file_id", sa.Uuid(as_uuid=False), primary_key=True),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("thumbnail", sa.LargeBinary),
    )

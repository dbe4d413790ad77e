"""What Alembic runs to take the steps: see `dropline.receiver.schema`."""

from alembic import context

from dropline.receiver.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()

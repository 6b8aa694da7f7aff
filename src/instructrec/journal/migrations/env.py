"""What Alembic runs: all steps in the transaction that `schema.upgrade` has open."""

from alembic import context

from instructrec.journal.schema import metadata

# SQLite's DDL is transactional as the store opens it, so a crash leaves the old schema whole.
context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()

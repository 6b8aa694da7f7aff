"""Steps from one schema to the next, which Alembic runs when a store is opened."""

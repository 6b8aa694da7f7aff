"""What people did, kept: events, the journal that they are appended to, and the state of a person as a function of them.

`store.Store` and `writer.Writer` are imported from their modules, so that events and states need no database.
"""

from instructrec.journal.events import Event, session_key, user_key
from instructrec.journal.reading import Rejected, read_events

__all__ = ["Event", "Rejected", "read_events", "session_key", "user_key"]

"""What was shown to whom, and experiments: definitions, and who has which arm."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from instructrec.journal import schema
from instructrec.journal.appending import in_pieces
from instructrec.journal.database import Database
from instructrec.journal.events import canonical, checked
from instructrec.journal.records import Assignment, Shown
from instructrec.journal.schema import assignments, experiments, recommendations


class Trials:
    """The shown lists and experiments of a store (`Store.trials`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_shown(self, rows: Sequence[tuple[str, Shown]]) -> None:
        """Keep lists that were shown, each with its tenant. A list whose id is there already stays as it is."""
        with self._database.writing() as connection:
            write_shown(self._database, connection, rows)

    def shown(self, tenant: str, name: str) -> Shown | None:
        """The list with this id, if there is one."""
        here = (recommendations.c.tenant == tenant) & (recommendations.c.id == name)
        with self._database.reading() as connection:
            row = connection.execute(select(recommendations).where(here)).first()
        return None if row is None else shown_of(row)

    def shown_between(self, tenant: str, since: float, until: float) -> list[Shown]:
        """The lists shown at since <= time < until (seconds since 1970), oldest first."""
        here = (recommendations.c.tenant == tenant) & (recommendations.c.time >= since) & (recommendations.c.time < until)
        query = select(recommendations).where(here).order_by(recommendations.c.time, recommendations.c.id)
        with self._database.reading() as connection:
            return [shown_of(row) for row in connection.execute(query)]

    def assign(self, tenant: str, rows: Sequence[Assignment]) -> list[Assignment]:
        """Keep arms, where a person has none of that experiment yet; gives the arms that now hold, a row each."""
        with self._database.writing() as connection:
            self._database.insert_new(
                connection,
                assignments,
                [
                    {"tenant": tenant, "experiment": row.experiment, "person": row.person, "arm": row.arm, "time": row.time}
                    for row in rows
                ],
            )
            found = {}
            for experiment in {row.experiment for row in rows}:
                for people in in_pieces(row.person for row in rows if row.experiment == experiment):
                    here = (assignments.c.tenant == tenant) & (assignments.c.experiment == experiment)
                    for row in connection.execute(select(assignments).where(here & assignments.c.person.in_(people))):
                        found[row.experiment, row.person] = assignment_of(row)
        return [found[row.experiment, row.person] for row in rows]

    def assignments(self, tenant: str, experiment: str) -> list[Assignment]:
        """Who has which arm of an experiment, in the order of time."""
        here = (assignments.c.tenant == tenant) & (assignments.c.experiment == experiment)
        query = select(assignments).where(here).order_by(assignments.c.time, assignments.c.person)
        with self._database.reading() as connection:
            return [assignment_of(row) for row in connection.execute(query)]

    def put_experiment(self, tenant: str, name: str, body: Mapping[str, Any]) -> int:
        """Keep the definition of an experiment (a JSON object), in place of an older one; gives the number of the change."""
        with self._database.writing() as connection:
            version = schema.next_numbers(connection, "versions", 1) + 1
            row = {"tenant": tenant, "id": name, "body": checked(body, f"Experiment '{name}'"), "version": version}
            self._database.upsert(connection, experiments, [row])
        return version

    def experiments(self, tenant: str) -> dict[str, dict[str, Any]]:
        """The definitions of all experiments, by id."""
        query = select(experiments.c.id, experiments.c.body).where(experiments.c.tenant == tenant).order_by(experiments.c.id)
        with self._database.reading() as connection:
            return {row.id: json.loads(row.body) for row in connection.execute(query)}

    def tenants(self) -> list[str]:
        """The tenants that have experiments."""
        with self._database.reading() as connection:
            return list(connection.execute(select(experiments.c.tenant).distinct().order_by(experiments.c.tenant)).scalars())


def write_shown(database: Database, connection: Connection, rows: Sequence[tuple[str, Shown]]) -> None:
    """Insert shown lists inside a transaction."""
    database.insert_new(
        connection,
        recommendations,
        [
            {
                "tenant": tenant,
                "id": row.id,
                "person": row.person,
                "items": canonical(row.items),
                "model_version": row.model_version,
                "arm": row.arm,
                "propensity": row.propensity,
                "request": canonical(row.request),
                "time": row.time,
            }
            for tenant, row in rows
        ],
    )


def shown_of(row: Any) -> Shown:
    """A row of the table as a list that was shown."""
    return Shown(
        id=row.id,
        person=row.person,
        items=tuple(json.loads(row.items)),
        time=row.time,
        model_version=row.model_version,
        arm=row.arm,
        propensity=row.propensity,
        request=json.loads(row.request),
    )


def assignment_of(row: Any) -> Assignment:
    """A row of the table as an assignment."""
    return Assignment(row.experiment, row.person, row.arm, row.time)

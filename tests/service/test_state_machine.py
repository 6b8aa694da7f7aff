"""People and the owner do everything in any order, and a simple model says after each step what must hold."""

import pytest
from benchmarks.watched import Watched
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.service.people_machine import People


@pytest.fixture
def service(run_folder, tmp_path):
    made = Watched(run_folder, f"sqlite:///{tmp_path / 'journal.db'}")
    yield made
    made.close()


def test_whatever_people_do_lists_and_what_is_known_follow_from_it(service):
    quick = settings(
        max_examples=6,
        stateful_step_count=25,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: People(service), settings=quick)
    assert service.server_errors == [] and service.calls > 1000

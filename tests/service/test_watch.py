"""Counts of the last hour: nothing lost inside of it, nothing kept beyond it, and quantiles that are what they say."""

from collections import Counter

import numpy as np
import pytest

from instructrec.service.watch import STEP_S, STEPS, Watch, latency_ms, total


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


def test_what_was_counted_is_in_its_step_and_gone_after_an_hour():
    clock = Clock()
    watch = Watch(clock)
    for place in range(3):
        watch.answered(200 if place else 503, 0.01)
        watch.listed("ridge", ["a", f"b{place}"], seconds=0.01, degraded=place == 1, from_memory=place == 2)
        watch.judged("like", "stored")
        watch.judged("like", "duplicate")
        clock.now += 60
    steps = watch.steps(5)
    assert len(steps) == 5 * 60 // STEP_S and [step.lists.total() for step in steps if step.lists] == [1, 1, 1]
    whole = total(steps)
    assert (whole.requests.total(), whole.failed, whole.degraded, whole.from_memory) == (3, 1, 1, 1)
    assert whole.events == Counter(like=3, duplicate=3) and whole.served_by == Counter(ridge=3)
    assert watch.shown(5) == 4 and watch.shown(2) == 2
    assert total(watch.steps(5, together=3)).lists.total() == 3 and total(watch.steps(1)).lists.total() == 0
    clock.now += STEPS * STEP_S
    assert total(watch.steps(60)).requests.total() == 0 and watch.shown(60) == 0


def test_the_ring_does_not_grow():
    clock = Clock()
    watch = Watch(clock)
    for _ in range(3 * STEPS):
        watch.answered(200, 0.01)
        clock.now += STEP_S
    assert total(watch.steps(60)).requests.total() <= STEPS
    assert len(watch._steps) == STEPS


def test_quantiles_are_at_most_eight_percent_too_high():
    watch = Watch(Clock())
    seconds = np.random.default_rng(0).lognormal(-5, 1.5, 4000)
    for each in seconds:
        watch.answered(200, float(each))
    found = latency_ms(watch.steps(1)[-1].requests)
    for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        right = max(0.1, 1000 * float(np.quantile(seconds, share, method="inverted_cdf")))
        assert right * 0.999 <= found[name] <= right * 1.081, name
    assert latency_ms(Counter()) == {"p50_ms": None, "p95_ms": None, "p99_ms": None}


@pytest.mark.parametrize("minutes", [1, 5, 60])
def test_steps_have_no_gaps(minutes):
    watch = Watch(Clock())
    for together in (1, 2, 4):
        at = [step.at for step in watch.steps(minutes, together=together)]
        assert all(later - earlier == together for earlier, later in zip(at, at[1:], strict=False))
        assert len(at) >= minutes * 60 // STEP_S // together

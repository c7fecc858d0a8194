"""Progress that does not lie."""

from __future__ import annotations

from guardapp.jobs.estimate import Estimate


def test_no_time_left_is_told_before_there_is_reason_to_believe_it():
    estimate = Estimate()
    assert estimate.update("Reading", 0, 100, 0.0) == (0.0, None)
    assert estimate.update("Reading", 20, 100, 2.0) == (0.2, None)
    assert estimate.update("Reading", 40, 100, 4.0) == (0.4, 6.0)


def test_a_new_stage_starts_afresh_and_an_unknown_total_stays_unknown():
    estimate = Estimate()
    estimate.update("Reading", 0, 100, 0.0)
    estimate.update("Reading", 50, 100, 10.0)
    assert estimate.update("Writing", 1, 100, 11.0) == (0.01, None)
    assert estimate.update("Waiting", 1, None, 30.0) == (None, None)


def test_the_rate_follows_a_machine_that_gets_slower():
    estimate = Estimate()
    for second in range(30):
        estimate.update("Reading", second * 10.0, 1000, float(second))
    for second in range(30, 60):
        fraction, left = estimate.update("Reading", 290 + (second - 29), 1000, float(second))
    assert fraction == 0.32 and left == 680.0

"""The fault campaign: `python -m tests.faults`; a short form of each part runs with the tests."""

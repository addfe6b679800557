"""The torture suite: the shipped binary under load, while everything around it goes wrong (docs/torture.md).

`tools/torture.py` runs it; tests/test_torture.py runs each scenario for a few seconds.
"""

"""Embedded data whose best possible score is known, one module a task."""

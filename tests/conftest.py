"""Fixtures that many tests share; each lives in a module that says what it is."""

pytest_plugins = ["tests.small_registry"]

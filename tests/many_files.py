"""A registry with one dataset of many small files on S3, run and not released."""

from __future__ import annotations

import dataclasses
import shutil

import pytest

from bench.many_files import NAME, make
from tests.small_registry import OUTER, SmallRegistry

MANY = NAME
FILES = 120


@pytest.fixture(scope="session")
def made_many(tmp_path_factory: pytest.TempPathFactory) -> SmallRegistry:
    import os

    home = tmp_path_factory.mktemp("many")
    make(home, FILES)
    environment = {k: v for k, v in os.environ.items() if k not in OUTER}
    return SmallRegistry(home, environment)


@pytest.fixture
def many_files(made_many, s3, tmp_path) -> SmallRegistry:
    """A registry of the test's own; its default remote is a bucket."""
    home = tmp_path / "home"
    shutil.copytree(made_many.home, home, symlinks=True)
    registry = dataclasses.replace(
        made_many,
        home=home,
        environment={**made_many.environment, **s3.environment, "DREG_CACHE": str(home / "cache")},
    )
    registry.edit(".dvc/config", "url = s3://dvcstore", f"url = {s3.url}")
    registry.edit(
        ".dvc/config", "endpointurl = http://localhost:9000", f"endpointurl = {s3.endpoint}"
    )
    registry.ok("remote", "use", "local")
    registry.commit_all()
    registry.git("push", "-q")
    return registry

"""A registry with one dataset of many small files on S3, run and not released."""

from __future__ import annotations

import dataclasses
import shutil
from concurrent.futures import ThreadPoolExecutor

import obstore
import pytest

from bench.many_files import NAME, make
from tests.s3_server import S3, directly, new_bucket
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
    registry.edit(".dvc/config", "remote = disk", "remote = local")
    registry.commit_all()
    registry.git("push", "-q")
    return registry


@dataclasses.dataclass(frozen=True)
class Released:
    """The registry with a release, and all that is in its bucket."""

    registry: SmallRegistry
    objects: dict[str, bytes]


def on(s3: S3, registry: SmallRegistry) -> SmallRegistry:
    """Its bytes are in that bucket, as the environment says."""
    there = {**s3.environment, "DREG_REMOTE": s3.url, "AWS_ENDPOINT_URL": s3.endpoint}
    return dataclasses.replace(registry, environment={**registry.environment, **there})


@pytest.fixture(scope="session")
def released_many(made_many, s3_server, tmp_path_factory) -> Released:
    s3 = new_bucket(s3_server)
    registry = on(s3, made_many.copy(tmp_path_factory.mktemp("released-many")))
    registry.ok("release", MANY)
    bucket = directly(s3)
    keys = [one["path"] for page in obstore.list(bucket) for one in page]
    return Released(registry, {key: bytes(obstore.get(bucket, key).bytes()) for key in keys})


@pytest.fixture
def many_released(released_many, s3, tmp_path) -> SmallRegistry:
    """A registry of the test's own with a release, 1.0.0, in a bucket of its own."""
    registry = on(s3, released_many.registry.copy(tmp_path / "home"))
    registry.environment["DREG_CACHE"] = str(registry.home / "cache")
    bucket = directly(s3)
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda one: obstore.put(bucket, *one), released_many.objects.items()))
    return registry

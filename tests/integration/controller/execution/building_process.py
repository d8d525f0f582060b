"""A process that builds an environment. Arguments: the URLs of PostgreSQL and packages, the digest, and a folder."""

import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from controller.database.environments import PostgresEnvironments
from controller.database.folder_parts import FolderParts
from controller.database.postgres import Postgres
from controller.execution.package_installer import PackageInstaller
from controller.observability.metrics import MetricsCollector
from controller.runtimes.packages_client import PackagesClient
from tests.integration.controller.fake_packages import SECRET

#: Seconds after which a dead builder is replaced.
LEASE = 0.5


def installer(postgres: Postgres, packages_url: str, folder: Path | None) -> PackageInstaller:
    rows = PostgresEnvironments(postgres)
    parts = rows if folder is None else FolderParts(folder)
    client = PackagesClient(packages_url, SECRET)
    return PackageInstaller(rows, parts, client, MetricsCollector(CollectorRegistry()), LEASE)


if __name__ == "__main__":
    url, packages, digest, *folders = sys.argv[1:]
    installer(Postgres(url, 2, 60), packages, Path(folders[0]) if folders else None).ensure(digest)

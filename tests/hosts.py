"""Servers in place of the hosts of research data, and a user whose keys are only those that a test puts there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from covid_datasets.fetch.hosts import HOSTS
from tests.server import Behaviour, Server

TOKEN = "KGAT_hunter2"
KEY = f"Bearer {TOKEN}"


def no_keys(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Give the user an empty home, and no key, proxy or password anywhere."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))


def imitate(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    """Ask a server in place of every host's API: ``/zenodo/…`` in place of ``https://zenodo.org/api/…``."""
    for name, host in HOSTS.items():
        monkeypatch.setitem(HOSTS, name, replace(host, api=server.url(f"/{name}") if host.api else ""))


def answers(value: object, status: int = 200) -> Behaviour:
    """Answer with JSON."""
    return Behaviour(body=json.dumps(value).encode(), content_type="application/json", status=status)

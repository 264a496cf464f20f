"""`umbel report`: what a bug report needs to say about this installation and this app, without secrets."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from importlib.metadata import PackageNotFoundError, version

import click

from umbel.cli.command import command
from umbel.cli.scope import Scope
from umbel.client.app import Umbel
from umbel.version import __version__

PACKAGES = ("msgspec", "click", "rich", "pydantic", "PyYAML", "zstandard", "brotli", "celery", "django")


@command("report")
@click.pass_obj
def report(scope: Scope) -> None:
    """Show versions, the app, and each setting that is not the default, with where it comes from.

    Passwords and keys are masked. Look through it all the same before you publish it.
    """
    app = scope.app
    _show("software", _software())
    _show("app", _app(app, scope.app_name))
    _show("settings", _settings(app))


def _software() -> list[tuple[str, str]]:
    python = f"{platform.python_version()} ({platform.python_implementation()}, {sys.executable})"
    system = f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores"
    return [("umbel", __version__), ("python", python), ("system", system), ("sqlite", sqlite3.sqlite_version), *_packages()]


def _packages() -> list[tuple[str, str]]:
    found = []
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def _app(app: Umbel, name: str | None) -> list[tuple[str, str]]:
    backend = app.result_store
    return [
        ("name", f"{app.main or '-'} ({name})" if name else "none named with -A"),
        ("broker", app.broker.url),
        ("results", backend.url if backend else "not kept"),
        ("tasks", str(len(app.tasks))),
    ]


def _settings(app: Umbel) -> list[tuple[str, str]]:
    names = sorted(app.conf.without_defaults())
    return [(name, f"{app.conf.shown(name)}  ({app.conf.source(name)})") for name in names] or [("-", "all at their defaults")]


def _show(title: str, rows: list[tuple[str, str]]) -> None:
    click.secho(title, bold=True)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"  {name:<{width}}  {value}")

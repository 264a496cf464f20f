from __future__ import annotations

import sys

import pytest

from umbel import ImproperlyConfigured
from umbel.client.discover import find_app

APP = "from umbel import Umbel\n{name} = Umbel('{label}', broker='memory://', set_as_current=False)\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A directory with modules and packages that hold apps, which is the current one."""
    files = {
        "found_app.py": APP.format(name="app", label="app"),
        "found_celery.py": APP.format(name="celery", label="celery"),
        "found_other.py": APP.format(name="something", label="something"),
        "found_none.py": "x = 5\n",
        "found_broken.py": "import no_such_dependency\n",
        "found_raises.py": "1 / 0\n",
        "found_package/__init__.py": "",
        "found_package/celery.py": APP.format(name="app", label="package"),
        "found_empty/__init__.py": "",
        "found_half/__init__.py": "",
        "found_half/celery.py": "import no_such_dependency\n",
        "found_sub/__init__.py": "from found_sub import app\n",
        "found_sub/app.py": APP.format(name="app", label="sub"),
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("found_")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "main"),
    [
        ("found_app", "app"),
        ("found_app:app", "app"),
        ("found_app.app", "app"),
        ("found_celery", "celery"),
        ("found_other", "something"),
        ("found_other:something", "something"),
        ("found_package", "package"),
        ("found_package.celery", "package"),
        ("found_package.celery:app", "package"),
        ("found_sub", "sub"),
        ("found_sub:app", "sub"),
    ],
)
def test_an_app_is_found_as_celery_finds_it(project, text, main):
    assert find_app(text).main == main
    assert sys.path[0] == str(project)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no_such_module", "app 'no_such_module': there is no module 'no_such_module' here"),
        ("no_such_package.inner", "there is no module 'no_such_package' here"),
        ("found_app:nothing", "app 'found_app:nothing': 'found_app' has no 'nothing'; it has the app 'app'"),
        ("found_none:nothing", "'found_none' has no 'nothing'; it has no app at all"),
        ("found_none:x", "app 'found_none:x' is int, not an Umbel app"),
        ("found_none", "module 'found_none' has no Umbel app; name it: -A found_none:NAME"),
        ("found_empty", "module 'found_empty' has no Umbel app"),
        ("", "app '' is no module name"),
        (".proj", "app '.proj' is no module name"),
    ],
)
def test_what_is_wrong_with_a_name_is_told_in_one_line(project, text, problem):
    with pytest.raises(ImproperlyConfigured) as caught:
        find_app(text)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "error"),
    [("found_broken", ModuleNotFoundError), ("found_raises", ZeroDivisionError), ("found_half", ModuleNotFoundError)],
)
def test_what_a_module_raises_is_passed_on(project, text, error):
    with pytest.raises(error):
        find_app(text)

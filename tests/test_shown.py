from __future__ import annotations

import pytest

from umbel import shown


@pytest.mark.parametrize(
    "url", ["redis://host/0", "redis://me@host", "sqlite:////a/b@c.db", "plain", "memory://x", "sentinel://a:1;b:2/0"]
)
def test_a_url_without_secrets_is_shown_as_it_is(url):
    assert shown.url(url) == url


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("redis://me:pw@host:1/0", "redis://me:**@host:1/0"),
        ("redis://:1#pw@prod", "redis://:**@prod"),
        ("redis://:p/w@prod/3", "redis://:**@prod/3"),
        ("redis://me:p?w=x@prod", "redis://me:**@prod"),
        ("redis://:p@w@prod", "redis://:**@prod"),
        ("redis://host/0?password=pw", "redis://host/0?password=**"),
        ("redis://host:6379/0?password=p@w&db=3", "redis://host:6379/0?password=**&db=3"),
        ("redis+socket:///run/s?password=pw", "redis+socket:///run/s?password=**"),
        ("redis+socket://:pw@/run/s", "redis+socket://:**@/run/s"),
        ("sentinel://:pw@a;sentinel://:pw@b/0", "sentinel://:**@a;sentinel://:**@b/0"),
        ("redis://:pw@a;redis://:pw@b/0", "redis://:**@a;redis://:**@b/0"),
        ("redis://:6379/0?password=p@w", "redis://**"),
        ("me:pw@host:1/0", "me:**@host:1/0"),
        ("sqs://KEY:pw@", "sqs://KEY:**@"),
        ("sentinel://a/0?sentinel_kwargs=pw&whatever=pw", "sentinel://a/0?sentinel_kwargs=**&whatever=**"),
    ],
)
def test_what_could_be_a_secret_is_not_shown(url, seen):
    assert shown.url(url) == seen


def test_secrets_in_values_are_masked_at_any_depth():
    found = shown.value("broker_transport_options", {"sentinel_kwargs": {"password": "pw", "db": 1}, "urls": ["redis://:pw@a"]})
    assert found == "{'sentinel_kwargs': {'password': '**', 'db': 1}, 'urls': ['redis://:**@a']}"
    assert shown.value("api_token", "pw") == "'********'"
    assert shown.value("security_key_password", b"pw") == "'********'"
    assert shown.value("task_time_limit", 5) == "5"


@pytest.mark.parametrize(("text", "seen"), [("plain é", "plain é"), ("a\nb", "a\\nb"), ("\x1b[2J\r\u2028", "\\x1b[2J\\r\\u2028")])
def test_a_line_of_the_log_stays_one_line(text, seen):
    assert shown.line(text) == seen

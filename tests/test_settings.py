from __future__ import annotations

import re
import sys
import threading
from datetime import timedelta
from types import ModuleType, SimpleNamespace

import pytest

from umbel.errors import ImproperlyConfigured
from umbel.settings import TABLE, Settings, find
from umbel.settings.idle import harmless, is_refused, refusal
from umbel.settings.kinds import KINDS, POLICY, fits, read
from umbel.testing.waiting import patience


def test_every_default_fits_its_kind():
    assert not [setting.name for setting in TABLE if not fits(setting.kind, setting.default)]


def test_every_setting_has_a_name_of_its_own_and_one_line_of_help():
    assert len({setting.name for setting in TABLE}) == len(TABLE)
    assert all(setting.help and "\n" not in setting.help for setting in TABLE)


def test_no_two_settings_have_an_old_name_in_common():
    old = [name for setting in TABLE for name in setting.old]
    assert len(set(old)) == len(old)


def test_a_value_is_read_as_attribute_and_as_item():
    conf = Settings({"task_serializer": "msgpack"})
    assert conf.task_serializer == conf["task_serializer"] == conf.get("task_serializer") == "msgpack"


def test_an_old_name_stands_for_the_new_one():
    conf = Settings({"CELERY_TASK_SERIALIZER": "msgpack"})
    assert conf.task_serializer == "msgpack"
    assert conf["CELERY_TASK_SERIALIZER"] == "msgpack"
    assert conf.changes == {"task_serializer": "msgpack"}


def test_an_unknown_attribute_names_the_nearest_setting():
    with pytest.raises(AttributeError, match="no setting 'task_ack_late'; did you mean 'task_acks_late'"):
        _ = Settings().task_ack_late


def test_an_unknown_attribute_that_is_like_none_is_told_plainly():
    with pytest.raises(AttributeError, match=r"no setting 'zzzzzz'$"):
        _ = Settings().zzzzzz


def test_private_attributes_are_no_settings():
    assert not hasattr(Settings(), "_something")


def test_a_setting_of_ones_own_is_kept_and_is_no_problem():
    conf = Settings({"my_own_thing": 5})
    conf.another = "x"
    assert (conf.my_own_thing, conf["another"]) == (5, "x")
    assert conf.problems() == []


def test_update_and_delete_work_as_with_a_dict():
    conf = Settings()
    conf.update({"task_time_limit": 5}, task_serializer="yaml")
    assert (conf.task_time_limit, conf.task_serializer) == (5, "yaml")
    del conf["task_time_limit"]
    del conf.task_serializer
    assert (conf.task_time_limit, conf.task_serializer) == (None, "json")
    assert conf.changes == {}


def test_it_has_every_key_once():
    conf = Settings({"CELERY_TASK_SERIALIZER": "yaml", "mine": 1})
    assert len(conf) == len(TABLE) + 1
    assert set(conf.keys()) == {*(setting.name for setting in TABLE), "mine"}


def test_a_dict_default_is_not_shared_between_apps():
    first, second = Settings(), Settings()
    first.beat_schedule["entry"] = {}
    assert second.beat_schedule == {}
    assert first.beat_schedule == {"entry": {}}


def test_the_version_changes_with_each_change():
    conf = Settings()
    before = conf.version
    conf.task_serializer = "yaml"
    assert conf.version > before


def test_a_timedelta_becomes_seconds():
    assert Settings({"result_expires": timedelta(hours=1)}).result_expires == 3600


def test_text_is_read_as_what_the_setting_wants():
    conf = Settings({"worker_prefetch_multiplier": "2", "task_always_eager": "true", "accept_content": "json, pickle"})
    assert conf.worker_prefetch_multiplier == 2
    assert conf.task_always_eager is True
    assert conf.accept_content == ("json", "pickle")


# -- where values come from


def test_precedence_is_command_line_conf_source_environment_added_default(monkeypatch):
    conf = Settings()
    name = "task_default_queue"
    seen = [(conf[name], conf.source(name))]
    conf = Settings()
    conf.add_defaults({name: "added"})
    seen.append((conf[name], conf.source(name)))
    monkeypatch.setenv("UMBEL_TASK_DEFAULT_QUEUE", "environment")
    conf = Settings()
    conf.add_defaults(lambda: {name: "added"})
    seen.append((conf[name], conf.source(name)))
    conf.read({name: "source"})
    seen.append((conf[name], conf.source(name)))
    conf[name] = "conf"
    seen.append((conf[name], conf.source(name)))
    conf.from_command_line({name: "argument"})
    seen.append((conf[name], conf.source(name)))
    assert seen == [
        ("celery", "default"),
        ("added", "add_defaults"),
        ("environment", "environment UMBEL_TASK_DEFAULT_QUEUE"),
        ("source", "config source"),
        ("conf", "app.conf"),
        ("argument", "command line"),
    ]


def test_celerys_own_variables_win_over_the_program(monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://elsewhere")
    monkeypatch.setenv("CELERY_RESULT_BACKEND", "redis://results")
    conf = Settings({"broker_url": "redis://here"})
    assert (conf.broker_url, conf.result_backend) == ("redis://elsewhere", "redis://results")
    assert conf.source("broker_url") == "environment CELERY_BROKER_URL"
    conf.from_command_line({"broker_url": "memory://"})
    assert conf.broker_url == "memory://"


def test_nothing_is_read_before_the_first_value_is_asked_for():
    calls = []
    conf = Settings(loaded=lambda: calls.append("loaded"))
    conf.add_defaults(lambda: calls.append("defaults") or {})
    conf.read("no_such_module_anywhere")
    conf.task_serializer = "yaml"
    assert calls == []
    conf.read({})  # it replaces the source that is not there
    assert conf.task_serializer == "yaml"
    assert calls == ["defaults", "loaded"]


def test_threads_that_come_while_another_loads_wait_for_it():
    begun, go_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert go_on.wait(patience())
        return {"task_serializer": "yaml"}

    conf, seen = Settings(), []
    conf.add_defaults(slow)
    first = threading.Thread(target=lambda: seen.append(conf.task_serializer))
    first.start()
    assert begun.wait(patience())
    second = threading.Thread(target=lambda: seen.append(conf.task_serializer))
    second.start()
    go_on.set()
    for thread in (first, second):
        thread.join(patience())
    assert seen == ["yaml", "yaml"]


def test_who_is_told_of_loading_may_read_and_change_values():
    conf = Settings({"task_serializer": "yaml"}, loaded=lambda: conf.update(task_compression=conf.task_serializer))
    assert conf.task_compression == "yaml"


def test_what_is_set_before_loading_stays_stronger_than_the_source():
    conf = Settings()
    conf.task_serializer = "yaml"
    conf.read({"task_serializer": "pickle", "task_compression": "gzip"})
    assert (conf.task_serializer, conf.task_compression) == ("yaml", "gzip")


def test_a_second_source_replaces_the_first():
    conf = Settings()
    conf.read({"task_serializer": "yaml"})
    assert conf.task_serializer == "yaml"
    conf.read({"task_compression": "gzip"})
    assert (conf.task_serializer, conf.task_compression) == ("json", "gzip")


def test_an_object_may_list_names_that_it_has_not():
    class Odd:
        task_serializer = "yaml"

        def __dir__(self):
            return ["task_serializer", "task_compression"]

    for namespace, key in ((None, "task_serializer"), ("task", "serializer")):
        conf = Settings()
        conf.read(Odd(), namespace=namespace)
        assert conf[key] == "yaml"


def test_a_module_is_read_by_its_path(monkeypatch):
    module = ModuleType("proj_settings")
    module.task_serializer = "yaml"
    module.CELERY_ALWAYS_EAGER = True
    module.OTHER = object()
    module.helper = print
    module.inner = SimpleNamespace(task_serializer="pickle")
    monkeypatch.setitem(sys.modules, "proj_settings", module)
    conf = Settings()
    conf.read("proj_settings")
    assert (conf.task_serializer, conf.task_always_eager) == ("yaml", True)
    assert conf.problems() == []
    assert conf.source("task_serializer") == "config source proj_settings"
    conf.read("proj_settings:inner")
    assert conf.task_serializer == "pickle"
    assert find("proj_settings.helper") is print


def test_a_namespace_takes_only_its_own_upper_case_keys():
    source = SimpleNamespace(CELERY_TASK_SERIALIZER="yaml", task_compression="gzip", CELERY_lower=1, OTHER_TASK_PROTOCOL=1)
    conf = Settings()
    conf.read(source, namespace="CELERY")
    assert (conf.task_serializer, conf.task_compression, conf.namespace) == ("yaml", None, "CELERY")
    assert conf.problems() == []


def test_a_missing_source_is_told_in_one_line_unless_it_may_be_missing():
    conf = Settings()
    conf.read("no_such_module_anywhere")
    with pytest.raises(ImproperlyConfigured, match="configuration 'no_such_module_anywhere' cannot be imported"):
        _ = conf.task_serializer
    with pytest.raises(ImproperlyConfigured):  # and again, not only the first time
        _ = conf.task_serializer
    silent = Settings()
    silent.read("no_such_module_anywhere", silent=True)
    assert silent.task_serializer == "json"


def test_a_missing_attribute_of_a_module_is_told():
    conf = Settings()
    conf.read("sys:nothing_of_that_name")
    with pytest.raises(ImproperlyConfigured, match="module 'sys' has no 'nothing_of_that_name'"):
        conf.load()


def test_an_import_error_inside_the_source_is_passed_on(tmp_path, monkeypatch):
    (tmp_path / "broken_settings.py").write_text("import no_such_package_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    conf = Settings()
    conf.read("broken_settings")
    with pytest.raises(ImproperlyConfigured, match="no_such_package_at_all"):
        conf.load()


def test_without_defaults_gives_only_what_was_set():
    conf = Settings({"task_serializer": "yaml"})
    conf.add_defaults({"task_compression": "gzip"})
    assert conf.without_defaults() == {"task_serializer": "yaml", "task_compression": "gzip"}
    assert conf.value_set_for("task_serializer")
    assert not conf.value_set_for("task_protocol")


def test_settings_without_effect_can_be_told():
    conf = Settings({"broker_heartbeat": 0, "task_serializer": "yaml", "mine": 1})
    assert conf.without_effect() == ["broker_heartbeat"]


def test_the_source_of_an_unknown_name_is_a_key_error():
    with pytest.raises(KeyError):
        Settings().source("nonsense")


def test_secrets_are_masked_when_shown():
    conf = Settings(
        {"redis_password": "abc", "broker_url": "redis://me:abc@host:1/0", "security_key": "k", "task_serializer": "json"}
    )
    assert conf.shown("redis_password") == conf.shown("security_key") == "'********'"
    assert conf.shown("broker_url") == "'redis://me:**@host:1/0'"
    assert conf.shown("task_serializer") == "'json'"
    assert "abc" not in repr(conf)


# -- problems


def test_all_faults_are_told_together():
    conf = Settings({"task_ack_late": True, "task_default_priority": 11, "broker_lease": 0})
    conf.read({"task_soft_time_limit": 9, "worker_concurency": 4})
    conf["task_time_limit"] = 5
    lines = "\n".join(conf.problems())
    assert "unknown setting task_ack_late (app.conf): did you mean task_acks_late?" in lines
    assert "unknown setting worker_concurency (config source): did you mean worker_concurrency?" in lines
    assert "task_default_priority = 11: expected 0 to 9" in lines
    assert "broker_lease = 0: expected more than 0" in lines
    assert "task_soft_time_limit = 9 is longer than task_time_limit = 5" in lines


def test_a_wrong_type_tells_what_was_expected_and_where_it_was_set(monkeypatch):
    monkeypatch.setenv("UMBEL_TASK_TIME_LIMIT", "soon")
    conf = Settings()
    conf.read({"task_publish_retry_policy": 3, "task_always_eager": "perhaps"})
    assert conf.problems() == [
        f"task_publish_retry_policy = 3 (config source): expected a dict of the numbers {', '.join(POLICY)}",
        "task_always_eager = 'perhaps' (config source): expected True or False",
        "UMBEL_TASK_TIME_LIMIT = 'soon' (environment): expected seconds (a number) or a timedelta",
    ]


@pytest.mark.parametrize("name", ["task_time_limit", "result_expires", "broker_lease", "task_dead_ttl", "broker_publish_timeout"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_seconds_are_a_number_that_passes(name, value):
    with pytest.raises(ImproperlyConfigured, match=rf"{name} = {value} \(app.conf\): expected seconds"):
        Settings({name: value})


def test_two_spellings_with_two_values_clash():
    conf = Settings()
    conf.read({"CELERY_ALWAYS_EAGER": True, "task_always_eager": False})
    assert conf.problems() == [
        "CELERY_ALWAYS_EAGER and task_always_eager (config source) are one setting with two values: keep one"
    ]
    assert conf.task_always_eager is False


@pytest.mark.parametrize("source", [{"CELERY_ALWAYS_EAGER": True, "task_always_eager": True}, {"CELERY_ALWAYS_EAGER": "yes"}])
def test_two_spellings_with_one_value_do_not(source):
    conf = Settings()
    conf.read(source)
    assert conf.problems() == []
    assert conf.task_always_eager is True


def test_an_unknown_name_in_the_namespace_is_told_with_the_nearest():
    conf = Settings()
    conf.read(SimpleNamespace(CELERY_TASK_ALWAYS_EGER=True, CELERY_QWERTZ=1), namespace="CELERY")
    problems = conf.problems()
    assert "unknown setting CELERY_TASK_ALWAYS_EGER (config source): did you mean CELERY_TASK_ALWAYS_EAGER?" in problems
    assert len(problems) == 1
    assert conf.qwertz == 1
    assert conf.idle() == ["unknown setting CELERY_QWERTZ (config source) is kept, and umbel has no use for it"]


def test_an_unknown_time_zone_is_told():
    assert Settings({"timezone": "Europe/Atlantis"}).problems() == [
        "timezone = 'Europe/Atlantis': no such time zone (try 'Europe/Berlin', or 'UTC')"
    ]
    assert Settings({"timezone": "Europe/Berlin"}).problems() == []


def test_every_accepted_setting_of_celery_may_be_set():
    conf = Settings({setting.name: setting.default for setting in TABLE})
    assert conf.problems() == []


# -- what is wrong is said where it is set


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_queues", 5),
        ("task_queues", [5]),
        ("task_routes", {"q": 5}),
        ("task_routes", [("q", 5)]),
        ("task_routes", 5),
        ("broker_url", 5),
        ("broker_url", []),
        ("task_time_limit", "soon"),
        ("CELERY_ALWAYS_EAGER", "perhaps"),
        ("task_serializer", 5),
        ("imports", 5),
        ("beat_schedule", ["x"]),
    ],
)
def test_what_is_not_of_its_kind_is_refused_where_it_is_set(name, value):
    with pytest.raises(ImproperlyConfigured, match=rf"^{name} = .* \(app.conf\): expected "):
        Settings({name: value})
    conf = Settings()
    before = conf[name]
    for put in (lambda: conf.__setitem__(name, value), lambda: setattr(conf, name, value), lambda: conf.update({name: value})):
        with pytest.raises(ImproperlyConfigured, match="expected"):
            put()
    assert conf[name] == before


def test_several_at_once_are_told_together():
    with pytest.raises(ImproperlyConfigured) as told:
        Settings({"task_queues": 5, "task_time_limit": "soon", "task_serializer": "yaml"})
    assert len(str(told.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_queues", "mail,slow"),
        ("task_queues", {"mail": {"routing_key": "mail.#"}}),
        ("task_queues", ("mail", SimpleNamespace(name="slow"))),
        ("task_routes", {"feeds.*": "feeds", re.compile("x"): {"queue": "y"}, "z": SimpleNamespace(name="q")}),
        (
            "task_routes",
            ({"a": "b"}, lambda name, *rest, **options: None, "proj.routes.Router", [("a.*", "b"), ("c", {"queue": "d"})]),
        ),
        ("broker_url", ["redis://one", "redis://two"]),
        ("broker_url", "redis://one;redis://two"),
    ],
)
def test_what_is_of_its_kind_in_any_of_its_shapes_is_taken(name, value):
    assert Settings({name: value}).problems() == []


# -- what changes nothing


def test_each_setting_that_changes_nothing_says_why_or_is_refused():
    assert [
        setting.name for setting in TABLE if not setting.effect and not (harmless(setting.name) or is_refused(setting.name))
    ] == []
    assert [setting.name for setting in TABLE if setting.effect and is_refused(setting.name)] == []
    assert [setting.name for setting in TABLE if refusal(setting.name, setting.default)] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("security_key", "/etc/key.pem"),
        ("worker_consumer", "proj:Consumer"),
        ("task_protocol", 1),
        ("worker_pool_start_method", "spawn"),
        ("task_default_exchange_type", "fanout"),
        ("override_backends", {"db": "proj.Backend"}),
    ],
)
def test_what_must_not_be_taken_without_effect_is_refused(name, value):
    conf = Settings({name: value})
    (line,) = conf.problems()
    assert line.startswith(name)
    assert "is refused: " in line
    with pytest.raises(ImproperlyConfigured, match="is refused: "):
        conf.refuse()
    conf[name] = None
    conf.refuse()
    assert conf.problems() == []


def test_what_does_no_harm_is_told_with_the_reason():
    conf = Settings(
        {"broker_heartbeat": 0, "result_persistent": True, "task_serializer": "json", "worker_lost_wait": 10.0, "mine": 1}
    )
    assert conf.idle() == [
        "broker_heartbeat (app.conf) changes nothing: only RabbitMQ has a use for it, and messages are kept elsewhere",
        "result_persistent (app.conf) changes nothing: results outlive the store's restart, as far as the store itself does",
    ]


def test_settings_of_other_packages_live_in_the_namespace_and_are_read_back():
    conf = Settings()
    source = {
        "CELERY_REDBEAT_REDIS_URL": "redis://host/1",
        "CELERY_SINGLETON_LOCK_EXPIRY": 5,
        "CELERY_ONCE": {"backend": "x"},
        "CELERY_TASK_SERIALIZER": "json",
    }
    conf.read(SimpleNamespace(**source), namespace="CELERY")
    assert (conf.redbeat_redis_url, conf["singleton_lock_expiry"], conf.get("once")) == ("redis://host/1", 5, {"backend": "x"})
    assert conf.problems() == []
    assert len(conf.idle()) == 3
    assert conf.get("CELERY_ONCE") == {"backend": "x"}
    assert "CELERY_ONCE" in conf


def test_what_a_module_holds_beside_settings_is_read_back(monkeypatch):
    module = ModuleType("own_settings")
    module.MAIL_HOST, module.task_serializer, module.helper = "mail.example", "yaml", print
    monkeypatch.setitem(sys.modules, "own_settings", module)
    conf = Settings()
    conf.read("own_settings")
    assert (conf.MAIL_HOST, conf["MAIL_HOST"], conf.get("NOTHING")) == ("mail.example", "mail.example", None)
    assert "MAIL_HOST" not in conf.without_defaults()
    assert conf.idle() == conf.problems() == []


def test_the_environment_may_name_the_module_with_settings(monkeypatch):
    for name, serializer in (("from_environment", "yaml"), ("from_program", "msgpack")):
        module = ModuleType(name)
        module.task_serializer = serializer
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("CELERY_CONFIG_MODULE", "from_environment")
    conf = Settings()
    assert conf.task_serializer == "yaml"
    assert conf.source("task_serializer") == "config source from_environment"
    conf = Settings()
    conf.read("from_program")
    assert conf.task_serializer == "msgpack"
    monkeypatch.setenv("CELERY_CONFIG_MODULE", "nowhere_at_all")
    with pytest.raises(ImproperlyConfigured, match="configuration 'nowhere_at_all' cannot be imported"):
        Settings().load()


def test_settings_can_be_shown_as_a_table_and_as_lines():
    conf = Settings({"task_serializer": "yaml", "broker_url": "redis://:geheim@host", "redis_password": "geheim"})
    conf.broker_transport_options = {"sentinel_kwargs": {"password": "geheim"}}
    assert conf.table()["task_serializer"] == "yaml"
    assert "geheim" not in str(conf.table()) + conf.humanize() + str(conf.table(with_defaults=True))
    assert conf.table(censored=False)["redis_password"] == "geheim"
    assert "task_serializer: 'yaml'" in conf.humanize().splitlines()
    assert "task_time_limit: None" in conf.humanize(with_defaults=True).splitlines()


# -- kinds


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("flag", "yes", True),
        ("flag", "0", False),
        ("flag", "", False),
        ("whole", "12", 12),
        ("number", "1.5", 1.5),
        ("seconds", "2", 2.0),
        ("seconds", "none", None),
        ("names", "a, b,,c", ("a", "b", "c")),
        ("mapping", '{"a": 1}', {"a": 1}),
        ("policy", '{"max_retries": 1}', {"max_retries": 1}),
        ("any", '{"a": 1}', {"a": 1}),
        ("any", "proj.routes", "proj.routes"),
        ("text", "none", "none"),
    ],
)
def test_text_from_the_environment_becomes_a_value(kind, text, value):
    assert read(kind, text) == value


@pytest.mark.parametrize(("kind", "text"), [("flag", "perhaps"), ("whole", "1.5"), ("mapping", "[1]"), ("mapping", "x")])
def test_text_that_means_nothing_is_refused(kind, text):
    with pytest.raises(ValueError):
        read(kind, text)


@pytest.mark.parametrize(
    ("kind", "value", "good"),
    [
        ("whole", True, False),
        ("number", 1.5, True),
        ("flag", 1, True),
        ("flag", "x", False),
        ("names", ["a"], True),
        ("names", "a", False),
        ("names", [1], False),
        ("text", 1, False),
        ("text", None, True),
    ],
)
def test_a_kind_knows_what_fits(kind, value, good):
    assert fits(kind, value) is good
    assert KINDS[kind].expected


@pytest.mark.parametrize(("value", "fits"), [(4, True), ("auto", True), ("many", False), (0, False), (-1, False), (2.5, False)])
def test_concurrency_is_a_number_from_one_or_auto(value, fits):
    settings = Settings()
    settings.read({"worker_concurrency": value})
    assert bool(settings.problems()) is not fits

"""Configuration is checked before anything runs."""

from __future__ import annotations

import pytest

from synnefo import settings_registry
from synnefo.settings_registry import SettingsError

pytestmark = pytest.mark.unit


def load(tmp_path, text: str, name: str = "50-site.conf") -> dict:
    (tmp_path / name).write_text(text)
    namespace = settings_registry.defaults()
    settings_registry.load_directory(str(tmp_path), namespace, {"INSTALLED_APPS"})
    return namespace


def test_files_apply_in_name_order_and_share_one_namespace(tmp_path):
    (tmp_path / "20-b.conf").write_text('ALLOWED_HOSTS.append("second")\n')
    namespace = load(tmp_path, 'ALLOWED_HOSTS = ["first"]\n', "10-a.conf")
    assert namespace["ALLOWED_HOSTS"] == ["first", "second"]


def test_extending_a_default_in_place_leaves_the_declared_default_alone(tmp_path):
    load(tmp_path, 'ALLOWED_HOSTS.append("mine")\n')
    assert "mine" not in settings_registry.declared()["ALLOWED_HOSTS"].default


def test_unknown_name_is_refused_with_file_key_and_nearest_name(tmp_path):
    with pytest.raises(SettingsError) as refusal:
        load(tmp_path, "AMQP_HOST = []\n")
    text = str(refusal.value)
    assert "50-site.conf" in text
    assert "AMQP_HOST" in text
    assert "did you mean AMQP_HOSTS" in text


def test_wrong_type_is_refused_with_file_and_key(tmp_path):
    with pytest.raises(SettingsError, match=r"50-site.conf: DEBUG must be of type bool, not str"):
        load(tmp_path, 'DEBUG = "yes"\n')


def test_choices_are_enforced(tmp_path):
    with pytest.raises(SettingsError, match="LOG_FORMAT must be one of 'verbose', 'json'"):
        load(tmp_path, 'LOG_FORMAT = "xml"\n')


@pytest.mark.parametrize(
    "name",
    [
        "AMQP_BACKEND",
        "HELPDESK_ENABLED",
        "TIMEOUT",
        "UI_SYSTEM_IMAGES_OWNERS",
        "VMAPI_CACHE",
        "VM_CREATE_NAME_TPL",
        "VM_PASSWORD_CACHE",
    ],
)
def test_obsolete_names_of_old_guides_do_not_break_loading(tmp_path, name):
    assert load(tmp_path, f'{name} = "puka"\n')[name] == "puka"


def test_syntax_error_names_the_file(tmp_path):
    with pytest.raises(SettingsError, match=r"50-site.conf: SyntaxError"):
        load(tmp_path, "DEBUG = = 1\n")


def test_environment_overrides_files_and_reads_secrets_from_files(tmp_path):
    secret = tmp_path / "key"
    secret.write_text("s3cret\n")
    namespace = settings_registry.defaults()
    settings_registry.load_environment(
        namespace,
        {"SNF_DATABASE_LOCK_TIMEOUT": "250", "SNF_SECRET_KEY_FILE": str(secret), "SNF_DEBUG": "True"},
    )
    assert (namespace["DATABASE_LOCK_TIMEOUT"], namespace["SECRET_KEY"], namespace["DEBUG"]) == (
        250,
        "s3cret",
        True,
    )


def test_environment_value_of_the_wrong_type_is_refused():
    with pytest.raises(SettingsError, match="SNF_DATABASE_LOCK_TIMEOUT"):
        settings_registry.load_environment(
            settings_registry.defaults(), {"SNF_DATABASE_LOCK_TIMEOUT": "soon"}
        )


def test_a_name_can_be_declared_once_only():
    with pytest.raises(SettingsError, match="declared twice"):
        settings_registry.declare("DEBUG", True, type=bool, help="again", conf="x")

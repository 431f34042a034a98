"""A program's two files: read whole, secrets decrypted or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.errors import UsageError
from seatrial.rehearsal.infra.crypter import Crypter
from seatrial.rehearsal.infra.settings import read_settings
from seatrial.rehearsal.infra.values import secret

PHRASE = "correct horse"


def program(folder: Path, stack: str, project: str = "name: shop\nruntime: python\n") -> Path:
    (folder / "Pulumi.yaml").write_text(project)
    (folder / "Pulumi.dev.yaml").write_text(stack)
    return folder


def test_values_secrets_defaults_and_overrides(tmp_path: Path) -> None:
    crypter = Crypter.new(PHRASE)
    stack = f"""
encryptionsalt: {crypter.state}
config:
  aws:region: eu-west-1
  shop:size: 3
  shop:deep: {{lit: true, key: {{secure: "{crypter.encrypt("inner")}"}}}}
  token: {{secure: "{crypter.encrypt("outer")}"}}
"""
    project = "name: shop\nruntime: {name: python}\nconfig:\n  colour: {default: red}\n  shop:size: 1\n"
    settings = read_settings(program(tmp_path, stack, project), "dev", PHRASE)
    assert settings.config == {
        "shop:colour": "red",
        "shop:size": 3,
        "aws:region": "eu-west-1",
        "shop:deep": {"lit": True, "key": secret("inner")},
        "shop:token": secret("outer"),
    }
    assert settings.texts["shop:deep"] == '{"lit": true, "key": "inner"}'
    assert (settings.texts["shop:size"], settings.secret_keys) == ("3", ["shop:deep", "shop:token"])
    assert settings.of_package("aws") == {"region": "eu-west-1"}
    changed = settings.with_config({"size": 4, "aws:region": None})
    assert (changed.config["shop:size"], "aws:region" in changed.config) == (4, False)


@pytest.mark.parametrize(
    ("head", "passphrase", "why"),
    [
        ("encryptionsalt: {salt}\n", None, "its passphrase is not given in PULUMI_CONFIG_PASSPHRASE"),
        ("encryptionsalt: {salt}\n", "wrong", "PULUMI_CONFIG_PASSPHRASE is not its passphrase"),
        ("", PHRASE, "the file has no encryptionsalt"),
        ("secretsprovider: awskms://alias/x\nencryptedkey: abc\n", PHRASE, "kept by awskms://alias/x"),
    ],
)
def test_a_secret_that_cannot_be_decrypted_is_named(
    tmp_path: Path, head: str, passphrase: str | None, why: str
) -> None:
    crypter = Crypter.new(PHRASE)
    text = head.format(salt=crypter.state)
    text += f'config:\n  shop:open: 1\n  shop:token:\n    secure: "{crypter.encrypt("x")}"\n'
    with pytest.raises(UsageError, match="shop:token is a secret that cannot be decrypted") as refused:
        read_settings(program(tmp_path, text), "dev", passphrase)
    assert why in refused.value.what
    assert "shop:open" not in refused.value.what


def test_a_secret_that_was_changed_is_refused(tmp_path: Path) -> None:
    crypter = Crypter.new(PHRASE)
    sealed = crypter.encrypt("x")
    forged = sealed[:-4] + ("AAA=" if not sealed.endswith("AAA=") else "BBB=")
    text = f'encryptionsalt: {crypter.state}\nconfig:\n  shop:token: {{secure: "{forged}"}}\n'
    with pytest.raises(UsageError, match="was changed since it was encrypted"):
        read_settings(program(tmp_path, text), "dev", PHRASE)


def test_every_problem_of_the_files_at_once(tmp_path: Path) -> None:
    text = "config: {}\nenvironment: [shared]\n"
    with pytest.raises(UsageError) as refused:
        read_settings(program(tmp_path, text, "runtime: nodejs\nplugins: {}\n"), "dev")
    for problem in (
        "Pulumi.yaml: name is missing",
        "runtime 'nodejs' is not rehearsed",
        "Pulumi.yaml: 'plugins' is not rehearsed",
        "Pulumi.dev.yaml: 'environment' is not rehearsed",
    ):
        assert problem in refused.value.what


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    text = "config:\n  a: !!python/object/apply:os.system [true]\n"
    with pytest.raises(UsageError, match="is no YAML"):
        read_settings(program(tmp_path, text), "dev")


def test_a_missing_stack_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Pulumi\.qa\.yaml is not there"):
        read_settings(program(tmp_path, "config: {}\n"), "qa")

import multiprocessing
import pickle
import traceback
from pathlib import Path

import pytest

from shared.errors import Category, PowerFillError, Reason
from shared.tenancy.registry import TenantRegistry

URL = "sqlite+aiosqlite:////data/acme.db"
SECRET = "h7ks-9Qz"
SECRET_URL = f"postgresql+asyncpg://desk:{SECRET}@db.internal:5432/acme"


def written(registry: TenantRegistry, text: str) -> TenantRegistry:
    registry.path.write_text(text, encoding="utf-8")
    return registry


def test_what_was_added_is_there_for_everybody(registry: TenantRegistry) -> None:
    registry.add("birch", URL, "Europe/Paris")
    registry.add("acme", URL)
    other = TenantRegistry(registry.path)
    assert [tenant.tenant_id for tenant in other.all()] == ["acme", "birch"]
    assert other.get("birch").time_zone.key == "Europe/Paris"
    assert other.get("acme").time_zone.key == "America/New_York"
    assert other.get("acme").url.reveal().database == "/data/acme.db"


def test_a_registry_that_is_not_there_has_no_tenants(registry: TenantRegistry) -> None:
    assert registry.all() == []
    with pytest.raises(PowerFillError) as caught:
        registry.get("acme")
    assert (caught.value.category, caught.value.reason) == (Category.NOT_FOUND, Reason.TENANT_UNKNOWN)
    assert caught.value.metadata == {"tenant_id": "acme"}


def test_a_new_registry_is_its_owners_alone(registry: TenantRegistry) -> None:
    registry.add("acme", URL)
    assert registry.path.stat().st_mode & 0o777 == 0o600


def test_a_change_of_the_file_counts_at_once(registry: TenantRegistry) -> None:
    registry.add("acme", URL)
    registry.get("acme")
    TenantRegistry(registry.path).add("birch", URL)
    assert registry.get("birch").tenant_id == "birch"
    TenantRegistry(registry.path).remove("acme")
    with pytest.raises(PowerFillError, match="no tenant 'acme'"):
        registry.get("acme")
    registry.path.unlink()
    assert registry.all() == []


def test_other_entries_are_written_back_as_they_were(registry: TenantRegistry) -> None:
    written(registry, "tenants:\n  acme:\n    url: postgresql+asyncpg://u:${ACME_PASSWORD}@h/acme\n")
    registry.add("birch", URL)
    assert "${ACME_PASSWORD}" in registry.path.read_text()


@pytest.mark.parametrize("tenant_id", ["", "a b", "../etc", "-x", "x" * 65, "ä"])
def test_an_impossible_id_is_refused(registry: TenantRegistry, tenant_id: str) -> None:
    with pytest.raises(PowerFillError) as caught:
        registry.add(tenant_id, URL)
    assert caught.value.category is Category.INVALID_ARGUMENT
    assert caught.value.fields[0].field == "tenant_id"
    assert not registry.path.exists()


def test_how_many_runs_are_kept_is_ten_unless_told_and_counts_at_once(registry: TenantRegistry) -> None:
    registry.add("acme", URL)
    registry.add("birch", URL, keep_runs=3)
    assert [tenant.keep_runs for tenant in registry.all()] == [10, 3]
    registry.path.write_text(registry.path.read_text().replace("keep_runs: 3", "keep_runs: 250"))
    assert registry.get("birch").keep_runs == 250


@pytest.mark.parametrize("keep_runs", ["0", "-1", "1.5", "'3'", "true", "null", "[3]"])
def test_keeping_no_run_or_no_number_of_them_is_refused(registry: TenantRegistry, keep_runs: str) -> None:
    written(registry, f"tenants:\n  acme:\n    url: {URL}\n    keep_runs: {keep_runs}\n")
    with pytest.raises(PowerFillError, match=r"tenant 'acme': keep_runs: .* it must be a whole number of at least 1"):
        registry.get("acme")


@pytest.mark.parametrize("zone", ["Nowhere/City", "", "../../etc/passwd", "/etc/localtime"])
def test_an_unknown_time_zone_is_refused(registry: TenantRegistry, zone: str) -> None:
    with pytest.raises(PowerFillError, match="is no time zone"):
        registry.add("acme", URL, zone)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "must be the URL of a database"),
        ("acme.db", "is no URL"),
        ("sqlite:///acme.db", "its driver must be one of sqlite\\+aiosqlite, "),
        ("sqlite+aiosqlite://", "is a file"),
        ("sqlite+aiosqlite:///:memory:", "is a file"),
        ("sqlite+aiosqlite://data/acme.db", "is a file"),
        ("sqlite+aiosqlite:////data/acme.db?mode=rwc", "is a file"),
        (f"postgresql+asyncpg://u:{SECRET}@h:port/acme", "is no URL"),
    ],
)
def test_an_impossible_url_is_refused_and_not_shown(registry: TenantRegistry, url: str, message: str) -> None:
    with pytest.raises(PowerFillError, match=message) as caught:
        registry.add("acme", url)
    assert caught.value.category is Category.INVALID_ARGUMENT
    assert caught.value.fields[0].field == "url"
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_name_in_use_is_refused(registry: TenantRegistry) -> None:
    registry.add("acme", URL)
    with pytest.raises(PowerFillError) as caught:
        registry.add("acme", SECRET_URL)
    assert caught.value.category is Category.ALREADY_EXISTS
    assert registry.get("acme").url.reveal().database == "/data/acme.db"


def test_removing_a_tenant_that_is_not_there(registry: TenantRegistry) -> None:
    with pytest.raises(PowerFillError) as caught:
        registry.remove("acme")
    assert caught.value.reason is Reason.TENANT_UNKNOWN


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"tenants:\n  acme:\n   url: *{SECRET}\n", "line 3 is not valid YAML"),
        (f"tenants:\n\t{SECRET}", "line 2 is not valid YAML"),
        (f"- {SECRET}", "it must have the one key `tenants`"),
        (f"tenants: {SECRET}", "`tenants` must be a mapping"),
        (f"tenants:\n  acme: {SECRET}", "tenant 'acme': tenant: must have `url`"),
        ("tenants:\n  acme:\n    time_zone: UTC", "tenant 'acme': tenant: must have `url`"),
        (f"tenants:\n  acme:\n    url: {SECRET_URL}\n    password: {SECRET}", "tenant 'acme': tenant: must have `url`"),
        ("tenants:\n  acme:\n    url: [1]", "url: must be the URL of a database"),
        ("tenants:\n  a b:\n    url: x", "tenant 'a b': tenant_id: must be"),
        ("tenants:\n  1:\n    url: x", "tenant 1: tenant_id: must be"),
        (f"tenants:\n  acme:\n    url: {SECRET_URL}\n    time_zone: 7", "time_zone: 7 is no time zone"),
    ],
)
def test_a_bad_file_is_told_by_its_place_and_never_by_its_content(registry: TenantRegistry, text: str, message: str) -> None:
    written(registry, text)
    for act in (registry.all, lambda: registry.get("acme"), lambda: registry.add("birch", URL), lambda: registry.remove("acme")):
        with pytest.raises(PowerFillError) as caught:
            act()
        assert caught.value.category is Category.UNAVAILABLE
        assert message in caught.value.message
        assert registry.path.name in caught.value.message
        assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert registry.path.read_text() == text


def test_a_file_that_is_mended_serves_again(registry: TenantRegistry) -> None:
    written(registry, "tenants: [")
    with pytest.raises(PowerFillError):
        registry.all()
    written(registry, f"tenants:\n  acme:\n    url: {URL}\n")
    assert registry.get("acme").tenant_id == "acme"


@pytest.mark.parametrize("text", ["", "tenants:", "tenants: {}"])
def test_an_empty_registry(registry: TenantRegistry, text: str) -> None:
    assert written(registry, text).all() == []


def test_placeholders_are_resolved_when_the_url_is_used(
    registry: TenantRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    (tmp_path / "url").write_text(f"{SECRET_URL}\n")
    registry.add("by-variable", "postgresql+asyncpg://desk:${ACME_PASSWORD}@h/acme")
    registry.add("by-file", f"postgresql+asyncpg://desk:${{file:{tmp_path}/password}}@h/acme")
    registry.add("whole", f"file:{tmp_path}/url")
    with pytest.raises(PowerFillError, match="the environment variable ACME_PASSWORD is not set") as caught:
        registry.get("by-variable").url.reveal()
    assert caught.value.category is Category.UNAVAILABLE
    monkeypatch.setenv("ACME_PASSWORD", SECRET)
    for tenant in registry.all():
        assert tenant.url.reveal().password == SECRET
    (tmp_path / "url").unlink()
    with pytest.raises(PowerFillError, match=r"the file .*url cannot be read"):
        registry.get("whole").url.reveal()


def test_a_url_shows_itself_to_nobody(registry: TenantRegistry) -> None:
    tenant = registry.add("acme", SECRET_URL)
    for text in (
        repr(tenant),
        str(tenant),
        f"{tenant.url}",
        repr(tenant.url),
        repr(registry),
        tenant.url.describe(),
        repr([tenant]),
    ):
        assert SECRET not in text
        assert "desk" not in text
    assert tenant.url.describe() == "PostgreSQL db.internal/acme"
    with pytest.raises(TypeError, match="is not pickled"):
        pickle.dumps(tenant)


def _add(path: Path, number: int) -> None:
    TenantRegistry(path).add(f"tenant-{number}", URL)


def test_several_processes_add_at_once(registry: TenantRegistry) -> None:
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(4) as pool:
        pool.starmap(_add, [(registry.path, number) for number in range(8)])
    assert len(registry.all()) == 8

"""Who gets in, for how long and with which rights, on both databases."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import delete, text

from gridmap.domain.roles import Permission, Role, User
from gridmap.errors import AuthenticationRequired, InvalidInput, NotFound, PermissionDenied, StateConflict
from gridmap.services import accounts
from gridmap.services.accounts import (
    CONSOLE,
    PasswordChangeRequired,
    SignInFailed,
    TooManySignIns,
    WeakPassword,
)
from gridmap.services.district import District
from gridmap.services.frames import Frames
from gridmap.storage import access_log
from gridmap.storage.tables import metadata
from tests.support.clock import FakeClock
from tests.support.district import VIEWER, make_district, seed

HERE, THERE = "10.1.1.7", "10.1.1.8"
GOOD, OTHER = "grey-otter-48-moss", "calm-heron-52-reed"


@pytest.fixture(autouse=True)
def cheap_hasher(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real algorithm with less work: what is tested does not depend on its cost."""
    monkeypatch.setattr(
        accounts.passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    )


@pytest.fixture(scope="module", params=["gpkg", "postgis"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    """One store of each kind for the whole file: making one takes longer than most tests here."""
    home = tmp_path_factory.mktemp("accounts")
    if request.param == "gpkg":
        made = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
        yield made
        made.close()
        return
    with request.getfixturevalue("postgis_cluster").database() as url:
        made = make_district(url, home, FakeClock())
        yield made
        made.close()


@pytest.fixture
def district(store: District, clock: FakeClock) -> Iterator[District]:
    yield replace(store, clock=clock, frames=Frames(store.database))
    with store.database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name != "district_state":
                connection.execute(delete(table))


@pytest.fixture
def admin(district: District) -> User:
    """An administrator who may sign in with GOOD."""
    return settled(district, "chief", Role.ADMIN)


def settled(district: District, username: str, role: Role = Role.VIEWER, **rights) -> User:
    """An account whose first password was changed to GOOD, as its user."""
    first = accounts.add(district, CONSOLE, username=username, display_name="示例", role=role, **rights)
    user = accounts.sign_in(district, username, first, address=HERE).user
    accounts.change_password(district, user, first, GOOD)
    return accounts.sign_in(district, username, GOOD, address=HERE).user


def sign_in(district: District, username: str, password: str = GOOD, address: str = HERE) -> str:
    return accounts.sign_in(district, username, password, address=address).key


def lines(district: District, *kinds: str) -> list[access_log.Access]:
    with district.database.read() as connection:
        return access_log.newest(connection, kinds=kinds)


def everything_stored(district: District) -> str:
    with district.database.read() as connection:
        tables = ("account", "session", "api_token", "access_log")
        return "\n".join(str(connection.execute(text(f"SELECT * FROM {one}")).all()) for one in tables)


# --- signing in ----------------------------------------------------------------------------------------


def test_the_right_password_opens_a_session_with_the_accounts_rights(district: District, admin: User) -> None:
    key = sign_in(district, "chief")

    user = accounts.user_of_session(district, key, address=HERE)
    assert (user.username, user.role, user.address) == ("chief", Role.ADMIN, HERE)
    assert user.area == {"*"}
    assert not user.must_change_password
    assert [one.username for one in lines(district, "sign_in")][:1] == ["chief"]


def test_the_username_may_be_typed_in_capitals_and_with_spaces(district: District, admin: User) -> None:
    assert accounts.user_of_session(district, sign_in(district, " Chief ")).username == "chief"


def test_a_full_width_password_is_the_same_password(district: District, admin: User) -> None:
    sign_in(district, "chief", "grey-otter-48-moss")


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("chief", "wrong"),
        ("nobody", GOOD),
        ("", ""),
        ("chief", ""),
        ("chief", "x" * 100_000),
        ("chief", "\ud800\x00"),
        ("\ud800\x00", "x"),
    ],
)
def test_wrong_name_and_wrong_password_are_refused_alike(
    district: District, admin: User, username: str, password: str
) -> None:
    with pytest.raises(SignInFailed) as refusal:
        sign_in(district, username, password)
    assert (refusal.value.status, refusal.value.chinese()) == (401, SignInFailed().chinese())
    assert len(lines(district, "sign_in_failed")) == 1


def test_an_unknown_name_costs_the_same_work_as_a_known_one(
    district: District, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Counting(PasswordHasher):
        def verify(self, hash, password):
            asked.append(hash)
            return super().verify(hash, password)

    monkeypatch.setattr(accounts.passwords, "HASHER", Counting(time_cost=1, memory_cost=8, parallelism=1))
    for name in ("chief", "nobody"):
        with pytest.raises(SignInFailed):
            sign_in(district, name, "wrong")
    assert len(asked) == 2


def test_a_password_typed_as_the_name_is_not_logged(district: District, admin: User) -> None:
    with pytest.raises(SignInFailed):
        sign_in(district, GOOD, "")
    assert GOOD not in everything_stored(district)
    assert lines(district, "sign_in_failed")[0].username.startswith("?")


def test_neither_passwords_nor_keys_nor_tokens_are_stored(district: District, admin: User) -> None:
    key = sign_in(district, "chief")
    token = accounts.create_token(district, admin, "chief", "QGIS", 30)
    stored = everything_stored(district)
    assert not [secret for secret in (GOOD, key, token, token.removeprefix("gm_")) if secret in stored]
    assert "$argon2id$" in stored


def test_a_hash_of_older_strength_is_renewed_at_sign_in(
    district: District, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        accounts.passwords, "HASHER", PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    )
    sign_in(district, "chief")
    assert "t=2" in everything_stored(district)
    sign_in(district, "chief")


# --- the limit of attempts -----------------------------------------------------------------------------


def fail(district: District, times: int, username: str = "chief", address: str = HERE) -> None:
    for _ in range(times):
        with pytest.raises(SignInFailed):
            sign_in(district, username, "wrong", address)


def test_after_ten_failures_even_the_right_password_waits_a_minute(
    district: District, admin: User, clock: FakeClock
) -> None:
    fail(district, 10)
    with pytest.raises(TooManySignIns) as refusal:
        sign_in(district, "chief")
    assert (refusal.value.status, refusal.value.retry_after) == (429, 60)
    sign_in(district, "chief", address=THERE)

    clock.advance(seconds=59)
    with pytest.raises(TooManySignIns):
        sign_in(district, "chief")
    clock.advance(seconds=1)
    sign_in(district, "chief")


def test_one_address_may_not_try_many_names(district: District, admin: User) -> None:
    for number in range(5):
        fail(district, 10, f"name{number}")
    with pytest.raises(TooManySignIns):
        sign_in(district, "chief")


def test_successful_sign_ins_do_not_count(district: District, admin: User) -> None:
    for _ in range(12):
        sign_in(district, "chief")


def test_being_turned_away_is_logged_once_a_minute(district: District, admin: User, clock: FakeClock) -> None:
    fail(district, 10)
    for _ in range(3):
        with pytest.raises(TooManySignIns):
            sign_in(district, "chief")
    assert [(one.username, one.detail) for one in lines(district, "refusal")] == [("chief", "失败次数过多")]


def test_attempts_made_at_once_are_counted_too(district: District, admin: User) -> None:
    outcomes: list[type] = []

    def attempt() -> None:
        try:
            sign_in(district, "chief", "wrong")
        except (SignInFailed, TooManySignIns) as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=attempt) for _ in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(outcomes) == 16
    assert outcomes.count(SignInFailed) == 10


def test_guessing_the_old_password_counts_as_failed_sign_ins(district: District, admin: User) -> None:
    for _ in range(10):
        with pytest.raises(SignInFailed):
            accounts.change_password(district, admin, "wrong", OTHER)
    with pytest.raises(TooManySignIns):
        accounts.change_password(district, admin, GOOD, OTHER)


# --- sessions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", "guess", "x" * 10_000, "\ud800"])
def test_no_key_and_a_guessed_key_open_nothing(district: District, admin: User, key: str | None) -> None:
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, key)


def test_a_session_ends_after_half_an_hour_without_use(
    district: District, admin: User, clock: FakeClock
) -> None:
    key = sign_in(district, "chief")
    clock.advance(minutes=29, seconds=59)
    accounts.user_of_session(district, key)
    clock.advance(minutes=29, seconds=59)
    accounts.user_of_session(district, key)
    clock.advance(minutes=30)
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, key)


def test_a_heartbeat_does_not_keep_a_session_alive(district: District, admin: User, clock: FakeClock) -> None:
    key = sign_in(district, "chief")
    clock.advance(minutes=20)
    accounts.user_of_session(district, key, touch=False)
    clock.advance(minutes=10)
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, key)


def test_a_session_ends_after_twelve_hours_however_busy(
    district: District, admin: User, clock: FakeClock
) -> None:
    key = sign_in(district, "chief")
    for _ in range(12 * 3 - 1):
        clock.advance(minutes=20)
        accounts.user_of_session(district, key)
    clock.advance(minutes=20)
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, key)


def test_use_is_written_down_at_most_once_a_minute(district: District, admin: User, clock: FakeClock) -> None:
    key = sign_in(district, "chief")
    start = clock()
    clock.advance(seconds=59)
    accounts.user_of_session(district, key)
    assert max(one.seen_at for one in accounts.own_sessions(district, admin)) == start
    clock.advance(seconds=1)
    accounts.user_of_session(district, key)
    assert max(one.seen_at for one in accounts.own_sessions(district, admin)) == start + timedelta(minutes=1)


def test_signing_out_ends_this_session_only(district: District, admin: User) -> None:
    here, there = sign_in(district, "chief"), sign_in(district, "chief", address=THERE)
    accounts.sign_out(district, here, address=HERE)
    accounts.sign_out(district, here, address=HERE)
    accounts.sign_out(district, None)
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, here)
    accounts.user_of_session(district, there)
    assert len(lines(district, "sign_out")) == 1


def test_own_sessions_mark_the_present_one_and_end_the_others(district: District, admin: User) -> None:
    here, there = sign_in(district, "chief"), sign_in(district, "chief", address=THERE)
    mine = accounts.own_sessions(district, admin, key=here)
    assert [one.address for one in mine if one.is_current] == [HERE]
    assert THERE in {one.address for one in mine}
    accounts.end_own_sessions(district, admin, key=here)
    assert [one.is_current for one in accounts.own_sessions(district, admin, key=here)] == [True]
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, there)


def test_dead_sessions_are_forgotten_when_somebody_signs_in(
    district: District, admin: User, clock: FakeClock
) -> None:
    clock.advance(hours=1)
    sign_in(district, "chief")
    with district.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM session")).scalar() == 1


def test_what_the_store_holds_of_a_session_opens_nothing(district: District, admin: User) -> None:
    key = sign_in(district, "chief")
    with district.database.read() as connection:
        stored = connection.execute(text("SELECT key_hash FROM session")).scalar()
    for guess in (stored, key[:-1], key + "="):
        with pytest.raises(AuthenticationRequired):
            accounts.user_of_session(district, guess)


# --- passwords -----------------------------------------------------------------------------------------


def test_the_first_password_must_be_changed(district: District) -> None:
    first = accounts.add(district, CONSOLE, username="new", display_name="新人", role=Role.VIEWER)
    user = accounts.sign_in(district, "new", first, address=HERE).user
    with pytest.raises(PasswordChangeRequired) as refusal:
        accounts.require_settled(user)
    assert refusal.value.status == 403

    accounts.change_password(district, user, first, GOOD)
    accounts.require_settled(accounts.sign_in(district, "new", GOOD, address=HERE).user)
    with pytest.raises(SignInFailed):
        sign_in(district, "new", first)


def test_a_new_password_ends_the_other_sessions(district: District, admin: User) -> None:
    here, there = sign_in(district, "chief"), sign_in(district, "chief", address=THERE)
    accounts.change_password(district, admin, GOOD, OTHER, key=here)
    accounts.user_of_session(district, here)
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, there)


@pytest.mark.parametrize("new", ["short", GOOD, "chief-otter-48-moss", "Password!2026"])
def test_a_weak_or_unchanged_password_is_refused(district: District, admin: User, new: str) -> None:
    key = sign_in(district, "chief")
    with pytest.raises(WeakPassword):
        accounts.change_password(district, admin, GOOD, new)
    accounts.user_of_session(district, key)
    sign_in(district, "chief")


def test_the_old_password_is_asked_for(district: District, admin: User) -> None:
    with pytest.raises(SignInFailed):
        accounts.change_password(district, admin, OTHER, OTHER)
    sign_in(district, "chief", GOOD)


# --- administration ------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[District, User], object]] = {
    "add": lambda d, u: accounts.add(d, u, username="x1", display_name="x", role=Role.ADMIN),
    "reset": lambda d, u: accounts.reset_password(d, u, "chief"),
    "revoke": lambda d, u: accounts.revoke_sessions(d, u, "chief"),
    "close": lambda d, u: accounts.set_active(d, u, "chief", False),
    "rights": lambda d, u: accounts.set_rights(d, u, "mouse", role=Role.ADMIN),
    "token": lambda d, u: accounts.create_token(d, u, "chief", "x", 1),
    "tokens": lambda d, u: accounts.list_tokens(d, u),
    "accounts": lambda d, u: accounts.list_accounts(d, u),
    "sessions": lambda d, u: accounts.list_sessions(d, u),
    "log": lambda d, u: accounts.access_lines(d, u),
}


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("role", [one for one in Role if one is not Role.ADMIN])
def test_nobody_but_an_administrator_administers(district: District, what: str, role: Role) -> None:
    mouse = User("mouse", "示例", role, address=HERE)
    with pytest.raises(PermissionDenied):
        WRITES[what](district, mouse)
    assert [(one.username, one.address) for one in lines(district, "refusal")] == [("mouse", HERE)]
    assert accounts.list_accounts(district, CONSOLE) == []


def test_an_administrator_opens_an_account_for_an_area(district: District, admin: User) -> None:
    seed(district)
    accounts.add(
        district, admin, username="West.01", display_name=" 西镇民警 ", role=Role.OFFICER,
        layers=["workstation", "risk"], area=["310199101", "310199102001001"],
    )  # fmt: skip
    made = {one.username: one for one in accounts.list_accounts(district, admin)}["west.01"]
    assert (made.display_name, made.role, made.must_change_password) == ("西镇民警", Role.OFFICER, True)
    assert made.layers == {"workstation", "risk"}
    assert made.area == {"310199101", "310199102001001"}
    assert ("add", "west.01") in {(one.action, one.target) for one in lines(district, "account")}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"username": "chief"}, StateConflict),
        ({"username": "a"}, InvalidInput),
        ({"username": "has space"}, InvalidInput),
        ({"username": "<script>"}, InvalidInput),
        ({"username": "-x1"}, InvalidInput),
        ({"display_name": "  "}, InvalidInput),
        ({"display_name": "民警13800138000"}, InvalidInput),
        ({"layers": ["unknown"]}, NotFound),
        ({"area": ["999"]}, InvalidInput),
        ({"password": "short"}, WeakPassword),
    ],
)
def test_a_wrong_account_is_refused(district: District, admin: User, wrong: dict, error: type) -> None:
    with pytest.raises(error):
        accounts.add(
            district, admin, **{"username": "new", "display_name": "新人", "role": Role.VIEWER} | wrong
        )
    assert [one.username for one in accounts.list_accounts(district, admin)] == ["chief"]


def test_only_roles_for_the_whole_district_get_it_by_themselves(district: District, admin: User) -> None:
    for role in Role:
        accounts.add(district, admin, username=role.value, display_name="示例", role=role)
    everywhere = {one.role for one in accounts.list_accounts(district, admin) if one.area == {"*"}}
    assert everywhere == {Role.ADMIN, Role.GRID_KEEPER, Role.ANALYST}


def test_a_reset_password_ends_all_sessions_and_must_be_changed(district: District, admin: User) -> None:
    settled(district, "mouse")
    key = sign_in(district, "mouse")
    temporary = accounts.reset_password(district, admin, "mouse")
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, key)
    with pytest.raises(SignInFailed):
        sign_in(district, "mouse", GOOD)
    assert accounts.sign_in(district, "mouse", temporary, address=HERE).user.must_change_password
    assert temporary not in everything_stored(district)


def test_a_closed_account_is_out_at_once_and_may_come_back(district: District, admin: User) -> None:
    mouse = settled(district, "mouse")
    key, token = sign_in(district, "mouse"), accounts.create_token(district, mouse, "mouse", "脚本", 5)
    accounts.set_active(district, admin, "mouse", False)
    for ask, secret in ((accounts.user_of_session, key), (accounts.user_of_token, token)):
        with pytest.raises(AuthenticationRequired):
            ask(district, secret)
    with pytest.raises(SignInFailed):
        sign_in(district, "mouse")
    assert lines(district, "sign_in_failed")[0].detail == "账号已停用"

    accounts.set_active(district, admin, "mouse", True)
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, key)
    sign_in(district, "mouse")


def test_a_new_role_ends_sessions_and_other_rights_hold_at_once(district: District, admin: User) -> None:
    seed(district)
    settled(district, "mouse", Role.OFFICER)
    key = sign_in(district, "mouse")
    accounts.set_rights(district, admin, "mouse", area=["310199101"], layers=["risk"], display_name="西镇")
    user = accounts.user_of_session(district, key)
    assert (user.area, user.layers, user.display_name) == ({"310199101"}, {"risk"}, "西镇")

    accounts.set_rights(district, admin, "mouse", role=Role.OFFICER)
    accounts.user_of_session(district, key)
    accounts.set_rights(district, admin, "mouse", role=Role.VIEWER)
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, key)
    assert not accounts.sign_in(district, "mouse", GOOD, address=HERE).user.may(Permission.EDIT_ELEMENTS)


def test_nobody_changes_the_own_role_or_closes_or_resets_the_own_account(
    district: District, admin: User
) -> None:
    settled(district, "second", Role.ADMIN)
    with pytest.raises(StateConflict):
        accounts.set_rights(district, admin, "chief", role=Role.VIEWER)
    with pytest.raises(StateConflict):
        accounts.set_active(district, admin, "chief", False)
    with pytest.raises(StateConflict):
        accounts.reset_password(district, admin, "chief")
    accounts.set_rights(district, admin, "chief", role=Role.ADMIN, display_name="所长")


def test_the_last_active_administrator_stays(district: District, admin: User) -> None:
    with pytest.raises(StateConflict):
        accounts.set_active(district, CONSOLE, "chief", False)
    with pytest.raises(StateConflict):
        accounts.set_rights(district, CONSOLE, "chief", role=Role.VIEWER)
    settled(district, "second", Role.ADMIN)
    accounts.set_active(district, CONSOLE, "chief", False)
    with pytest.raises(StateConflict):
        accounts.set_active(district, CONSOLE, "second", False)


def test_two_administrators_who_close_each_other_leave_one(district: District, admin: User) -> None:
    second = settled(district, "second", Role.ADMIN)
    start = threading.Barrier(2)

    def close(actor: User, other: str) -> None:
        start.wait()
        try:
            accounts.set_active(district, actor, other, False)
        except StateConflict:
            refused.append(other)

    refused: list[str] = []
    threads = [threading.Thread(target=close, args=pair) for pair in ((admin, "second"), (second, "chief"))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(refused) == 1
    assert [one.username for one in accounts.list_accounts(district, CONSOLE) if one.is_active] == refused


@pytest.mark.parametrize("what", ["reset", "revoke", "close", "rights", "token"])
def test_an_account_that_does_not_exist_is_named(district: District, admin: User, what: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "reset": lambda: accounts.reset_password(district, admin, "ghost"),
        "revoke": lambda: accounts.revoke_sessions(district, admin, "ghost"),
        "close": lambda: accounts.set_active(district, admin, "ghost", False),
        "rights": lambda: accounts.set_rights(district, admin, "ghost", role=Role.VIEWER),
        "token": lambda: accounts.create_token(district, admin, "ghost", "x", 1),
    }
    with pytest.raises(NotFound, match="ghost"):
        calls[what]()


def test_the_administrator_sees_living_sessions_and_may_end_them(district: District, admin: User) -> None:
    settled(district, "mouse")
    key = sign_in(district, "mouse", address=THERE)
    assert THERE in {
        one.address for one in accounts.list_sessions(district, admin) if one.username == "mouse"
    }
    assert accounts.revoke_sessions(district, admin, "mouse") == 2
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, key)
    assert {one.username: one.session_count for one in accounts.list_accounts(district, admin)}["mouse"] == 0


# --- tokens --------------------------------------------------------------------------------------------


def test_a_token_acts_with_the_accounts_rights_until_its_end(
    district: District, admin: User, clock: FakeClock
) -> None:
    mouse = settled(district, "mouse", Role.ANALYST)
    token = accounts.create_token(district, mouse, "mouse", "QGIS", 2)
    assert accounts.user_of_token(district, token, address=HERE) == mouse
    [row] = accounts.list_tokens(district, mouse, "mouse")
    assert (row.label, row.used_at, row.is_valid) == ("QGIS", clock(), True)

    clock.advance(days=2)
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_token(district, token)
    assert not accounts.list_tokens(district, mouse, "mouse")[0].is_valid


def test_a_revoked_token_is_out_at_once(district: District, admin: User) -> None:
    mouse = settled(district, "mouse")
    token = accounts.create_token(district, admin, "mouse", "脚本", 2)
    [row] = accounts.list_tokens(district, admin)
    accounts.revoke_token(district, mouse, row.id)
    accounts.revoke_token(district, mouse, row.id)
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_token(district, token)
    with pytest.raises(NotFound):
        accounts.revoke_token(district, mouse, "ghost")


def test_people_handle_only_their_own_tokens(district: District, admin: User) -> None:
    accounts.create_token(district, admin, "chief", "QGIS", 2)
    [row] = accounts.list_tokens(district, admin)
    for call in (
        lambda: accounts.create_token(district, VIEWER, "chief", "x", 2),
        lambda: accounts.list_tokens(district, VIEWER, "chief"),
        lambda: accounts.revoke_token(district, VIEWER, row.id),
    ):
        with pytest.raises(PermissionDenied):
            call()


@pytest.mark.parametrize(("label", "days"), [(" ", 5), ("x", 0), ("x", 731), ("x", -1)])
def test_a_token_needs_a_label_and_an_end(district: District, admin: User, label: str, days: int) -> None:
    with pytest.raises(InvalidInput):
        accounts.create_token(district, admin, "chief", label, days)


@pytest.mark.parametrize("token", ["", "gm_", "gm_guess", "\ud800"])
def test_a_guessed_token_opens_nothing(district: District, admin: User, token: str) -> None:
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_token(district, token)


# --- demo accounts -------------------------------------------------------------------------------------


def test_the_demo_has_an_account_per_role_and_officers_of_two_towns(district: District) -> None:
    seed(district)
    assert not accounts.has_demo_accounts(district)
    passwords = accounts.create_demo_accounts(district)
    assert accounts.has_demo_accounts(district)

    users = {one: accounts.sign_in(district, one, word, address=HERE).user for one, word in passwords.items()}
    assert {one.role for one in users.values()} == set(Role)
    assert (users["officer"].area, users["officer2"].area) == ({"310199101"}, {"310199102"})
    assert users["officer"].display_name == "示例民警01"
    assert not any(one.must_change_password for one in users.values())
    assert len(set(passwords.values())) == 7


def test_the_demo_again_gives_new_passwords_to_the_same_accounts(district: District) -> None:
    first = accounts.create_demo_accounts(district, ["a", "b"])
    key = accounts.sign_in(district, "admin", first["admin"], address=HERE).key
    second = accounts.create_demo_accounts(district, ["a", "b"])
    assert len(accounts.list_accounts(district, CONSOLE)) == 7
    assert not set(first.values()) & set(second.values())
    with pytest.raises(AuthenticationRequired):
        accounts.user_of_session(district, key)
    with pytest.raises(SignInFailed):
        accounts.sign_in(district, "admin", first["admin"], address=HERE)


def test_the_demo_takes_no_real_account_over(district: District) -> None:
    accounts.add(district, CONSOLE, username="admin", display_name="真", role=Role.ADMIN, password=GOOD)
    with pytest.raises(StateConflict):
        accounts.create_demo_accounts(district)
    assert [one.username for one in accounts.list_accounts(district, CONSOLE)] == ["admin"]
    sign_in(district, "admin", GOOD)


def test_closing_every_demo_account_ends_the_demo(district: District, admin: User) -> None:
    for username in accounts.create_demo_accounts(district):
        accounts.set_active(district, admin, username, False)
    assert not accounts.has_demo_accounts(district)

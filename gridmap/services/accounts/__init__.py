"""
Accounts: who may sign in, with which rights; their sessions and API tokens.

Sign-in by an identity provider (OIDC) is prepared in the table (`oidc_subject`) and not wired.
"""

from gridmap.services.accounts.areas import area_choices, area_titles, may_write
from gridmap.services.accounts.demo import create_demo_accounts, demo_user, has_demo_accounts
from gridmap.services.accounts.passwords import WeakPassword
from gridmap.services.accounts.people import (
    Account,
    access_lines,
    add,
    list_accounts,
    reset_password,
    revoke_sessions,
    set_active,
    set_rights,
)
from gridmap.services.accounts.rows import CONSOLE
from gridmap.services.accounts.sessions import (
    PasswordChangeRequired,
    Session,
    SignIn,
    SignInFailed,
    TooManySignIns,
    change_password,
    end_own_sessions,
    list_sessions,
    own_sessions,
    require_settled,
    sign_in,
    sign_out,
    user_of_session,
)
from gridmap.services.accounts.tokens import (
    MAX_TOKEN_DAYS,
    TOKEN_PREFIX,
    Token,
    create_token,
    list_tokens,
    revoke_token,
    user_of_token,
)

__all__ = [
    "CONSOLE", "MAX_TOKEN_DAYS", "TOKEN_PREFIX", "Account", "PasswordChangeRequired", "Session", "SignIn", "SignInFailed",
    "Token", "TooManySignIns", "WeakPassword", "access_lines", "add", "area_choices", "area_titles", "change_password",
    "create_demo_accounts", "demo_user", "create_token", "end_own_sessions", "has_demo_accounts", "list_accounts", "list_sessions",
    "list_tokens", "may_write", "own_sessions", "require_settled", "reset_password", "revoke_sessions", "revoke_token",
    "set_active", "set_rights", "sign_in", "sign_out", "user_of_session", "user_of_token",
]  # fmt: skip

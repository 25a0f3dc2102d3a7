"""Commands on accounts and tokens."""

from __future__ import annotations

import click

from gridmap.cli.common import OPERATOR, answer, json_option, opened, refusals
from gridmap.domain.roles import Role
from gridmap.services import accounts

_ROLES = click.Choice([role.value for role in Role])


@click.group()
def user() -> None:
    """Accounts: add, list, reset a password, deactivate, activate."""


@user.command()
@click.argument("username")
@click.option("--role", type=_ROLES, required=True)
@click.option("--display-name", help="Name of the post; the username without it.")
@click.option(
    "--area", multiple=True, help="Grid or town code inside which the account may write; '*' for all."
)
@click.option(
    "--layer", "layers", multiple=True, help="Layer the account may edit; every layer of its role without."
)
@json_option
@refusals
def add(
    username: str,
    role: str,
    display_name: str | None,
    area: tuple[str, ...],
    layers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add an account. Its random first password shows once and must be changed at the first sign-in."""
    with opened() as district:
        password = accounts.add(
            district,
            OPERATOR,
            username=username,
            display_name=display_name or username,
            role=Role(role),
            layers=layers or ("*",),
            area=area or None,
        )
    text = f"已建立账号 {username}。首次密码(只显示这一次,首次登录须修改):{password}"
    answer({"username": username, "password": password}, text, as_json=as_json)


@user.command(name="list")
@json_option
@refusals
def list_users(as_json: bool) -> None:
    """List all accounts."""
    with opened() as district:
        found = accounts.list_accounts(district, OPERATOR)
    rows = [
        {
            "username": one.username,
            "display_name": one.display_name,
            "role": one.role.value,
            "area": sorted(one.area),
            "layers": sorted(one.layers),
            "is_active": one.is_active,
        }
        for one in found
    ]
    lines = [
        f"{one.username:<16} {one.role.title:<8} {'在用' if one.is_active else '停用'}  {one.display_name}"
        for one in found
    ]
    answer({"accounts": rows}, "\n".join(lines), as_json=as_json)


@user.command()
@click.argument("username")
@json_option
@refusals
def reset(username: str, as_json: bool) -> None:
    """Give an account a new random password, shown once; all its sessions end."""
    with opened() as district:
        password = accounts.reset_password(district, OPERATOR, username)
    answer({"username": username, "password": password}, f"{username} 的新密码:{password}", as_json=as_json)


@user.command()
@click.argument("username")
@refusals
def deactivate(username: str) -> None:
    """Close an account; its history stays."""
    with opened() as district:
        accounts.set_active(district, OPERATOR, username, False)
    click.echo(f"已停用 {username}。")


@user.command()
@click.argument("username")
@refusals
def activate(username: str) -> None:
    """Open a closed account again."""
    with opened() as district:
        accounts.set_active(district, OPERATOR, username, True)
    click.echo(f"已启用 {username}。")


@click.group()
def token() -> None:
    """Tokens with which programs (QGIS, GDAL, scripts) act with an account's rights."""


@token.command(name="create")
@click.argument("username")
@click.option("--label", default="cli", show_default=True, help="What the token is for.")
@click.option("--days", default=365, show_default=True, type=click.IntRange(1, 3650))
@json_option
@refusals
def create_token(username: str, label: str, days: int, as_json: bool) -> None:
    """Make a token for an account; it shows once."""
    with opened() as district:
        made = accounts.create_token(district, OPERATOR, username, label, days)
    answer({"token": made, "username": username, "days": days}, made, as_json=as_json)


@token.command(name="list")
@json_option
@refusals
def list_tokens(as_json: bool) -> None:
    """List tokens: whose, what for, still valid or not. Never the tokens themselves."""
    with opened() as district:
        found = accounts.list_tokens(district, OPERATOR)
    rows = [
        {"id": one.id, "username": one.username, "label": one.label, "is_valid": one.is_valid}
        for one in found
    ]
    lines = [
        f"{one['id']}  {one['username']:<16} {'有效' if one['is_valid'] else '失效'}  {one['label']}"
        for one in rows
    ]
    answer({"tokens": rows}, "\n".join(lines), as_json=as_json)


@token.command(name="revoke")
@click.argument("token_id")
@refusals
def revoke_token(token_id: str) -> None:
    """End a token, by its id."""
    with opened() as district:
        accounts.revoke_token(district, OPERATOR, token_id)
    click.echo("令牌已失效。")


COMMANDS: tuple[click.Command, ...] = (user, token)

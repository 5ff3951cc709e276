"""Prepare an InfluxDB 1.x or openGemini: database, retention policy, users and grants.

Law: users are created only if authentication is enabled, because otherwise they have no effect.

Source: InfluxDB 1.8 documentation, "Authentication and authorization", "Database management".
"""

import secrets
from collections.abc import AsyncIterator

from jieneng.storage import influxql
from jieneng.storage.influx_http import AccessRefused, InfluxHttp
from jieneng.storage.preparing.steps import ACCOUNTS, Account, Done, Note, Secret, Steps
from jieneng.storage.retention import shard_s

#: Names of rights in GRANT, by (reads, writes), and in SHOW GRANTS, by the name in GRANT.
_GRANTED_RIGHTS = {(True, False): "READ", (False, True): "WRITE", (True, True): "ALL"}
_SHOWN_RIGHTS = {"READ": "READ", "WRITE": "WRITE", "ALL": "ALL PRIVILEGES"}
#: openGemini requires an upper-case and a lower-case letter, a digit and a sign.
_SIGNS = "-Aa1"


async def prepare_influxql(
    admin: InfluxHttp, anonymous: InfluxHttp, steps: Steps
) -> AsyncIterator[Done | Note | Secret]:
    """Create the missing database, users and grants, and yield an event for each step.

    Args:
        admin: connections of an administrator.
        anonymous: connections without credentials.
        steps: runs the steps, or only reports them in a dry run.
    """
    options = steps.options
    names = influxql.rows(await admin.ask("GET", "SHOW DATABASES"))
    has_database = {"name": options.database} in names
    yield await steps.do(
        "database {database}",
        {"database": options.database},
        is_there=has_database,
        action=lambda: admin.ask("POST", influxql.create_database(options.database)),
    )
    if options.retention_s is not None:
        yield await _retention(admin, steps, has_database=has_database)
    if not await _wants_login(anonymous):
        yield Note(
            "Authentication is disabled: anyone who reaches the port can read and write. Set "
            "auth-enabled = true in [http] of its configuration, then run this command again."
        )
        return
    users = {row["user"] for row in influxql.rows(await admin.ask("GET", "SHOW USERS"))}
    for account in ACCOUNTS:
        user = f"{options.database}_{account.name}"
        async for event in _user(admin, steps, account, user, has_user=user in users):
            yield event
        yield await _grant(admin, steps, account, user, has_user=user in users)


async def _retention(admin: InfluxHttp, steps: Steps, *, has_database: bool) -> Done:
    options = steps.options
    blocks = []
    if has_database or not options.dry_run:
        blocks = await admin.ask("GET", influxql.show_retention(options.database))
    policy = next((r["name"] for r in influxql.rows(blocks) if r["default"]), "autogen")
    wanted_s = options.retention_s or 0
    duration = f"{wanted_s}s" if wanted_s else "INF"
    statement = (
        f"ALTER RETENTION POLICY {influxql.identifier(str(policy))} "
        f"ON {influxql.identifier(options.database)} DURATION {duration} "
        f"SHARD DURATION {shard_s(wanted_s)}s"
    )
    return await steps.do(
        "retention of {database}: {days} days (0: without end)",
        {"database": options.database, "days": wanted_s // 86400},
        is_there=(influxql.retention_s(blocks) or 0) == wanted_s,
        action=lambda: admin.ask("POST", statement),
    )


async def _wants_login(anonymous: InfluxHttp) -> bool:
    try:
        await anonymous.ask("GET", "SHOW DATABASES")
    except AccessRefused:
        return True
    return False


async def _user(
    admin: InfluxHttp, steps: Steps, account: Account, user: str, *, has_user: bool
) -> AsyncIterator[Done | Secret]:
    made: list[Secret] = []

    async def make() -> str:
        password = secrets.token_urlsafe(24) + _SIGNS
        await admin.ask(
            "POST",
            f"CREATE USER {influxql.identifier(user)} WITH PASSWORD {influxql.quoted(password)}",
        )
        return password

    async def make_user() -> None:
        made.append(await steps.make_secret(user, f"{account.name}.password", make))

    yield await steps.do("user {user}", {"user": user}, is_there=has_user, action=make_user)
    for secret in made:
        yield secret


async def _grant(
    admin: InfluxHttp, steps: Steps, account: Account, user: str, *, has_user: bool
) -> Done:
    options, rights = steps.options, _GRANTED_RIGHTS[account.reads, account.writes]
    grants = []
    if has_user:
        statement = f"SHOW GRANTS FOR {influxql.identifier(user)}"
        grants = influxql.rows(await admin.ask("GET", statement))
    return await steps.do(
        "user {user} has {rights} on {database}",
        {"user": user, "rights": rights, "database": options.database},
        is_there={"database": options.database, "privilege": _SHOWN_RIGHTS[rights]} in grants,
        action=lambda: admin.ask(
            "POST",
            f"GRANT {rights} ON {influxql.identifier(options.database)} "
            f"TO {influxql.identifier(user)}",
        ),
    )

"""Prepare an InfluxDB 2: bucket, retention, DBRP mapping and tokens, through `influxdb-client`.

The client is an optional dependency, and imported only here. Its calls block, so they run in a
thread.

Law: a token is identified by its description; no second token with the same description is created.

Source: influxdb-client 1.50 (BucketsApi, DBRPsService, AuthorizationsApi).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from jieneng.metering.errors import StoreUnavailable, UsageError
from jieneng.storage.influx_http import AccessRefused
from jieneng.storage.preparing.steps import ACCOUNTS, Account, Done, Note, Secret, Steps
from jieneng.storage.retention import shard_s

if TYPE_CHECKING:
    from influxdb_client import InfluxDBClient

_Result = TypeVar("_Result")

#: Name of the retention policy in a DBRP mapping; the default policy of 1.x has the same name.
_POLICY = "autogen"


async def prepare_bucket(
    url: str, token: str, timeout_s: float, steps: Steps
) -> AsyncIterator[Done | Note | Secret]:
    """Create the missing bucket, mapping and tokens; yield one event for each step.

    Args:
        url: address of the server.
        token: an operator's or all-access token.
        timeout_s: time-out of a request [s].
        steps: runs the steps, or only reports them in a dry run.
    """
    try:
        from influxdb_client import InfluxDBClient
    except ImportError as error:
        raise UsageError(
            "preparing InfluxDB 2 needs influxdb-client, which is not installed. "
            "Run pip install 'jieneng[influx2]', then run this command again."
        ) from error
    with InfluxDBClient(url, token, timeout=int(timeout_s * 1000)) as client:
        async for event in _Bucket(client, url, steps).prepare():
            yield event


class _Bucket:
    """Preparation of one bucket with an open client."""

    def __init__(self, client: "InfluxDBClient", url: str, steps: Steps) -> None:
        self._client = client
        self._url = url
        self._steps = steps
        self._options = steps.options
        self._org_id = ""
        self._bucket: Any = None  # the client's classes have no types of their own

    async def prepare(self) -> AsyncIterator[Done | Note | Secret]:
        """Create the missing bucket, mapping and tokens; yield one event for each step."""
        self._org_id = await self._find_org()
        self._bucket = await self._find_bucket()
        yield await self._steps.do(
            "bucket {bucket}",
            {"bucket": self._options.database},
            is_there=self._bucket is not None,
            action=self._make_bucket,
        )
        if self._options.retention_s is not None:
            yield await self._retention()
        yield await self._steps.do(
            "mapping of bucket {bucket} to database {bucket}",
            {"bucket": self._options.database},
            is_there=await self._has_mapping(),
            action=self._make_mapping,
        )
        found = await self._call(
            lambda: self._client.authorizations_api().find_authorizations(org_id=self._org_id)
        )
        there = {one.description for one in found}
        for account in ACCOUNTS:
            async for event in self._token(account, there):
                yield event

    async def _call(self, work: Callable[[], _Result]) -> _Result:
        """Run a call of the client in a thread, and convert its errors."""
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return await asyncio.to_thread(work)
        except ApiException as error:
            refused = error.status in (401, 403)
            kind: type[StoreUnavailable] = AccessRefused if refused else StoreUnavailable
            raise kind(
                "the database at {url} responded: {reason}. Check its log.",
                url=self._url,
                reason=f"{error.status} {error.message or error.reason}",
            ) from error
        except HTTPError as error:
            raise StoreUnavailable(
                "the database at {url} can't be reached: {reason}. "
                "Start it, or correct url in [store].",
                url=self._url,
                reason=error,
            ) from error

    async def _find_org(self) -> str:
        orgs = await self._call(self._client.organizations_api().find_organizations)
        named = [one for one in orgs if self._options.org in (None, one.name)]
        if len(named) != 1:
            raise UsageError(
                "the token can access these organisations: {names}. Choose one with --org.",
                names=", ".join(one.name for one in orgs) or "-",
            )
        return str(named[0].id)

    async def _find_bucket(self) -> Any:
        from influxdb_client.rest import ApiException

        def find() -> Any:
            try:
                return self._client.buckets_api().find_buckets(
                    name=self._options.database, org_id=self._org_id
                )
            except ApiException as error:
                if error.status == 404:
                    return None
                raise

        found = await self._call(find)
        return next(iter(found.buckets or ()), None) if found else None

    def _rules(self) -> list[Any]:
        from influxdb_client import BucketRetentionRules

        kept_s = self._options.retention_s or 0
        return [
            BucketRetentionRules(
                type="expire", every_seconds=kept_s, shard_group_duration_seconds=shard_s(kept_s)
            )
        ]

    async def _make_bucket(self) -> None:
        self._bucket = await self._call(
            lambda: self._client.buckets_api().create_bucket(
                bucket_name=self._options.database,
                retention_rules=self._rules(),
                org_id=self._org_id,
            )
        )

    async def _retention(self) -> Done:
        rules = self._bucket.retention_rules if self._bucket else self._rules()
        kept_s = next((rule.every_seconds for rule in rules if rule.type == "expire"), 0)
        wanted_s = self._options.retention_s or 0

        async def change() -> None:
            self._bucket.retention_rules = self._rules()
            await self._call(lambda: self._client.buckets_api().update_bucket(self._bucket))

        return await self._steps.do(
            "retention of {database}: {days} days (0: without end)",
            {"database": self._options.database, "days": wanted_s // 86400},
            is_there=kept_s == wanted_s,
            action=change,
        )

    async def _has_mapping(self) -> bool:
        if self._bucket is None:
            return False
        from influxdb_client import DBRPsService

        service = DBRPsService(self._client.api_client)
        found = await self._call(
            lambda: service.get_dbr_ps(org_id=self._org_id, db=self._options.database)
        )
        # 2.9 also maps a bucket by its name; such a mapping is virtual, and lists as one.
        return any(
            one.bucket_id == self._bucket.id and one.default and not one.virtual
            for one in found.content or ()
        )

    async def _make_mapping(self) -> None:
        from influxdb_client import DBRPCreate, DBRPsService

        mapping = DBRPCreate(
            org_id=self._org_id,
            bucket_id=self._bucket.id,
            database=self._options.database,
            retention_policy=_POLICY,
            default=True,
        )
        service = DBRPsService(self._client.api_client)
        await self._call(lambda: service.post_dbrp(dbrp_create=mapping))

    async def _token(
        self, account: Account, there: set[str | None]
    ) -> AsyncIterator[Done | Secret]:
        owner = f"{self._options.database} {account.name}"
        made: list[Secret] = []

        async def make() -> str:
            return str((await self._call(lambda: self._authorize(account, owner))).token)

        async def make_token() -> None:
            made.append(await self._steps.make_secret(owner, f"{account.name}.token", make))

        rights = {(True, False): "READ", (False, True): "WRITE", (True, True): "READ, WRITE"}
        yield await self._steps.do(
            "token {owner} has {rights} on {database}",
            {
                "owner": owner,
                "rights": rights[account.reads, account.writes],
                "database": self._options.database,
            },
            is_there=owner in there,
            action=make_token,
        )
        for secret in made:
            yield secret

    def _authorize(self, account: Account, description: str) -> Any:
        from influxdb_client import Authorization, Permission, PermissionResource

        bucket = PermissionResource(type="buckets", id=self._bucket.id, org_id=self._org_id)
        actions = ["read"] * account.reads + ["write"] * account.writes
        authorization = Authorization(
            org_id=self._org_id,
            description=description,
            permissions=[Permission(action=action, resource=bucket) for action in actions],
        )
        return self._client.authorizations_api().create_authorization(authorization=authorization)

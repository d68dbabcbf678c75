"""CloudWatch as `make cost` reads it: samples go in, and its documented answers come out.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import boto3
import botocore.session

KEPT = {60: timedelta(days=15), 300: timedelta(days=63), 3600: timedelta(days=455)}
"""The time that points are kept, by their seconds."""
LISTED_FOR = timedelta(weeks=2)
QUERIES, LISTED_PER_PAGE = 500, 500

type Key = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name, dimensions."""


@dataclass
class CloudWatchStandIn:
    """The metrics of an account at a time. `page`: the points after which an answer is continued."""

    now: datetime
    page: int = 100_800
    samples: defaultdict[Key, list[tuple[datetime, float]]] = field(default_factory=lambda: defaultdict(list))
    calls: int = 0

    def put(self, namespace: str, name: str, at: datetime, value: float, **dimensions: str) -> None:
        """Take a sample, as a service or a function's log line sends it."""
        self.samples[namespace, name, frozenset(dimensions.items())].append((at, value))

    def session(self, source: boto3.Session) -> boto3.Session:
        """Return a session that asks this for metrics, and the given one's AWS for all else."""
        credentials = source.get_credentials()
        assert credentials is not None
        core = botocore.session.get_session()
        core.get_component("event_emitter").register("before-call.cloudwatch.GetMetricData", self._get)
        core.get_component("event_emitter").register("before-call.cloudwatch.ListMetrics", self._list)
        core.get_component("event_emitter").register("provide-client-params.cloudwatch.*", self._keep)
        session = boto3.Session(
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            region_name=source.region_name,
            botocore_session=core,
        )
        endpoint = source.client("sts").meta.endpoint_url
        session.client = partial(session.client, endpoint_url=endpoint)  # type: ignore[method-assign]
        return session

    def _keep(self, params: dict[str, Any], **_: Any) -> None:
        self._request = params

    def _get(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        """Answer a GetMetricData: the newest points first, as many as a page holds, and a token for the others."""
        self.calls += 1
        request = self._request
        if len(request["MetricDataQueries"]) > QUERIES:
            return _refused(f"The collection MetricDataQueries must not have a size greater than {QUERIES}.")
        points = [
            (query["Id"], at, value)
            for query in request["MetricDataQueries"]
            for at, value in self._points(query["MetricStat"], request["StartTime"], request["EndTime"])
        ]
        begin = int(request.get("NextToken") or 0)
        shown = points[begin : begin + self.page]
        is_last = begin + self.page >= len(points)
        results = [
            {
                "Id": query["Id"],
                "Label": query["Id"],
                "Timestamps": [at for id_, at, _ in shown if id_ == query["Id"]],
                "Values": [value for id_, _, value in shown if id_ == query["Id"]],
                "StatusCode": "Complete" if is_last else "PartialData",
            }
            for query in request["MetricDataQueries"]
        ]
        return _answer({"MetricDataResults": results} | ({} if is_last else {"NextToken": str(begin + self.page)}))

    def _points(self, stat: dict[str, Any], start: datetime, end: datetime) -> list[tuple[datetime, float]]:
        metric, period = stat["Metric"], stat["Period"]
        dimensions = frozenset((each["Name"], each["Value"]) for each in metric["Dimensions"])
        kept = max((age for seconds, age in KEPT.items() if seconds <= period), default=timedelta(hours=3))
        found: defaultdict[float, list[float]] = defaultdict(list)
        for at, value in self.samples.get((metric["Namespace"], metric["MetricName"], dimensions), []):
            if start <= at < end and at > self.now - kept:
                found[at.timestamp() // period * period].append(value)
        is_count = stat["Stat"] == "SampleCount"
        return [
            (datetime.fromtimestamp(at, self.now.tzinfo), float(len(values) if is_count else sum(values)))
            for at, values in sorted(found.items(), reverse=True)
        ]

    def _list(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        """Answer a ListMetrics: what had a sample in two weeks."""
        names = [
            {
                "Namespace": namespace,
                "MetricName": name,
                "Dimensions": [{"Name": each, "Value": value} for each, value in sorted(dimensions)],
            }
            for (namespace, name, dimensions), samples in self.samples.items()
            if namespace == self._request["Namespace"] and max(at for at, _ in samples) > self.now - LISTED_FOR
        ]
        begin = int(self._request.get("NextToken") or 0)
        more = {"NextToken": str(begin + LISTED_PER_PAGE)} if begin + LISTED_PER_PAGE < len(names) else {}
        return _answer({"Metrics": names[begin : begin + LISTED_PER_PAGE]} | more)


class _Http:
    def __init__(self, status: int) -> None:
        self.status_code = status


def _answer(parsed: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return _Http(200), parsed


def _refused(message: str) -> tuple[Any, dict[str, Any]]:
    return _Http(400), {"Error": {"Code": "ValidationError", "Message": message}, "ResponseMetadata": {}}

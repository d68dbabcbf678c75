"""CloudWatch's metrics of a span of time, as `make cost` reads them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Any

from boto3 import Session

HOUR = 3600
FIVE_MINUTES = 300
"""Seconds of the finest points that CloudWatch keeps for 63 days.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""
QUERIES_PER_CALL = 500


@dataclass(frozen=True)
class Metric:
    """A metric with the statistic that is wanted of it. `period`: the seconds of a point."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()
    stat: str = "Sum"
    period: int = HOUR


@dataclass(frozen=True)
class Metrics:
    """The metrics of a span of time."""

    session: Session
    start: datetime
    end: datetime

    def read(self, metrics: Mapping[str, Metric]) -> dict[str, list[float]]:
        """Return the points of each metric, in no order. A period in which nothing was sent has no point."""
        points: dict[str, list[float]] = {name: [] for name in metrics}
        paginator = self.session.client("cloudwatch").get_paginator("get_metric_data")
        for batch in batched(metrics.items(), QUERIES_PER_CALL, strict=False):
            names = {f"m{number}": name for number, (name, _) in enumerate(batch)}
            queries: Any = [_query(id_, metrics[name]) for id_, name in names.items()]
            for page in paginator.paginate(MetricDataQueries=queries, StartTime=self.start, EndTime=self.end):
                for result in page["MetricDataResults"]:
                    points[names[result["Id"]]] += result.get("Values", [])
        return points

    def custom(self, namespace: str) -> Iterator[Metric]:
        """Iterate over the metrics of a namespace, by the samples of each hour. CloudWatch lists those of two weeks."""
        paginator = self.session.client("cloudwatch").get_paginator("list_metrics")
        for page in paginator.paginate(Namespace=namespace):
            for one in page["Metrics"]:
                dimensions = tuple((each["Name"], each["Value"]) for each in one.get("Dimensions", []))
                yield Metric(namespace, one["MetricName"], dimensions, "SampleCount")


def _query(id_: str, metric: Metric) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    named = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
    return {"Id": id_, "MetricStat": {"Metric": named, "Period": metric.period, "Stat": metric.stat}}

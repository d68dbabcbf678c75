"""All environment variables that functions read. No other module reads the environment."""

import re
from collections.abc import Mapping
from datetime import time, timedelta
from zoneinfo import ZoneInfo

from meeting_agents.errors import MissingSetting

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


class Settings:
    """A property for each variable, named like it in lower case. Raises `MissingSetting` with the variable's name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @property
    def is_starting_on_lambda(self) -> bool:
        """True in a process that Lambda started: Lambda sets this variable in each."""
        return "AWS_LAMBDA_INITIALIZATION_TYPE" in self._environ

    @property
    def agents_table(self) -> str:
        return self._text("AGENTS_TABLE")

    @property
    def cronofy_secret_arn(self) -> str:
        return self._text("CRONOFY_SECRET_ARN")

    @property
    def cronofy_url(self) -> str:
        """The base URL of Cronofy's API; `{host}` stands for the data center's host."""
        return self._text("CRONOFY_URL")

    @property
    def accounts_table(self) -> str:
        return self._text("ACCOUNTS_TABLE")

    @property
    def tokens_key_arn(self) -> str:
        return self._text("TOKENS_KEY_ARN")

    @property
    def requests_per_second(self) -> int:
        """The limit of all functions together, for each data center."""
        return int(self._number("REQUESTS_PER_SECOND"))

    @property
    def requests_per_minute(self) -> int:
        return int(self._number("REQUESTS_PER_MINUTE"))

    @property
    def trigger_lead_time(self) -> timedelta | None:
        """The time before the start at which Cronofy is to call; None if event triggers are switched off."""
        return self.conference_lead_time if self._environ.get("EVENT_TRIGGERS") == "on" else None

    @property
    def default_data_center(self) -> str:
        return self._text("DEFAULT_DATA_CENTER")

    @property
    def public_url(self) -> str:
        """The base URL for Cronofy's callbacks. If empty, that of the caller's request is used."""
        return self._environ.get("PUBLIC_URL", "").rstrip("/")

    @property
    def api_url(self) -> str:
        """The base URL of our API, for links in alerts."""
        return self._text("API_URL")

    @property
    def stack_name(self) -> str:
        """The name of the deployed stack, for alerts: people may get those of several stacks."""
        return self._text("STACK_NAME")

    @property
    def alert_group_wait(self) -> timedelta:
        """The time during which alerts are collected into one message."""
        return self._seconds("ALERT_GROUP_WAIT")

    @property
    def time_zone(self) -> str:
        """The timezone of the digest's days, and of the drill: an IANA name."""
        return self._text("TIME_ZONE")

    @property
    def drill(self) -> tuple[int, int] | None:
        """The weekday, 0 is Monday, and the local hour at which the weekly drill begins; None: there is none."""
        text = self._environ.get("DRILL", "off")
        if text == "off":
            return None
        found = re.fullmatch(r"([A-Z]{3})-([01]\d|2[0-3])", text)
        if found is None or found[1] not in WEEKDAYS:
            raise MissingSetting(f"the environment variable DRILL must be off or like MON-10, not {text!r}")
        return WEEKDAYS.index(found[1]), int(found[2])

    @property
    def dashboard_url(self) -> str:
        """The dashboard's URL, for links in alerts; empty if there is no dashboard."""
        return self._environ.get("DASHBOARD_URL", "")

    @property
    def button_function_arn(self) -> str:
        """The function that the buttons of the overview call."""
        return self._text("BUTTON_FUNCTION_ARN")

    @property
    def lifecycle_topic_arn(self) -> str:
        return self._text("LIFECYCLE_TOPIC_ARN")

    @property
    def dead_letter_queue_url(self) -> str:
        """The queue for messages that a function failed to handle."""
        return self._text("DEAD_LETTER_QUEUE_URL")

    @property
    def alert_queue_url(self) -> str:
        """The queue of announcements and groups that may cause an alert."""
        return self._text("ALERT_QUEUE_URL")

    @property
    def forward_queue_url(self) -> str:
        """The queue of agents and groups whose incidents changed."""
        return self._text("FORWARD_QUEUE_URL")

    @property
    def channels_secret_arn(self) -> str:
        return self._text("CHANNELS_SECRET_ARN")

    @property
    def channels_url(self) -> str:
        """The base URL under which channels are called; `{host}` stands for a channel's own host."""
        return self._text("CHANNELS_URL")

    @property
    def incidents_topic_arn(self) -> str:
        return self._text("INCIDENTS_TOPIC_ARN")

    @property
    def alerts_topic_arn(self) -> str:
        return self._text("ALERTS_TOPIC_ARN")

    @property
    def activation_grace_period(self) -> timedelta:
        return self._seconds("ACTIVATION_GRACE_PERIOD")

    @property
    def completion_grace_period(self) -> timedelta:
        return self._seconds("COMPLETION_GRACE_PERIOD")

    @property
    def arrangement_lead_time(self) -> timedelta:
        return self._seconds("ARRANGEMENT_LEAD_TIME")

    @property
    def alert_patience(self) -> timedelta:
        return self._seconds("ALERT_PATIENCE")

    @property
    def conference_lead_time(self) -> timedelta:
        return self._seconds("CONFERENCE_LEAD_TIME")

    @property
    def resources_grace_period(self) -> timedelta:
        return self._seconds("RESOURCES_GRACE_PERIOD")

    @property
    def expected_resources(self) -> frozenset[str]:
        return frozenset(filter(None, self._environ.get("EXPECTED_RESOURCES", "").split(",")))

    @property
    def archive(self) -> str:
        """The resources that are archived: `off`, `transcripts` or `all`."""
        return self._text("ARCHIVE")

    @property
    def archive_grace_period(self) -> timedelta:
        return self._seconds("ARCHIVE_GRACE_PERIOD")

    @property
    def archive_bucket(self) -> str:
        """The bucket of the archive; empty if nothing is archived."""
        return self._environ.get("ARCHIVE_BUCKET", "")

    @property
    def archive_queue_url(self) -> str:
        """The queue of agents whose resources are to be archived, and of the copies."""
        return self._text("ARCHIVE_QUEUE_URL")

    @property
    def rescue(self) -> str:
        """The use of second agents, for meetings whose agent failed or was never heard of: off, report or once."""
        return self._environ.get("RESCUE", "off")

    @property
    def rescues_silent(self) -> bool:
        """True if a second agent is sent also for one that was never heard of."""
        return self._environ.get("RESCUE_SILENT") == "on"

    @property
    def rescues_per_hour(self) -> int:
        """The second agents of one account in an hour, at most."""
        return int(self._number("RESCUES_PER_HOUR"))

    @property
    def assumed_meeting_duration(self) -> timedelta:
        return self._seconds("ASSUMED_MEETING_DURATION")

    @property
    def escalation(self) -> timedelta | None:
        """The time between an alert and its reminder; None if there are no reminders."""
        return self._seconds("ESCALATE_AFTER") or None

    @property
    def quiet_hours(self) -> tuple[time, time] | None:
        """The local times at which quiet hours begin and end; None: there are none."""
        text = self._environ.get("QUIET_HOURS", "")
        if not text:
            return None
        found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text)
        hour, minute, to_hour, to_minute = map(int, found.groups()) if found else (0, 0, 0, 0)
        start, end = time(hour, minute), time(to_hour, to_minute)
        if start == end:
            raise MissingSetting(f"the environment variable QUIET_HOURS must be like 22:00-07:00, not {text!r}")
        return start, end

    @property
    def quiet_hours_time_zone(self) -> str:
        """An IANA name."""
        name = self._text("QUIET_HOURS_TIME_ZONE")
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise MissingSetting(
                f"the environment variable QUIET_HOURS_TIME_ZONE must be like Europe/Berlin, not {name!r}"
            ) from None
        return name

    @property
    def are_critical_alerts_quiet(self) -> bool:
        """True if quiet hours hold back critical alerts as well."""
        return self._text("QUIET_HOURS_SEVERITY") == "all"

    @property
    def is_isolated(self) -> bool:
        """True if callers see and act for what they are bound to alone."""
        return self._environ.get("ISOLATION") == "on"

    @property
    def accounts_claim(self) -> str:
        """The claim of a token that has the accounts of its caller; empty: none has."""
        return self._environ.get("ACCOUNTS_CLAIM", "")

    @property
    def labels_claim(self) -> str:
        """The claim of a token that has the labels of its caller; empty: none has."""
        return self._environ.get("LABELS_CLAIM", "")

    @property
    def retention(self) -> timedelta:
        return timedelta(days=self._number("RETENTION_DAYS"))

    def _text(self, name: str) -> str:
        if value := self._environ.get(name, ""):
            return value
        raise MissingSetting(
            f"the environment variable {name} is not set; the template sets it on each function that needs it"
        )

    def _number(self, name: str) -> float:
        value = self._text(name)
        try:
            return float(value)
        except ValueError:
            raise MissingSetting(f"the environment variable {name} must be a number, not {value!r}") from None

    def _seconds(self, name: str) -> timedelta:
        return timedelta(seconds=self._number(name))

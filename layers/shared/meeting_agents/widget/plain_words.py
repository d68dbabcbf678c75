"""The words of the overview for entries, deadlines and verdicts, where the journal has codes. Pure."""

from collections.abc import Mapping

from meeting_agents.domain.model import DeadlineType, EntryType, Verdict

ENTRIES: Mapping[EntryType, str] = {
    EntryType.REQUESTED: "Requested",
    EntryType.ACCEPTED: "Cronofy accepted the request",
    EntryType.REJECTED: "Refused",
    EntryType.UNCONFIRMED: "Cronofy has not confirmed it",
    EntryType.CANCELLED: "Cancelled",
    EntryType.LABELLED: "Other labels came with the same request",
    EntryType.ERASED: "The data of the agent was erased",
    EntryType.CONFERENCING_FAILING: "Cronofy could not make the conference yet",
    EntryType.CONFERENCING_ASSIGNED: "The meeting has a conference",
    EntryType.ACTIVATED: "The agent prepares to join",
    EntryType.FAILED: "The agent failed",
    EntryType.COMPLETE: "The agent is complete",
    EntryType.BEFORE_START: "Cronofy called before the start",
    EntryType.AFTER_END: "Cronofy called after the end",
    EntryType.UNRECOGNISED: "A notification without a known interaction",
    EntryType.CALENDAR_READ: "The calendar shows the meeting moved or deleted",
    EntryType.PROFILE_READ: "The conferencing profile was looked at",
    EntryType.OVERDUE: "Silent past a deadline",
    EntryType.RESCUE: "Second agent",
    EntryType.ALERT_DUE: "An alert is owed",
    EntryType.ALERTED: "Alert published",
    EntryType.SILENCED: "Alert held back",
    EntryType.ACKNOWLEDGED: "Acknowledged",
    EntryType.DELIVERED: "Delivered to a channel",
    EntryType.ARCHIVED: "Archived",
    EntryType.ARCHIVE_FAILED: "Not archived",
}
SELF_EXPLANATORY = (EntryType.ACCEPTED, EntryType.REJECTED, EntryType.UNCONFIRMED, EntryType.CANCELLED)
"""The types of entries whose reason says it all."""
VERDICTS: Mapping[Verdict, str] = {
    Verdict.APPLIED: "",
    Verdict.DUPLICATE: "known already",
    Verdict.STALE: "too late, changes nothing",
    Verdict.CONFLICTING: "contradicts an earlier report",
    Verdict.MISMATCHED: "of another calendar event, changes nothing",
    Verdict.UNRECOGNISED: "changes nothing",
}
DEADLINES: Mapping[DeadlineType, str] = {
    DeadlineType.RETRY: "the request is sent again",
    DeadlineType.CONFERENCE: "the meeting must have a conference",
    DeadlineType.ACTIVATION: "the agent must report itself",
    DeadlineType.COMPLETION: "the agent must report its end",
    DeadlineType.RESOURCES: "the resources must be there",
    DeadlineType.ARCHIVE: "the resources must be archived",
    DeadlineType.ALERT: "an alert is sent",
    DeadlineType.RESCUE: "a second agent is sent",
}
"""Each follows `By 17:40 CEST`."""

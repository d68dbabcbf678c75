"""Histories in their shortest form: months that once failed, or would with a fault that is put back."""

from tests.simulation.scripts import DAY, HOUR, MINUTE, Act, MonthScript, Script

NINE = 1772442000.0
"""2 March 2026, 9:00."""

EXPIRED_CANCELLATION = MonthScript(
    1,
    (
        Script(
            1,
            NINE,
            minutes=120,
            requested=-143,
            acts=(Act(60.13, "switches off"),),
            fates=tuple((number, "423") for number in range(1, 34)),
        ),
    ),
)

HISTORIES: dict[str, tuple[MonthScript, str]] = {
    "a meeting that is dragged after its deadline was missed, and missed again": (
        MonthScript(
            1,
            (Script(1, NINE, agents=("never comes",), acts=(Act(31.0, "drags", 60.0),)),),
        ),
        "a deadline of a meeting that was moved has the key of the first",
    ),
    "the same, and an alert was sent of the first time": (
        MonthScript(
            1,
            (Script(1, NINE, agents=("never comes",), acts=(Act(31.0, "drags", 60.0),)),),
        ),
        "an alert about an earlier time of the meeting counts for the new one",
    ),
    "a move that Cronofy's outage outlasts": (
        MonthScript(
            1,
            (Script(1, NINE, minutes=15, conference="none", acts=(Act(10.0, "moves", 30.0),)),),
            (("cronofy", NINE + 8 * MINUTE, NINE + 3 * HOUR),),
        ),
        "a move that is not delivered in time is taken back in silence (3)",
    ),
    "off, which Cronofy does not find, and on again": (
        MonthScript(
            1,
            (
                Script(
                    1, NINE, requested=-94, acts=(Act(-59.0, "deletes"), Act(-30.0, "switches on")), fates=((2, "404"),)
                ),
            ),
        ),
        "the same request after a refusal is not new",
    ),
    "an agent that never comes": (
        MonthScript(1, (Script(1, NINE, agents=("never comes",)),)),
        "an agent that does not come is no incident",
    ),
    "a meeting that was over when its agent was requested": (
        MonthScript(1, (Script(1, NINE, requested=120, conference="none"),)),
        "an agent is expected in a meeting of the past (15)",
    ),
    "an agent that works": (
        MonthScript(1, (Script(1, NINE),)),
        "resources that are there count as missing",
    ),
    "an account that is revoked and connected again before the meeting": (
        MonthScript(1, (Script(1, NINE, requested=-92),), (("grant alice", NINE - DAY, NINE - 20 * MINUTE),)),
        "the alert about an account is not resolved when it is connected again",
    ),
    "an agent that fails": (
        MonthScript(1, (Script(1, NINE, agents=("fails at once",)),)),
        "a failure is no incident",
    ),
    "an agent that comes after the alert": (
        MonthScript(1, (Script(1, NINE, agents=("late, after the alert",)),)),
        "an incident is never resolved",
    ),
    "an agent that comes although it was cancelled": (
        MonthScript(1, (Script(1, NINE, ignores_cancellation=True, acts=(Act(-60.0, "switches off"),)),)),
        "an agent that reports itself active after its cancellation is no incident (8)",
    ),
    "a calendar that is locked until the meeting": (
        MonthScript(1, (Script(1, NINE, requested=-90, fates=tuple((number, "423") for number in range(1, 40))),)),
        "a request that did not reach Cronofy is no incident (6)",
    ),
    "off and on again after the conference was assigned": (
        MonthScript(1, (Script(1, NINE, acts=(Act(-300.0, "switches off"), Act(-290.0, "switches on"))),)),
        "a second attempt forgets that the conference was assigned (16)",
    ),
    "an alert that SNS refuses for a quarter of an hour": (
        MonthScript(1, (Script(1, NINE, agents=("never comes",)),), (("sns", NINE + 9 * MINUTE, NINE + 24 * MINUTE),)),
        "an alert that SNS refuses counts as sent (17)",
    ),
    "an agent that is sent now, twice": (
        MonthScript(1, (Script(1, NINE, requested=0, caller="now", acts=(Act(0.1, "puts"),)),)),
        "agents that are sent now are sent twice",
    ),
    "a calendar that is synchronised every eight minutes while its agent is silent": (
        MonthScript(
            1,
            (
                Script(
                    1,
                    NINE,
                    agents=("never comes",),
                    acts=tuple(Act(-24.0 + 8 * number, "retitles") for number in range(9)),
                ),
            ),
        ),
        "each request re-arms the deadline of an overdue agent (13)",
    ),
    "a silent agent whose meeting was dragged to an earlier time": (
        MonthScript(
            1,
            (Script(1, NINE, agents=("never comes",), acts=(Act(-120.0, "drags", -30.0),)),),
        ),
        "the times in Cronofy's callbacks are ignored (11)",
    ),
    "twenty silent agents at one hour": (
        MonthScript(1, tuple(Script(number, NINE, agents=("never comes",)) for number in range(20))),
        "a sweep finds one agent in each part of the index (9)",
    ),
    "silent agents in a data center whose callbacks come again": (
        MonthScript(1, tuple(Script(number, NINE, agents=("never comes",)) for number in range(4))),
        "an agent that an alert about a group included is not alerted alone after that was resolved",
    ),
    "a new title after the agent has left early": (
        MonthScript(1, (Script(1, NINE, agents=("leaves early",), acts=(Act(25.0, "retitles"),)),)),
        "a request after `complete` is a new agent (12)",
    ),
    "a silent agent whose newest title waits for Cronofy": (
        MonthScript(
            1,
            (
                Script(
                    1,
                    NINE,
                    agents=("never comes",),
                    acts=(Act(-60.0, "retitles"),),
                    fates=tuple((number, "423") for number in range(2, 40)),
                ),
            ),
        ),
        "a request that waits hides missed deadlines (4)",
    ),
    "a calendar that is locked, of which time alone tells": (
        MonthScript(1, (Script(1, NINE, requested=-90, fates=tuple((number, "423") for number in range(1, 40))),)),
        "an alert that is owed and was not sent is not found by the sweep",
    ),
    "an agent that was never heard of and fails after the meeting was moved to tomorrow": (
        MonthScript(
            1, (Script(1, NINE, after_move="failed", acts=(Act(5.0, "moves", 1440.0),), callbacks=((3, "lost"),)),)
        ),
        "a report that comes before its time is about the agent of the new time",
    ),
    "two moves at once, of which one waits until after the other's agent has come": (
        MonthScript(
            4,
            (
                Script(
                    32,
                    1772442900.0,
                    acts=(Act(-2.36, "moves twice at once", 60.0),),
                    fates=tuple((number, "423") for number in range(3, 60)),
                ),
            ),
        ),
        "a report that comes before its time is about the agent of the new time",
    ),
    "off and on at the same time, and then the agent of before fails": (
        MonthScript(1, (Script(225, 1793175300.0, after_move="failed", acts=(Act(12.6, "off and on at once"),)),)),
        "one of two agents that fails counts for the other",
    ),
    "a request that is refused, and switched off": (
        MonthScript(1, (Script(61, 1791126000.0, acts=(Act(-320.76, "switches off"),), fates=((1, "404"),)),)),
        "the cancellation of a refused agent is not journalled",
    ),
    "a calendar that is locked until the meeting has ended, for the cancellation, too": (
        EXPIRED_CANCELLATION,
        "an agent may come although Cronofy refused every request",
    ),
    "the same, in a meeting that lasts longer": (
        MonthScript(
            1,
            (
                Script(
                    1,
                    NINE,
                    minutes=120,
                    requested=-143,
                    acts=(Act(60.13, "switches off"), Act(110.0, "overruns", 60.0)),
                    fates=tuple((number, "423") for number in range(1, 34)),
                ),
            ),
        ),
        "a request that waits is sent again after its cancellation failed",
    ),
    "a callback that DynamoDB has no room for": (
        MonthScript(
            1,
            (Script(1, NINE, conference="none", faults=((12, "throttled"),)),),
            parameters=(("EVENT_TRIGGERS", "off"),),
        ),
        "a callback that cannot be stored is answered 200",
    ),
    "two meetings whose conferencing profile is disconnected until shortly before": (
        MonthScript(
            1,
            (Script(1, NINE, requested=-600), Script(2, NINE + HOUR, requested=-500)),
            (("profile alice", NINE - DAY, NINE - 20 * MINUTE),),
        ),
        "a conferencing profile that is disconnected is no incident",
    ),
}
"""Months that once failed, or would with a fault of `put_back`: by what happens in them."""

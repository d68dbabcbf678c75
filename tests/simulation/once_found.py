"""Months in which something was once found, in their shortest form: the product's fault, or the judge's own."""

from tests.simulation.histories import NINE
from tests.simulation.scripts import DAY, HOUR, MINUTE, Act, MonthScript, Script

ONCE_FOUND: dict[str, MonthScript] = {
    "a calendar that is locked until after the start, and then the agent is switched off": MonthScript(
        1,
        (
            Script(
                1,
                NINE,
                requested=-90,
                acts=(Act(12.0, "switches off"),),
                fates=tuple((number, "423") for number in range(1, 17)),
            ),
        ),
    ),
    "two moves at the same time, of which a slow write lets the second overtake the first": MonthScript(
        6,
        (
            Script(
                511,
                1769501700.0,
                requested=23,
                agents=("never comes",),
                acts=(Act(0.20836027249305877, "moves twice at once", 60.0),),
                faults=((11, "slow write"),),
            ),
        ),
    ),
    "an account that is connected again long after the meeting that waited for it": MonthScript(
        1,
        (Script(1, NINE, requested=-622, acts=(Act(-60.0, "deletes"), Act(-59.0, "switches on"))),),
        (("grant alice", NINE - 12 * HOUR, NINE + DAY),),
    ),
    "a cancellation that waits for an account": MonthScript(
        1,
        (Script(1, NINE, requested=-4355, acts=(Act(-20.0, "deletes"),)),),
        (("grant alice", NINE - HOUR, NINE + DAY),),
    ),
    "a meeting that waits for an account, and is moved": MonthScript(
        1,
        (Script(1, NINE, requested=-92, acts=(Act(42.9, "moves", 90.0),)),),
        (("grant alice", NINE - DAY, NINE + DAY),),
    ),
    "a meeting that is deleted before the sweep runs again": MonthScript(
        1,
        (Script(1, NINE, agents=("never comes",), acts=(Act(15.1, "deletes"),)),),
        (("sweep", NINE + 10 * MINUTE, NINE + 20 * MINUTE),),
    ),
    "a silent agent in the night in which clocks change, requested in local time": MonthScript(
        1, (Script(1, 1774746000.0 - 30 * MINUTE, agents=("never comes",), clock="local", is_at_clock_change=True),)
    ),
    "a weekly meeting whose one calendar event is moved to the next week": MonthScript(
        1,
        (
            Script(
                1,
                NINE,
                agents=("works", "never comes", "works"),
                acts=(Act(80.0, "moves", 7 * 24 * 60.0), Act(7 * 24 * 60.0 + 80.0, "moves", 7 * 24 * 60.0)),
            ),
        ),
    ),
    "two moves at once, of which one is not answered until after the other's agent has come": MonthScript(
        107,
        (
            Script(
                96,
                1780502400.0,
                acts=(Act(-19.33, "moves twice at once", 60.0),),
                fates=tuple((number, "hangs") for number in range(3, 29)),
            ),
        ),
    ),
    "two moves at once without a token, and the agent of before ends meanwhile": MonthScript(
        110,
        (Script(91, 1767366000.0, acts=(Act(42.526, "moves twice at once", 60.0),)),),
        (("token", 1767364440.0, 1767369840.0),),
    ),
    "a move that Cronofy takes only after the meeting has ended": MonthScript(
        1,
        (
            Script(
                1,
                NINE,
                minutes=30,
                requested=-600,
                caller="own token",
                conference="none",
                acts=(Act(-80.0, "moves", 60.0), Act(180.0, "moves", 30.0)),
                fates=((2, "503"), (3, "503")),
            ),
        ),
    ),
    "off and on at the same time, of which Cronofy takes only the first": MonthScript(
        121,
        (Script(119, 1791034200.0, acts=(Act(-321.488, "off and on at once"),), fates=((3, "422"), (4, "404"))),),
    ),
    "a move to a time that has begun, after the agent was complete": MonthScript(
        115, (Script(68, 1780410600.0, agents=("works", "never comes"), acts=(Act(100.609, "moves", 60.0),)),)
    ),
    "the same, and the second agent captures nothing": MonthScript(
        114,
        (
            Script(
                168,
                1767340800.0,
                minutes=120,
                agents=("leaves early", "captures nothing"),
                acts=(Act(130.146, "moves", 60.0),),
            ),
        ),
    ),
    "a trigger of the old time that comes forty minutes late": MonthScript(
        119,
        (
            Script(
                72,
                1780574400.0,
                caller="own token",
                acts=(Act(5.275, "moves twice at once", 60.0),),
                callbacks=((2, "very late"),),
            ),
        ),
    ),
    "two moves at once, and the agent of the first time stays": MonthScript(
        121,
        (
            Script(
                27,
                1791191700.0,
                agents=("waits in the lobby",),
                after_move=None,
                acts=(Act(70.7, "moves twice at once", 60.0),),
            ),
        ),
    ),
    "an agent that was not heard of fails for the old time, and the new one is complete": MonthScript(
        105,
        (
            Script(
                179,
                1791018000.0,
                minutes=25,
                requested=23,
                after_move="failed",
                acts=(Act(-60.0, "extends", 120.0), Act(-59.75, "moves", 60.0)),
            ),
        ),
    ),
    "an agent that waits in the lobby for ever, and a calendar event that is then moved to the next week": MonthScript(
        110,
        (
            Script(
                191,
                1767531600.0,
                minutes=30,
                agents=("waits in the lobby for ever", "works"),
                after_move=None,
                acts=(Act(50.0, "moves", 7 * 24 * 60.0),),
            ),
        ),
        parameters=(("EVENT_TRIGGERS", "off"),),
    ),
    "two moves at once, of which Cronofy refuses one while the other waits": MonthScript(
        129,
        (Script(105, 1791104400.0, acts=(Act(40.09, "moves twice at once", 60.0),), fates=((2, "429"), (3, "422"))),),
    ),
    "an agent that is switched off between its failure and the alert": MonthScript(
        127, (Script(103, 1780588800.0, conference="never", acts=(Act(5.4, "switches off"),)),)
    ),
    "an account that is connected again in the meeting that waits for it": MonthScript(
        116,
        (Script(40, 1772694000.0, requested=-114),),
        (("grant alice", 1772622960.0, 1772694960.0),),
    ),
    "a request that did not get into the journal, and is made again after the meeting": MonthScript(
        128, (Script(149, 1772609400.0, minutes=45, acts=(Act(55.0, "retitles"),), faults=((2, "throttled"),)),)
    ),
    "a meeting that a person drags while Cronofy answers nothing and calls no one": MonthScript(
        133,
        (Script(58, 1791211500.0, acts=(Act(21.3, "drags", 30.0),)),),
        (("cronofy", 1791210120.0, 1791217320.0),),
    ),
    "a move that waits and is then refused": MonthScript(
        138, (Script(107, 1770560100.0, acts=(Act(-2879.0, "moves", 30.0),), fates=((2, "429"), (3, "422"))),)
    ),
    "a new title between the failure and its late callback": MonthScript(
        144,
        (
            Script(
                48,
                1772611200.0,
                agents=("waits in the lobby",),
                sends_another=True,
                acts=(Act(16.0, "retitles"),),
                callbacks=((3, "late"),),
            ),
        ),
        parameters=(("EVENT_TRIGGERS", "off"),),
    ),
    "a move that waits, and is taken back while the agent stays": MonthScript(
        151,
        (
            Script(
                152,
                1780646400.0,
                acts=(Act(5.03, "moves", 30.0), Act(6.03, "moves", -30.0)),
                fates=tuple((number, "503") for number in range(2, 6)),
            ),
        ),
    ),
    "an agent that fails, is switched off and asked for again": MonthScript(
        151,
        (
            Script(
                44,
                1780559100.0,
                agents=("fails at once",),
                sends_another=True,
                acts=(Act(13.1, "switches off"), Act(15.0, "asks again")),
            ),
        ),
    ),
    "off and on at once with a token that has expired, after the agent has left": MonthScript(
        149,
        (
            Script(
                12,
                1791018000.0,
                caller="own token",
                agents=("leaves early",),
                acts=(Act(25.9, "off and on at once"),),
            ),
        ),
    ),
    "two moves at once, and one agent ends as the other fails": MonthScript(
        152,
        (
            Script(
                158,
                1772697600.0,
                agents=("leaves early", "waits in the lobby"),
                acts=(Act(40.2, "moves twice at once", 60.0),),
            ),
        ),
    ),
    "off and on at once, of which the new agent is not heard of, and the old one fails": MonthScript(
        162,
        (
            Script(
                90, 1767596400.0, after_move="failed", acts=(Act(25.2, "off and on at once"),), callbacks=((3, "lost"),)
            ),
        ),
        parameters=(("EVENT_TRIGGERS", "off"),),
    ),
    "an agent that stays although it was switched off, and another that is late with its resources": MonthScript(
        166,
        (
            Script(
                17,
                1767545100.0,
                agents=("works", "captures after the alert"),
                ignores_cancellation=True,
                acts=(Act(-0.32, "switches off"), Act(1.68, "switches on")),
            ),
        ),
    ),
    "an agent that stays although it was switched off, and a refused request for another": MonthScript(
        163,
        (
            Script(
                31,
                1780664400.0,
                ignores_cancellation=True,
                acts=(Act(31.7, "switches off"), Act(31.9, "switches on")),
                fates=((3, "422"),),
            ),
        ),
    ),
    "a meeting that is dragged while its agent waits in the lobby for ever": MonthScript(
        301, (Script(46, NINE, agents=("waits in the lobby for ever",), acts=(Act(22.9, "drags", 15.0),)),)
    ),
    "a meeting that is moved into the time in which its agent left, and gets another": MonthScript(
        301,
        (Script(2651, NINE, agents=("leaves early", "waits in the lobby for ever"), acts=(Act(42.7, "moves", 15.0),)),),
    ),
    "a meeting that left nothing, and is moved away and back": MonthScript(
        301,
        (
            Script(
                4138,
                NINE,
                45,
                agents=("captures nothing",),
                acts=(Act(55.4, "moves", 1440.0), Act(255.4, "moves", -1440.0)),
            ),
        ),
    ),
    "two moves at the same time after the agent was active, and a disconnected profile": MonthScript(
        301,
        (Script(5258, NINE, requested=39, acts=(Act(0.37, "moves twice at once", 60.0),), account="user_25"),),
        (("profile user_25", NINE - 83 * MINUTE, NINE + 97 * MINUTE),),
    ),
    "a request that waits is moved to yesterday": MonthScript(
        301,
        (Script(9670, NINE, requested=-22, acts=(Act(0.2, "moves", -1440.0),)),),
        (("cronofy", NINE - 94 * MINUTE, NINE + 26 * MINUTE),),
    ),
    "an agent by its scheduling key that has left is switched off and on again": MonthScript(
        302,
        (
            Script(
                2248,
                NINE,
                caller="key",
                agents=("leaves early",),
                acts=(Act(25.6, "switches off"), Act(25.8, "switches on")),
            ),
        ),
    ),
    "an agent that never ended is switched off after the end": MonthScript(
        302,
        (
            Script(
                3859, NINE, agents=("waits in the lobby for ever",), after_move=None, acts=(Act(70.3, "switches off"),)
            ),
        ),
    ),
    "a cancellation is accepted while the agent reports itself": MonthScript(
        302, (Script(3888, NINE, acts=(Act(-2.06, "switches off"),), fates=((2, "423"),)),)
    ),
    "a meeting that is over is moved twice at once, so that it runs": MonthScript(
        302,
        (Script(5271, NINE, 90, agents=("works", "never comes"), acts=(Act(100.0, "moves twice at once", 60.0),)),),
    ),
    "a meeting that is over is moved so that it runs": MonthScript(
        304, (Script(4750, NINE, 120, agents=("a little late", "never comes"), acts=(Act(130.6, "moves", 60.0),)),)
    ),
    "the reports of an agent come after its meeting was moved in vain": MonthScript(
        304,
        (
            Script(
                3784,
                NINE,
                30,
                caller="own token",
                acts=(Act(50.0, "moves", 10080.0), Act(20210.0, "moves", 10080.0)),
            ),
        ),
        (("cronofy", NINE - 27 * MINUTE, NINE + 93 * MINUTE),),
    ),
    "a profile that is disconnected after Cronofy could not make the conference": MonthScript(
        307,
        (Script(2822, NINE, conference="never", account="user_14"),),
        (("profile user_14", NINE - 203 * MINUTE, NINE + 997 * MINUTE),),
    ),
    "an agent that waited in the lobby is done when its meeting moves to the next week": MonthScript(
        303, (Script(1470, NINE, 30, agents=("waits in the lobby for ever",), acts=(Act(50.0, "moves", 10080.0),)),)
    ),
    "off and on at once, and the second agent captures nothing": MonthScript(
        303,
        (Script(7608, NINE, 120, agents=("works", "captures nothing"), acts=(Act(60.5, "off and on at once"),)),),
    ),
    "the same is sent three times at once, of which Cronofy refuses one": MonthScript(
        303,
        (
            Script(
                1983,
                NINE,
                requested=-6,
                caller="own token",
                acts=(Act(-6.0, "retitles"), Act(-6.0, "puts")),
                fates=((1, "401"), (2, "422")),
            ),
        ),
    ),
    "an agent is silent when its meeting is moved to the next week, and so are those of three others": MonthScript(
        303,
        (
            Script(
                4125,
                NINE,
                agents=("waits in the lobby", "works"),
                acts=(Act(80.0, "moves", 10080.0),),
                callbacks=((3, "very late"),),
            ),
            *(Script(number, NINE) for number in (1, 2, 3)),
        ),
        (("cronofy", NINE + 29 * MINUTE, NINE + 149 * MINUTE),),
        parameters=(("EVENT_TRIGGERS", "off"),),
    ),
    "an agent leaves as its meeting is moved to the next week and back": MonthScript(
        303, (Script(9473, NINE, 25, acts=(Act(5.94, "moves", 10080.0), Act(6.94, "moves", -10080.0))),)
    ),
    "an agent fails while all callbacks are lost, that of the end, too": MonthScript(
        303,
        (Script(5120, NINE, 25, agents=("waits in the lobby",)),),
        (("callbacks", NINE + 7 * MINUTE, NINE + 37 * MINUTE),),
    ),
    "a meeting is moved to yesterday with a token that has expired, and is changed later": MonthScript(
        303,
        (Script(7423, NINE, caller="own token", acts=(Act(-2.81, "moves", -1440.0), Act(70.0, "extends", -15.0))),),
    ),
    "an agent fails while Cronofy calls no one, until after its meeting": MonthScript(
        401,
        (
            Script(
                840,
                NINE,
                120,
                agents=("waits in the lobby",),
                acts=(Act(60.5, "deletes"), Act(60.6, "switches on")),
            ),
        ),
        (("cronofy", NINE + 70 * MINUTE, NINE + 190 * MINUTE),),
    ),
    "a meeting is dragged after its end, and both its agents are late with their resources": MonthScript(
        406, (Script(1238, NINE, 30, agents=("captures after the alert",), acts=(Act(40.4, "drags", 30.0),)),)
    ),
    "an agent leaves as its meeting is moved to yesterday and back": MonthScript(
        407, (Script(560, NINE, acts=(Act(5.3, "moves", -1440.0), Act(6.3, "moves", 1440.0))),)
    ),
    "a running meeting is moved to tomorrow and back while Cronofy is not reached": MonthScript(
        407,
        (Script(1324, NINE, acts=(Act(22.6, "moves", 1440.0), Act(23.6, "moves", -1440.0))),),
        (("cronofy", NINE + 19 * MINUTE, NINE + 139 * MINUTE),),
    ),
    "an agent waits in the lobby for ever, and a person shortens the meeting": MonthScript(
        408,
        (Script(1680, NINE, agents=("waits in the lobby for ever",), acts=(Act(0.4, "stretches", -15.0),)),),
        parameters=(("EVENT_TRIGGERS", "off"),),
    ),
    "a meeting is moved on after its end and back, and the end of its second agent is not heard of": MonthScript(
        411,
        (Script(1881, NINE, 25, acts=(Act(36.0, "moves", 30.0), Act(66.0, "moves", -30.0))),),
        (("callbacks", NINE + 43 * MINUTE, NINE + 73 * MINUTE),),
    ),
    "an agent leaves as its meeting is moved so that it is over, and back": MonthScript(
        415, (Script(1519, NINE, acts=(Act(42.5, "moves", -30.0), Act(43.5, "moves", 30.0))),)
    ),
    "a move that Cronofy takes only after the new start, while the agent is in the meeting": MonthScript(
        418,
        (
            Script(
                1537,
                NINE,
                acts=(Act(-19.8, "moves", 15.0),),
                fates=tuple((number, "503") for number in range(2, 18)),
            ),
        ),
    ),
    "an agent is late with its resources, and its meeting is moved on so that another one comes": MonthScript(
        420,
        (Script(1858, NINE, 30, agents=("captures after the alert", "works"), acts=(Act(40.48, "moves", 15.0),)),),
    ),
    "an agent by its scheduling key leaves as its meeting is moved on and back": MonthScript(
        421, (Script(1491, NINE, caller="key", acts=(Act(5.87, "moves", 15.0), Act(6.87, "moves", -15.0))),)
    ),
    "a meeting without a known end is moved on after its agent was complete, and back": MonthScript(
        423, (Script(735, NINE, 25, caller="key", acts=(Act(35.5, "moves", 1440.0), Act(235.5, "moves", -1440.0))),)
    ),
    "an agent that was called off reports late what it left, while another is expected": MonthScript(
        425,
        (
            Script(
                1598,
                NINE,
                agents=("captures late", "never comes"),
                acts=(Act(5.2, "switches off"), Act(7.2, "switches on")),
            ),
        ),
    ),
    "an agent leaves as its meeting is moved so that it is over, and back, and names that time at its end": MonthScript(
        500,
        (Script(1339, NINE, 25, requested=-238, acts=(Act(5.765, "moves", -30.0), Act(6.765, "moves", 30.0))),),
        (("callbacks", NINE - 4 * HOUR, NINE - 3 * HOUR),),
    ),
    "a meeting is moved to an earlier time that is over before Cronofy refuses the move for good": MonthScript(
        505,
        (Script(1252, NINE, minutes=25, acts=(Act(-60, "moves", -60.0),)),),
        (("token", NINE - 101 * MINUTE, NINE - 11 * MINUTE),),
    ),
    "a meeting is dragged on at its start, and all reports come hours later in another order": MonthScript(
        700,
        (Script(2288, NINE, acts=(Act(-0.1, "drags", 15.0),)),),
        (("cronofy", NINE - 39 * MINUTE, NINE + 81 * MINUTE),),
    ),
    "an agent is complete as its meeting is moved on within the hour, and its first report comes last": MonthScript(
        706,
        (
            Script(
                2430,
                NINE,
                acts=(
                    Act(5.7, "moves", 60.0),
                    Act(35.7, "moves", -60.0),
                ),
                callbacks=((3, "very late"),),
            ),
        ),
    ),
    "off and on at the same moment, of which the second repeats what was accepted": MonthScript(
        700,
        (
            Script(
                2367,
                NINE,
                requested=-121,
                conference="none",
                acts=(Act(-59.2, "off and on at once"),),
                fates=((2, "answers late"),),
                faults=((8, "slow write"),),
            ),
        ),
    ),
    "an agent fails when its meeting is moved to the next week after its end": MonthScript(
        707,
        (
            Script(
                1890,
                NINE,
                minutes=120,
                agents=("waits in the lobby for ever",),
                after_move="failed",
                acts=(Act(140, "moves", 10080.0),),
            ),
        ),
    ),
    "a running meeting is moved on twice, and the first report about its first agent comes last": MonthScript(
        712,
        (
            Script(
                3157,
                NINE,
                minutes=25,
                after_move="failed",
                acts=(
                    Act(13.2, "moves", 15.0),
                    Act(14.2, "moves", 30.0),
                ),
                callbacks=((2, "very late"),),
            ),
        ),
        parameters=(("EVENT_TRIGGERS", "off"),),
    ),
    "a meeting is moved so that it is over, and its end later to another time that is over": MonthScript(
        714,
        (
            Script(
                7619,
                NINE,
                minutes=25,
                acts=(
                    Act(-2.8, "moves", -30.0),
                    Act(35, "extends", 30.0),
                ),
            ),
        ),
    ),
    "an agent by its scheduling key leaves as its meeting is moved to tomorrow, and back later": MonthScript(
        716,
        (
            Script(
                3448,
                NINE,
                caller="key",
                acts=(
                    Act(5.9, "moves", 1440.0),
                    Act(35.9, "moves", -1440.0),
                ),
            ),
        ),
    ),
    "a meeting is moved on and back after its agent has left early with what it had": MonthScript(
        716,
        (
            Script(
                4559,
                NINE,
                minutes=25,
                agents=("leaves early",),
                acts=(
                    Act(17.8, "moves", 60.0),
                    Act(18.8, "moves", -60.0),
                ),
            ),
        ),
    ),
    "a cancellation is refused, and the agent is switched on after it has left": MonthScript(
        716,
        (
            Script(
                9269,
                NINE,
                minutes=30,
                caller="own token",
                agents=("leaves early",),
                acts=(
                    Act(-2.1, "deletes"),
                    Act(27.9, "switches on"),
                ),
                fates=((3, "422"),),
            ),
        ),
    ),
    "an agent that failed is asked for again in vain, and another one comes later": MonthScript(
        706,
        (
            Script(
                5090,
                NINE,
                agents=("fails at once",),
                sends_another=True,
                acts=(
                    Act(14.4, "asks again"),
                    Act(30, "retitles"),
                ),
                fates=((2, "422"),),
            ),
        ),
    ),
    "an agent leaves as its meeting without a known end is moved to yesterday and back": MonthScript(
        740,
        (
            Script(
                6819,
                NINE,
                caller="key",
                acts=(
                    Act(5.8, "moves", -1440.0),
                    Act(6.8, "moves", 1440.0),
                ),
            ),
        ),
    ),
    "an agent leaves as its meeting without a known end is moved to yesterday, and back later": MonthScript(
        747,
        (
            Script(
                5420,
                NINE,
                caller="key",
                acts=(
                    Act(5.4, "moves", -1440.0),
                    Act(35.4, "moves", 1440.0),
                ),
            ),
        ),
    ),
    "a meeting is moved back twice, the second time so that it is over, while Cronofy is not reached": MonthScript(
        741,
        (
            Script(
                7021,
                NINE,
                acts=(
                    Act(5.5, "moves", -30.0),
                    Act(35.5, "moves", -30.0),
                ),
            ),
        ),
        (("cronofy", NINE - 86 * MINUTE, NINE + 34 * MINUTE),),
    ),
    "a failed agent's meeting is moved to yesterday and back, and another one is complete": MonthScript(
        720,
        (
            Script(
                3562,
                NINE,
                agents=("waits in the lobby", "works"),
                sends_another=True,
                acts=(
                    Act(42.8, "moves", -1440.0),
                    Act(43.8, "moves", 1440.0),
                ),
            ),
        ),
    ),
    "an agent is off for an hour after an alert that it was not arranged, and on again as little": MonthScript(
        737,
        (
            Script(
                8341,
                NINE,
                requested=-127,
                acts=(
                    Act(-19.3, "switches off"),
                    Act(40.7, "switches on"),
                ),
                fates=tuple((number, "423") for number in range(1, 29)),
            ),
        ),
    ),
    "a cancellation waits while the agent is in the meeting": MonthScript(
        765,
        (
            Script(
                2573,
                NINE,
                requested=37,
                acts=(Act(18.6, "switches off"),),
                fates=tuple((number, "503") for number in range(2, 12)),
            ),
        ),
    ),
    "the lobby is left with nothing when the meeting is moved back to where another agent was": MonthScript(
        739,
        (
            Script(
                5196,
                NINE,
                agents=("works", "waits in the lobby for ever"),
                acts=(
                    Act(5.7, "moves", 30.0),
                    Act(205.7, "moves", -30.0),
                ),
            ),
        ),
    ),
    "an agent leaves early, and its meeting is moved to yesterday and back": MonthScript(
        819,
        (
            Script(
                9566,
                NINE,
                agents=("leaves early",),
                acts=(
                    Act(15.9, "moves", -1440.0),
                    Act(16.9, "moves", 1440.0),
                ),
            ),
        ),
    ),
    "a running meeting is moved on, and the first report of its agent comes after that of its end": MonthScript(
        787,
        (Script(93, NINE, agents=("works", "never comes"), acts=(Act(0.2, "moves", 15.0),), callbacks=((3, "late"),)),),
    ),
    "two changes wait, and Cronofy takes the second when the meeting runs at its new time": MonthScript(
        831,
        (
            Script(
                6166,
                NINE,
                acts=(
                    Act(-3, "extends", 30.0),
                    Act(-2.7, "moves", 30.0),
                ),
            ),
        ),
        (("token", NINE - 67 * MINUTE, NINE + 23 * MINUTE),),
    ),
    "an agent is on again in vain, and is in the meeting": MonthScript(
        919,
        (
            Script(
                9428,
                NINE,
                acts=(
                    Act(-0.4, "switches off"),
                    Act(59.6, "switches on"),
                ),
                fates=((2, "503"), (3, "503"), (4, "503"), (5, "503")),
            ),
        ),
    ),
    "two moves at once as the agent prepares to join, of which the second is repeated in vain": MonthScript(
        922,
        (
            Script(
                5392,
                NINE,
                requested=-1,
                caller="own token",
                acts=(Act(-19.7, "moves twice at once", 60.0),),
                fates=((4, "429"),),
            ),
        ),
    ),
    "a request is taken without an answer, and refused when it is sent again": MonthScript(
        924, (Script(2629, NINE, fates=((1, "hangs"), (2, "hangs and does it"), (3, "422"))),)
    ),
    "a running meeting is dragged to yesterday, and the call before its start comes after that": MonthScript(
        12,
        (
            Script(
                884,
                NINE,
                after_move="failed",
                acts=(Act(0.29, "drags", -1440.0),),
                callbacks=((2, "very late"),),
            ),
        ),
    ),
    "a move into the past whose acceptance is not written, and then a later end": MonthScript(
        914,
        (
            Script(
                1291,
                NINE,
                requested=-219,
                agents=("works", "never comes"),
                acts=(
                    Act(31, "moves", -30.0),
                    Act(70, "extends", 120.0),
                ),
                faults=((15, "throttled"),),
            ),
        ),
        parameters=(("EVENT_TRIGGERS", "off"),),
    ),
    "a longer meeting waits, the move after it is refused, and its agent was done": MonthScript(
        915,
        (
            Script(
                3080,
                NINE,
                acts=(
                    Act(-20, "extends", 120.0),
                    Act(30.2, "moves", 10080.0),
                ),
                fates=((2, "404"),),
            ),
        ),
        (("cronofy", NINE - 60 * MINUTE, NINE + 60 * MINUTE),),
    ),
    "an agent fails while Cronofy can report nothing, and then its meeting is moved": MonthScript(
        916,
        (Script(8565, NINE, agents=("waits in the lobby",), acts=(Act(70.4, "moves", 60.0),)),),
        (("cronofy", NINE + 11 * MINUTE, NINE + 131 * MINUTE),),
        parameters=(("EVENT_TRIGGERS", "off"),),
    ),
    "an agent of which nothing was heard leaves as its meeting is deleted, and another waits in the lobby": MonthScript(
        926,
        (
            Script(
                1687,
                NINE,
                agents=("works", "waits in the lobby for ever"),
                acts=(
                    Act(42.4, "deletes"),
                    Act(43.4, "switches on"),
                ),
            ),
        ),
        (("callbacks", NINE - 2 * MINUTE, NINE + 28 * MINUTE),),
    ),
    "the first report on an agent comes after the one that it has failed, when its meeting was dragged": MonthScript(
        929,
        (
            Script(
                9693,
                NINE,
                conference="failing",
                after_move="failed",
                acts=(Act(0.2, "drags", -1440.0),),
                callbacks=((4, "late"),),
            ),
        ),
    ),
    "an agent is off and on again before Cronofy can be reached, and is in the meeting meanwhile": MonthScript(
        931,
        (
            Script(
                2409,
                NINE,
                minutes=120,
                acts=(
                    Act(5.2, "switches off"),
                    Act(65.2, "switches on"),
                ),
            ),
        ),
        (("cronofy", NINE - 43 * MINUTE, NINE + 77 * MINUTE),),
    ),
    "a scheduled agent reports itself while a move waits, and fails as that is accepted": MonthScript(
        942,
        (Script(5739, NINE, caller="key", after_move="failed", acts=(Act(-19.2, "moves", 15.0),)),),
        (("cronofy", NINE - 119 * MINUTE, NINE + 1 * MINUTE),),
    ),
    "an agent is switched off as it reports itself active, and stays": MonthScript(
        945,
        (
            Script(
                8519,
                NINE,
                requested=4,
                ignores_cancellation=True,
                acts=(Act(0.3, "switches off"),),
                fates=((2, "a page"),),
            ),
        ),
    ),
    "a call before the start comes just after a move away was accepted": MonthScript(
        939,
        (
            Script(
                3008,
                NINE,
                acts=(
                    Act(42.9, "moves", 60.0),
                    Act(43.9, "moves", 60.0),
                ),
                fates=((3, "429"),),
            ),
        ),
        (("cronofy", NINE + 60 * MINUTE, NINE + 180 * MINUTE),),
    ),
    "a meeting moves away and back as its agent prepares to join, which stays": MonthScript(
        950,
        (
            Script(
                3131,
                NINE,
                requested=-1,
                acts=(
                    Act(-2.9, "moves", -30.0),
                    Act(-1.9, "moves", 30.0),
                ),
            ),
        ),
    ),
    "a move is refused, and taken with the next change when the agent was due already": MonthScript(
        950,
        (
            Script(
                3795,
                NINE,
                agents=("never comes",),
                acts=(
                    Act(-59.9, "moves", 15.0),
                    Act(21, "extends", -15.0),
                ),
                fates=((2, "422"),),
            ),
        ),
    ),
    "an agent that was to be deleted is wanted again just before it reports that it has left": MonthScript(
        955,
        (
            Script(
                2101,
                NINE,
                acts=(
                    Act(0.1, "deletes"),
                    Act(1.1, "switches on"),
                ),
                fates=((2, "404"),),
            ),
        ),
    ),
    "a move that Cronofy never got is taken back after the agent has left early": MonthScript(
        957,
        (
            Script(
                9583,
                NINE,
                minutes=120,
                caller="own token",
                agents=("leaves early",),
                acts=(
                    Act(60.3, "moves", 15.0),
                    Act(90.3, "moves", -15.0),
                ),
                fates=((3, "423"),),
            ),
        ),
    ),
    "a meeting moves away and back as its agent becomes active, and it leaves": MonthScript(
        976,
        (
            Script(
                5335,
                NINE,
                requested=38,
                acts=(
                    Act(-59.5, "moves", -30.0),
                    Act(-29.5, "moves", 30.0),
                ),
            ),
        ),
    ),
    "a meeting is shortened after its end, which a call has confirmed": MonthScript(
        977,
        (
            Script(
                1360,
                NINE,
                minutes=30,
                agents=("waits in the lobby for ever",),
                acts=(
                    Act(-725.3, "moves", -30.0),
                    Act(21, "extends", -15.0),
                ),
            ),
        ),
    ),
    "an agent leaves its resources late, after two moves at once": MonthScript(
        17,
        (
            Script(
                3782,
                NINE,
                minutes=25,
                caller="own token",
                agents=("captures after the alert",),
                acts=(Act(35.2, "moves twice at once", 60.0),),
            ),
        ),
    ),
    "a refused move is taken back after the agent has left": MonthScript(
        20,
        (
            Script(
                5724,
                NINE,
                caller="own token",
                agents=("leaves early",),
                acts=(
                    Act(-2.5, "moves", 15.0),
                    Act(27.5, "moves", -15.0),
                ),
                fates=((3, "429"),),
            ),
        ),
    ),
    "a request is refused just after the agent has failed": MonthScript(
        26,
        (Script(2130, NINE, requested=-624, caller="own token", acts=(Act(5.4, "sends a typo"),), account="user_29"),),
        (("profile user_29", NINE - 1755 * MINUTE, NINE + 2445 * MINUTE),),
    ),
    "a meeting without its profile is deleted, and requested again": MonthScript(
        27,
        (
            Script(
                4178,
                NINE,
                conference="never",
                acts=(
                    Act(-59.1, "deletes"),
                    Act(-58.1, "switches on"),
                ),
                account="user_16",
            ),
        ),
        (("profile user_16", NINE - 84 * MINUTE, NINE + 96 * MINUTE),),
    ),
    "an agent comes to a meeting that was dragged as its request waited": MonthScript(
        30,
        (
            Script(
                6285,
                NINE,
                agents=("fails at once", "works"),
                acts=(
                    Act(3.4, "asks again"),
                    Act(22.9, "drags", 15.0),
                ),
            ),
        ),
        (("token", NINE - 29 * MINUTE, NINE + 61 * MINUTE),),
    ),
    "of two changes that wait, the newer is refused, and the older taken": MonthScript(
        30,
        (
            Script(
                8591,
                NINE,
                acts=(
                    Act(-3, "extends", 120.0),
                    Act(-2.3, "moves", 10080.0),
                ),
                fates=((2, "422"),),
            ),
        ),
        (("cronofy", NINE - 72 * MINUTE, NINE + 48 * MINUTE),),
    ),
    "an agent without a calendar event comes as its move waits": MonthScript(
        54,
        (
            Script(
                1848,
                NINE,
                caller="key",
                acts=(Act(-20, "moves", 30.0),),
                fates=tuple((number, "503") for number in range(2, 16)),
            ),
        ),
    ),
    "a cancellation overtakes a slow first request": MonthScript(
        62, (Script(6762, NINE, requested=-18, acts=(Act(-19.9, "switches off"),), faults=((2, "slow write"),)),)
    ),
    "another agent is called late after the first was off and stayed": MonthScript(
        1,
        (
            Script(
                6363,
                NINE,
                minutes=90,
                agents=("leaves early",),
                ignores_cancellation=True,
                acts=(
                    Act(-2.8, "switches off"),
                    Act(57.2, "switches on"),
                ),
                callbacks=((5, "very late"),),
            ),
        ),
    ),
    "an agent with a sub of before captures nothing after an agent that stayed": MonthScript(
        4,
        (
            Script(
                8455,
                NINE,
                agents=("works", "captures nothing"),
                ignores_cancellation=True,
                reuses_sub=True,
                acts=(
                    Act(-19.6, "switches off"),
                    Act(40.4, "switches on"),
                ),
            ),
        ),
    ),
    "a meeting moves on just after its second agent has come": MonthScript(
        88,
        (
            Script(
                3036,
                NINE,
                agents=("waits in the lobby", "works"),
                sends_another=True,
                acts=(
                    Act(17.5, "extends", 30.0),
                    Act(17.84, "moves", 1440.0),
                ),
            ),
        ),
    ),
    "a meeting is prolonged after its end, and moves to that": MonthScript(
        99,
        (
            Script(
                1976,
                NINE,
                agents=("fails at once", "works"),
                sends_another=True,
                acts=(
                    Act(70, "extends", 120.0),
                    Act(70.4, "moves", 60.0),
                ),
            ),
        ),
    ),
    "an agent fails as its meeting is dragged on after the end": MonthScript(
        99,
        (
            Script(
                8974,
                NINE,
                minutes=30,
                agents=("waits in the lobby for ever",),
                after_move="failed",
                acts=(Act(40.5, "drags", 1440.0),),
            ),
        ),
    ),
    "an agent has left, and a cancellation that had no effect is taken back": MonthScript(
        126,
        (
            Script(
                3189,
                NINE,
                agents=("leaves early",),
                acts=(
                    Act(25, "deletes"),
                    Act(25.1, "switches on"),
                ),
                fates=((2, "423"),),
            ),
        ),
    ),
    "a cancellation crosses a slow first request, and is answered late": MonthScript(
        145,
        (
            Script(
                9705,
                NINE,
                requested=31,
                after_move="failed",
                acts=(Act(-19.5, "switches off"),),
                fates=((1, "answers late"),),
                faults=((1, "slow write"),),
            ),
        ),
    ),
    "a meeting moves on while the stream brings no alert": MonthScript(
        149,
        (Script(9196, NINE, agents=("captures nothing", "works"), acts=(Act(80, "moves", 10080.0),)),),
        (("stream", NINE + 72 * MINUTE, NINE + 82 * MINUTE),),
    ),
    "an agent reports late, after two moves that waited": MonthScript(
        192,
        (
            Script(
                7219,
                NINE,
                minutes=45,
                acts=(
                    Act(-19.4, "moves", 1440.0),
                    Act(5, "extends", -15.0),
                ),
            ),
        ),
        (("cronofy", NINE - 21 * MINUTE, NINE + 99 * MINUTE),),
    ),
    "a call before the start comes late, after a move": MonthScript(
        183, (Script(7229, NINE, caller="own token", acts=(Act(-12.4, "moves", 10080.0),), callbacks=((2, "late"),)),)
    ),
    "an agent left nothing, and another comes to the next time": MonthScript(
        200,
        (
            Script(
                129,
                NINE,
                minutes=30,
                agents=("captures nothing", "works"),
                acts=(
                    Act(21, "extends", -15.0),
                    Act(40.7, "moves", 30.0),
                ),
            ),
        ),
    ),
    "a request is accepted after the start, and no agent comes": MonthScript(
        1,
        (Script(1, NINE, agents=("never comes",), requested=-40),),
        (("cronofy", NINE - 60 * MINUTE, NINE + 12 * MINUTE),),
    ),
    "an agent that fails as its meeting is dragged to the next day": MonthScript(
        25,
        (
            Script(
                618,
                NINE,
                requested=49,
                after_move="failed",
                acts=(Act(42.4, "drags", 1440.0),),
                callbacks=((1, "lost"),),
            ),
        ),
    ),
    "a meeting that is moved back and on again while its agent is there": MonthScript(
        39,
        (
            Script(
                3250,
                NINE,
                minutes=50,
                agents=("works", "never comes"),
                acts=(
                    Act(-2.2, "moves", -30.0),
                    Act(27.8, "moves", 30.0),
                ),
            ),
        ),
    ),
    "an agent that is called off, wanted again after the end, and reported active late": MonthScript(
        27,
        (
            Script(
                4461,
                NINE,
                minutes=25,
                after_move=None,
                acts=(
                    Act(5.8, "switches off"),
                    Act(25.8, "switches on"),
                ),
                callbacks=((3, "very late"),),
            ),
        ),
    ),
    "a cancellation that waits for Cronofy, and an agent that is heard of as it leaves": MonthScript(
        21,
        (Script(4697, NINE, acts=(Act(35.5, "switches off"),)),),
        (("cronofy", NINE - 79 * MINUTE, NINE + 41 * MINUTE),),
    ),
    "an agent that came before its move was accepted late, after an older one that may have arrived": MonthScript(
        47,
        (
            Script(
                2613,
                NINE,
                acts=(
                    Act(-19.7, "moves", 15.0),
                    Act(-3, "extends", -15.0),
                ),
                fates=tuple((number, "503") for number in range(2, 30)),
            ),
        ),
    ),
    "a meeting that was moved into the past as its agent came, and back as it ended": MonthScript(
        47,
        (
            Script(
                4577,
                NINE,
                minutes=30,
                agents=("works", "never comes"),
                acts=(
                    Act(-0.5, "moves", -30.0),
                    Act(29.5, "moves", 30.0),
                ),
            ),
        ),
    ),
    "an agent that fails just before its meeting is moved": MonthScript(
        53,
        (
            Script(
                9543,
                NINE,
                minutes=45,
                agents=("drops out",),
                after_move="failed",
                sends_another=True,
                acts=(
                    Act(5.3, "moves", 15.0),
                    Act(35.3, "moves", -15.0),
                ),
            ),
        ),
    ),
    "an agent without a known end that is there when its late move is accepted": MonthScript(
        74,
        (
            Script(
                2634,
                NINE,
                caller="key",
                acts=(Act(-59.7, "moves", 30.0),),
                fates=tuple((number, "hangs") for number in range(2, 26)),
            ),
        ),
    ),
    "a 404 for a cancellation that had an effect on an agent in its meeting, and on again": MonthScript(
        94,
        (
            Script(
                4368,
                NINE,
                agents=("captures after the alert", "never comes"),
                after_move=None,
                acts=(
                    Act(0.4, "deletes"),
                    Act(0.5, "switches on"),
                ),
                fates=((2, "404"),),
            ),
        ),
    ),
    "a meeting that is over is prolonged, and neither that nor the end of its agent gets through": MonthScript(
        95,
        (Script(1868, NINE, acts=(Act(70.3, "moves", 30.0),)),),
        (("cronofy", NINE + 56 * MINUTE, NINE + 176 * MINUTE),),
    ),
    "an agent with the sub of the one before, in a meeting that was dragged after that had left it": MonthScript(
        113,
        (
            Script(
                9065,
                NINE,
                agents=("works", "waits in the lobby for ever"),
                reuses_sub=True,
                acts=(Act(100.3, "drags", 60.0),),
            ),
        ),
    ),
    "the agent of before a cancellation reports itself complete after the next one was missed": MonthScript(
        113,
        (
            Script(
                7078,
                NINE,
                minutes=120,
                agents=("works", "never comes"),
                acts=(
                    Act(84.7, "switches off"),
                    Act(86.7, "switches on"),
                ),
                callbacks=((4, "very late"),),
            ),
        ),
    ),
    "an event trigger at the old start while a move, which may have arrived, still waits": MonthScript(
        137,
        (
            Script(
                4538,
                NINE,
                acts=(
                    Act(-60, "extends", 120.0),
                    Act(-19.3, "moves", -30.0),
                ),
                fates=tuple((number, "503") for number in range(2, 15) if number != 4),
            ),
        ),
    ),
    "an agent that reports its end late, after its meeting was moved, and the account was disconnected": MonthScript(
        133,
        (Script(6436, NINE, acts=(Act(60.5, "moves", 1440.0),), account="user_3"),),
        (
            ("cronofy", NINE + 22 * MINUTE, NINE + 142 * MINUTE),
            ("grant user_3", NINE + 109 * MINUTE, NINE + 4309 * MINUTE),
        ),
    ),
    "an agent that left early, and a meeting that is moved to a start at which it was there": MonthScript(
        169,
        (
            Script(
                3995,
                NINE,
                agents=("leaves early", "never comes"),
                acts=(
                    Act(-2.8, "moves", -30.0),
                    Act(27.2, "moves", 30.0),
                ),
            ),
        ),
    ),
    "a meeting that was over is prolonged, and then moved": MonthScript(
        177,
        (
            Script(
                5953,
                NINE,
                agents=("works", "never comes"),
                acts=(
                    Act(70, "extends", 120.0),
                    Act(70.4, "moves", 15.0),
                ),
            ),
        ),
    ),
}

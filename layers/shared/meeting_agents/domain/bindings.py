"""Bindings: the accounts and labels of which a caller may see agents, and for which it may act. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from meeting_agents.domain.groups import Group
from meeting_agents.domain.labels import Labels, WantedLabels, matches, parse_wanted
from meeting_agents.domain.model import IncidentType
from meeting_agents.domain.silences import Silence

ANY = "*"
"""The value of a claim that restricts nothing."""
MAX_ACCOUNTS = 100
"""The accounts of one binding: a filter of DynamoDB takes as many values."""
_ROLE = re.compile(r"(arn:[^:]+:)iam(::\d{12}:)role/(?:.*/)?([^/]+)")
_SESSION = re.compile(r"(arn:[^:]+:sts::\d{12}:assumed-role/[^/]+)/[^/]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """The agents that a caller may see and act for: of these accounts, with these labels.

    An empty criterion selects all, as with a silence; without any, and without `everything`, it selects none.
    """

    accounts: frozenset[str] = frozenset()
    labels: WantedLabels = field(default_factory=dict, hash=False)
    """Of several values of one name one, of different names each."""
    everything: bool = False

    @property
    def is_empty(self) -> bool:
        """The caller is bound to nothing."""
        return not (self.everything or self.accounts or self.labels)

    def covers(self, account: str, labels: Labels) -> bool:
        """Return True for an agent with this account, empty if it has none, and these labels."""
        if self.everything or self.is_empty:
            return self.everything
        return (not self.accounts or account in self.accounts) and matches(labels, self.labels)

    def covers_account(self, account: str) -> bool:
        """Return True for an account as a whole: with labels, only some of its agents are the caller's."""
        return self.everything or (account in self.accounts and not self.labels)

    def may_act_for(self, account: str) -> bool:
        """Return True if requests may be sent to Cronofy in the name of an account: it is named, never just implied."""
        return self.everything or account in self.accounts

    def covers_group(self, group: Group) -> bool:
        """Return True for a group of which all agents are the caller's."""
        is_account = group.type is IncidentType.ACCOUNT_DISCONNECTED
        return self.everything or (is_account and self.covers_account(group.name))

    def covers_silence(self, silence: Silence, covers_agent: Callable[[str], bool]) -> bool:
        """Return True for a silence that can hold back no alert of others. `covers_agent`: of an agent by its id."""
        if self.everything or self.is_empty:
            return self.everything
        if silence.agents:
            return all(map(covers_agent, sorted(silence.agents)))
        accounts = not self.accounts or (bool(silence.accounts) and silence.accounts <= self.accounts)
        return accounts and all(
            name in silence.labels and {*silence.labels[name]} <= {*values} for name, values in self.labels.items()
        )

    def narrowed[T: (str, str | bool)](self, wanted: Mapping[str, Sequence[T]]) -> dict[str, Sequence[T]] | None:
        """Return the values that attributes of a record may have, without those of others; None: no agent has them."""
        if self.everything or self.is_empty:
            return dict(wanted) if self.everything else None
        own = {"account": tuple(sorted(self.accounts))} if self.accounts else {}
        own |= {f"labels.{name}": values for name, values in self.labels.items()}
        both = {name: tuple(v for v in wanted.get(name, values) if v in values) for name, values in own.items()}
        return {**wanted, **both} if all(both.values()) else None


EVERYTHING = Binding(everything=True)
NOTHING = Binding()


def of_claims(claims: Mapping[str, object], accounts_claim: str, labels_claim: str) -> Binding:
    """Return the binding of a token. Each claim with a name must be there: one that is missing binds to nothing.

    The value is a list with commas, `acc_1,acc_2`, or as API Gateway writes an array, `[acc_1 acc_2]`; `*` restricts
    nothing.
    """
    names = [name for name in (accounts_claim, labels_claim) if name]
    values = {name: _listed(claims.get(name)) for name in names}
    if not names or not all(values.values()):
        return NOTHING
    accounts, labels = values.get(accounts_claim, [ANY]), values.get(labels_claim, [ANY])
    if accounts == labels == [ANY]:
        return EVERYTHING
    try:
        return Binding(
            accounts=frozenset(accounts if accounts != [ANY] else ()),
            labels=parse_wanted(labels if labels != [ANY] else ()),
        )
    except ValueError:
        return NOTHING


def _listed(claim: object) -> list[str]:
    text = "" if claim is None else str(claim).strip()
    parts = text[1:-1].split() if text[:1] == "[" and text[-1:] == "]" else text.split(",")
    return [part.strip() for part in parts if part.strip()]


def caller_keys(caller: str) -> tuple[str, ...]:
    """Return the names under which the binding of a caller may be stored, the most special first.

    A session of a role is `arn:aws:sts::111122223333:assumed-role/<role>/<session>`: it has the role's binding unless
    it has one of its own.
    """
    found = _SESSION.fullmatch(caller)
    return (caller, found[1]) if found else (caller,)


def stored_caller(text: str) -> str:
    """Return the name under which the binding of a caller is stored; a role's ARN becomes that of its sessions."""
    return _ROLE.sub(r"\1sts\2assumed-role/\3", text)

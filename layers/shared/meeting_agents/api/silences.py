"""Silences: spans of time in which no message is sent about some incidents."""

from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from meeting_agents.api.context import caller_name, collaborators
from meeting_agents.api.isolation import binding, covers_silence
from meeting_agents.api.patterns import SILENCE_NAME
from meeting_agents.api.problems import responses
from meeting_agents.api.silence_request import SilenceRequest
from meeting_agents.api.views import SilenceList, SilenceView
from meeting_agents.errors import NotFound, TooManySilences

router = APIGatewayHttpRouter()

SilenceName = Annotated[str, Path(pattern=SILENCE_NAME, description="your own name for the silence")]


@router.get("/v1/silences", tags=["Silences"], responses=responses(200, "all silences", SilenceList))
def list_silences() -> SilenceList:
    """List the silences that are planned or active, the one that begins first at the top."""
    now = datetime.now(UTC)
    silences = [silence for silence in collaborators().silences().quiet().silences if silence.end > now]
    own = (silence for silence in silences if covers_silence(binding(), silence))
    ordered = sorted(own, key=lambda silence: (silence.start, silence.name))
    return SilenceList(silences=tuple(SilenceView.of(silence, now) for silence in ordered))


@router.get("/v1/silences/<name>", tags=["Silences"], responses=responses(200, "the silence", SilenceView, 404))
def read_silence(name: SilenceName) -> SilenceView:
    """Read a silence."""
    silence, now = collaborators().silences().find(name), datetime.now(UTC)
    if silence is None or silence.end <= now:
        raise _unknown(name)
    return SilenceView.of(silence, now)


@router.put(
    "/v1/silences/<name>", tags=["Silences"], responses=responses(200, "the silence", SilenceView, 404, 409, 413)
)
def put_silence(name: SilenceName, body: Annotated[SilenceRequest, Body()]) -> SilenceView:
    """Silence some incidents for a time: they open and are seen, and no message is sent.

    Resolved messages about what people were alerted of before are sent. At the end, or when the silence is deleted,
    what still stands is sent together. The same name again replaces the silence.
    """
    now = datetime.now(UTC)
    silence = body.silence(name, caller_name(), now)
    if not collaborators().silences().put(silence, now):
        raise TooManySilences("there are 100 silences: delete one, or choose a wider one")
    return SilenceView.of(silence, now)


@router.delete("/v1/silences/<name>", tags=["Silences"], responses=responses(204, "it is over", None, 404))
def delete_silence(name: SilenceName) -> Response[str]:
    """End a silence now: what it held back and still stands is sent within a minute or two."""
    if not collaborators().silences().delete(name, datetime.now(UTC)):
        raise _unknown(name)
    return Response(204, content_type="text/plain", body="")


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no silence {name}; it may be over")

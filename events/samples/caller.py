"""A caller in Python: requests an agent, follows it to its end, and fetches the transcript.

    pip install boto3 httpx
    API_URL=… CALENDAR_ID=… CRONOFY_ACCESS_TOKEN=… AWS_REGION=… python caller.py

The access token is that of the calendar's user, as Cronofy's own SDK gets it. AWS credentials are taken from the
environment or a profile, as by every AWS tool; their role needs `execute-api:Invoke`.
"""

import os
import time
import uuid
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

ENDS = ("complete", "failed", "rejected", "cancelled")


class Signed(httpx.Auth):
    """Signs each request with the caller's AWS credentials."""

    requires_request_body = True

    def __init__(self) -> None:
        self._session = boto3.Session(region_name=os.environ.get("AWS_REGION"))  # boto3 reads only AWS_DEFAULT_REGION

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Add AWS's headers to a request."""
        aws_request = AWSRequest(request.method, str(request.url), data=request.content)
        signer = SigV4Auth(self._session.get_credentials(), "execute-api", self._session.region_name)
        signer.add_auth(aws_request)
        request.headers.update(dict(aws_request.headers.items()))
        yield request


def main() -> None:
    """Run the whole way of one agent, and print each step."""
    start = datetime.now(UTC) + timedelta(hours=1)
    event = {
        "event_id": os.environ.get("EVENT_ID", uuid.uuid4().hex),
        "summary": "Board meeting",
        "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{start + timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}",
        "conferencing": {"profile_id": "default"},
        "meeting_agent": {"profile_id": "cronofy"},
    }
    token = {"Cronofy-Authorization": f"Bearer {os.environ['CRONOFY_ACCESS_TOKEN']}"}
    with httpx.Client(base_url=os.environ["API_URL"], auth=Signed(), timeout=30) as api:
        response = api.post(f"/v1/calendars/{os.environ['CALENDAR_ID']}/events", json=event, headers=token)
        if response.is_error:
            raise SystemExit(f"{response.status_code}: {response.text}")
        agent_url = response.headers["Location"]
        print("requested:", agent_url)

        while (agent := api.get(agent_url).json())["state"] not in ENDS:
            print("state:", agent["state"])
            time.sleep(float(os.environ.get("PAUSE", "60")))
        print("end:", agent["state"], agent["reason"]["text"])

        if agent["incidents"]:
            api.post(f"{agent_url}/acknowledgement", json={"note": "I ask the organiser"}).raise_for_status()
            print("acknowledged")
        elif agent["state"] == "complete":
            address = api.get(f"{agent_url}/resources/transcript", params={"format": "json"}).json()["url"]
            print("transcript:", len(httpx.get(address).content), "bytes")  # without any credentials of ours


if __name__ == "__main__":
    main()

"""The stand-in alone: `python -m tests.sandbox.stand_in`."""

import argparse
import threading

from tests.sandbox.stand_in import StandIn
from tests.sandbox.stand_in.control import CONTROL


def main() -> None:
    """Run one stand-in until interrupted, and print its address and credentials."""
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox.stand_in", description="A stand-in for Cronofy.")
    parser.add_argument("--port", type=int, default=0, help="a port of 127.0.0.1; 0, the default, takes a free one")
    with StandIn(port=parser.parse_args().port) as cronofy:
        application, grant = cronofy.applications["us"], cronofy.grant()
        print(f"url            {cronofy.url}")
        print(f"client_id      {application.client_id}")
        print(f"client_secret  {application.client_secrets[0]}")
        print(f"calendar_id    {grant.calendars[0]}")
        print(f"access_token   {grant.access_token}")
        print(f"refresh_token  {grant.refresh_token}")
        print(f"how to steer   curl {cronofy.url}{CONTROL}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()

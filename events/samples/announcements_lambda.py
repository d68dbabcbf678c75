"""A Lambda function, subscribed to the lifecycle topic, that gets every step of every agent."""

import json


def handler(event, context):
    for record in event["Records"]:
        announcement = json.loads(record["Sns"]["Message"])
        data = announcement["data"]
        # An announcement may come twice and in any order: `id` says if you had it, `state` what is true now.
        print(announcement["id"], announcement["type"], data["event_id"], data["state"])

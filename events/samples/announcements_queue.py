"""A consumer of a queue that is subscribed to the lifecycle topic with raw message delivery.

pip install boto3
QUEUE_URL=… AWS_REGION=… python announcements_queue.py
"""

import json
import os

import boto3

sqs, queue = boto3.client("sqs", region_name=os.environ.get("AWS_REGION")), os.environ["QUEUE_URL"]
while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages"):
    for message in messages:
        announcement = json.loads(message["Body"])
        print(announcement["id"], announcement["type"], announcement["data"]["state"])
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])  # after the work, so none is lost

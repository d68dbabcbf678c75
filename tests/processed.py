"""The template as CloudFormation gets it, every SAM resource spelt out: `python -m tests.processed` prints it."""

import json
from typing import Any

from tests.sandbox import deployment
from tests.sandbox.embedded_aws import EmbeddedAws


def processed() -> Any:
    """The output of the SAM transform."""
    with EmbeddedAws() as aws:
        stack = deployment.deploy(aws, deployment.build(), {})
        cloudformation = stack.session.client("cloudformation")
        return cloudformation.get_template(StackName=stack.name, TemplateStage="Processed")["TemplateBody"]


if __name__ == "__main__":
    print(json.dumps(processed(), indent=2))

"""Packs what `sam build` built for a release: `python package.py BUILT INTO ARCHITECTURE`.

The package is a folder with a template, an archive of each function and of the layer, and `DEPLOY.md`. It deploys with
the AWS CLI alone, or from CloudFormation's console: neither Python nor make is needed. It is no part of the layer.
"""

import json
import sys
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from meeting_agents import VERSION

CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
"""The property that locates the code of a resource."""
PARAMETERS = {
    "CodeBucket": {
        "Type": "String",
        "Description": "The S3 bucket, of the stack's region, that has the package's files",
    },
    "CodeFolder": {"Type": "String", "Description": "The folder of the package's files in the bucket"},
}
DEPLOY = """# Meeting agents {version}, {architecture}

You need the AWS CLI, and credentials that may make roles. It costs about US$ 6 a month and US$ 0.07 per 1,000 meetings.

1. In this folder: the region, a bucket of your own in it (the second line makes one), and the files into the bucket.

   ```sh
   export AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1 BUCKET=my-releases
   aws s3 mb "s3://$BUCKET"
   aws s3 cp . "s3://$BUCKET/{folder}" --recursive
   ```

2. Create the stack, or update it. `DefaultDataCenter` is where your Cronofy application is:

   ```sh
   aws cloudformation deploy --stack-name meeting-agents --template-file template.yaml \\
     --s3-bucket "$BUCKET" --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \\
     --parameter-overrides "CodeBucket=$BUCKET" DefaultDataCenter=de AlertEmail=oncall@example.com
   ```

   Or in the console, at the address that this prints:

   ```sh
   link="https://console.aws.amazon.com/cloudformation/home?region=$AWS_REGION#/stacks/quickcreate"
   template="https://$BUCKET.s3.$AWS_REGION.amazonaws.com/{folder}/template.yaml"
   echo "$link?templateURL=$template&stackName=meeting-agents&param_CodeBucket=$BUCKET"
   ```

3. Confirm the e-mail that AWS sends to `AlertEmail`, "AWS Notification - Subscription Confirmation", within two days.
   An address that is not confirmed receives no alert.
4. Store the client id and the client secret of your Cronofy application. Write `secret.json`:

   ```json
   {{"de": {{"client_id": "…", "client_secrets": ["…"]}}}}
   ```

   Then store it, and delete the file:

   ```sh
   secret=$(aws cloudformation describe-stacks --stack-name meeting-agents --output text \\
     --query "Stacks[0].Outputs[?OutputKey=='CronofySecretArn'].OutputValue")
   aws secretsmanager put-secret-value --secret-id "$secret" --secret-string file://secret.json
   rm secret.json
   ```

5. Read the address for your callers, `ApiUrl`, and the others:

   ```sh
   aws cloudformation describe-stacks --stack-name meeting-agents --output text \\
     --query "Stacks[0].Outputs[].[OutputKey, OutputValue]"
   ```

A probe goes the whole way from a callback to its alert every five minutes. If it fails, or no address is confirmed, an
alarm of the stack says so: `ProbeFailedAlarm`, `AlertSubscribersAlarm`.
"""


def package(built: Path, into: Path, architecture: str) -> None:
    """Write the package of what was built for an architecture."""
    folder = f"meeting-agents/{VERSION}-{architecture}"
    into.mkdir(parents=True, exist_ok=True)
    template = yaml_parse((built / "template.yaml").read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        if location := CODE.get(resource["Type"]):
            code = resource["Properties"][location]
            archive = archive_of(built / code)
            name = f"{code}-{sha256(archive).hexdigest()[:16]}.zip"  # another code must have another name
            (into / name).write_bytes(archive)
            key = {"Fn::Sub": f"${{CodeFolder}}/{name}"}
            resource["Properties"][location] = {"Bucket": {"Ref": "CodeBucket"}, "Key": key}
    parameters: dict[str, Any] = template["Parameters"]
    parameters["Architecture"] |= {"Default": architecture, "AllowedValues": [architecture]}
    parameters |= {"CodeBucket": PARAMETERS["CodeBucket"], "CodeFolder": PARAMETERS["CodeFolder"] | {"Default": folder}}
    (into / "template.yaml").write_text(json.dumps(template, indent=1, default=str), encoding="utf-8")
    text = DEPLOY.format(version=VERSION, folder=folder, architecture=architecture)
    (into / "DEPLOY.md").write_text(text, encoding="utf-8")


def archive_of(folder: Path) -> bytes:
    """Return an archive that is the same for the same files."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in files(folder):
            file.writestr(zipfile.ZipInfo(str(path.relative_to(folder))), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def files(folder: Path) -> Iterator[Path]:
    """Iterate over the files of a folder in an order that does not change."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


if __name__ == "__main__":
    package(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])

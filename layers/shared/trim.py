"""Removes from an installed layer the files that no function reads: `python3.13 trim.py FOLDER`."""

import gzip
import json
import shutil
import sys
from pathlib import Path

# The services that functions call. The models of all other services of AWS are 25 MB, which every cold start would
# load. A function that calls another service adds it here.
SERVICES = {"dynamodb", "kms", "secretsmanager", "sns", "sqs"}

# The files of a package's metadata that stay: scanners identify a package by its name, version and bill of materials,
# and its licence must go wherever the package goes.
METADATA = ("METADATA", "sboms", "LICENSE", "NOTICE", "licenses")


def trim(layer: Path) -> None:
    """Trim the folder that becomes /opt/python."""
    for folder in [layer / "bin", *layer.rglob("tests"), *layer.rglob("__pycache__")]:
        shutil.rmtree(folder)
    for path in layer.glob("*.dist-info/*"):
        if not path.name.startswith(METADATA):
            path.unlink()
    for data in (layer / "boto3/data", layer / "botocore/data"):
        for folder in data.iterdir():
            if folder.is_dir() and folder.name not in SERVICES:
                shutil.rmtree(folder)
        for examples in data.glob("*/*/examples-1.json"):
            examples.unlink()
    trim_endpoints(layer / "botocore/data")


def trim_endpoints(data: Path) -> None:
    """Keep every region, but only our services: the first client of each cold start parses the whole file."""
    models = [json.loads(gzip.decompress(path.read_bytes())) for path in data.glob("*/*/service-2.json.gz")]
    prefixes = {model["metadata"]["endpointPrefix"] for model in models}
    path = data / "endpoints.json"
    endpoints = json.loads(path.read_text(encoding="utf-8"))
    for partition in endpoints["partitions"]:
        services = partition["services"].items()
        partition["services"] = {name: service for name, service in services if name in prefixes}
    path.write_text(json.dumps(endpoints, separators=(",", ":")), encoding="utf-8")


if __name__ == "__main__":
    trim(Path(sys.argv[1]))

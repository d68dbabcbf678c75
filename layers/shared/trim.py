"""Takes out of an installed layer what no function ever reads: `python3.13 trim.py FOLDER`."""

import gzip
import json
import shutil
import sys
from pathlib import Path

# What functions call: the table, its key, the secrets, the topics and the queues. The models of everything
# else that AWS offers are 25 MB, to be fetched at every cold start. A function that calls one more adds it.
SERVICES = {"dynamodb", "kms", "secretsmanager", "sns", "sqs"}

# What stays of a package's metadata: its name, version and bill of materials, by which scanners know it, and
# its licence, which must go wherever the package goes.
METADATA = ("METADATA", "sboms", "LICENSE", "NOTICE", "licenses")


def trim(layer: Path) -> None:
    """Trims the folder that becomes /opt/python."""
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
    """Keeps every region, but only our services: each cold start's first client parses the whole file."""
    models = [json.loads(gzip.decompress(path.read_bytes())) for path in data.glob("*/*/service-2.json.gz")]
    ours = {model["metadata"]["endpointPrefix"] for model in models}
    path = data / "endpoints.json"
    endpoints = json.loads(path.read_text(encoding="utf-8"))
    for partition in endpoints["partitions"]:
        services = partition["services"].items()
        partition["services"] = {name: service for name, service in services if name in ours}
    path.write_text(json.dumps(endpoints, separators=(",", ":")), encoding="utf-8")


if __name__ == "__main__":
    trim(Path(sys.argv[1]))

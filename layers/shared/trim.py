"""Removes from an installed layer the files that no function reads: `python3.13 trim.py FOLDER`."""

import gzip
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

# The services that functions call. The models of all other services of AWS are 25 MB, which every cold start would
# load. A function that calls another service adds it here.
SERVICES = {"dynamodb", "kms", "s3", "secretsmanager", "sns", "sqs"}

# The files of a package's metadata that stay: scanners identify a package by its name, version and bill of materials,
# and its licence must go wherever the package goes.
METADATA = ("METADATA", "sboms", "LICENSE", "NOTICE", "licenses")


# The authorities of AWS's own addresses: https://www.amazontrust.com/repository/ recommends these five. Each new
# connection parses the whole bundle, and that of all 127 authorities takes longer than the rest of a connection.
AUTHORITIES = {
    *(f"Amazon Root CA {number}" for number in range(1, 5)),
    "Starfield Services Root Certificate Authority - G2",
}


def trim(layer: Path) -> None:
    """Trim the folder that becomes /opt/python."""
    (layer / "amazon-roots.pem").write_text("".join(authorities(layer / "botocore/cacert.pem")), encoding="ascii")
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


def authorities(bundle: Path) -> Iterator[str]:
    """Iterate over the certificates of Amazon's authorities. ValueError if the bundle lacks one."""
    labelled = re.findall(
        r'^# Label: "(.+?)"$.*?(^-----BEGIN CERTIFICATE-----$.*?^-----END CERTIFICATE-----$)',
        bundle.read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    found = {label: certificate for label, certificate in labelled if label in AUTHORITIES}
    if missing := AUTHORITIES - found.keys():
        raise ValueError(f"{bundle} has no {', '.join(sorted(missing))}")
    for label, certificate in sorted(found.items()):
        yield f"# {label}\n{certificate}\n"


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

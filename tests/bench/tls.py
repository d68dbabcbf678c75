"""First answers through TLS: a proxy with a certificate, and the bundle of authorities that each connection parses."""

import socket
import ssl
import subprocess
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.cold_start import clients, first_invocations, folders, start
from tests.bench.measures import spread
from tests.runtime.stories import Scene

FUNCTIONS = ("webhook", "track", "provision")
CHUNK = 65_536


def first_answers(scene: Scene, rounds: int) -> dict[str, Any]:
    """Milliseconds of processor time from the ready function to its first answer, by function and authorities.

    On Lambda this part has the processor that belongs to the memory: a third of one, with 512 MB.

    plain    without TLS
    amazon   with TLS, and Amazon's authorities, as the template has it
    all      with TLS, and the bundle of all authorities, which botocore uses by itself
    """
    firsts = first_invocations(scene)
    figures: dict[str, Any] = {}
    built = scene.platform.built / "SharedLayer"
    with folders(built) as (runtime, layer, _), proxy(scene.platform.aws.url) as (address, own):
        bundles = {
            "amazon": own.read_text() + (layer / "python/amazon-roots.pem").read_text(),
            "all": own.read_text() + (layer / "python/botocore/cacert.pem").read_text(encoding="utf-8"),
        }
        for name in FUNCTIONS:
            took: defaultdict[str, list[float]] = defaultdict(list)
            for _ in range(rounds):
                for variant in ("plain", *bundles):
                    environment = scene.platform.functions[name].environment | clients(firsts[name])
                    if variant in bundles:
                        bundle = own.with_name(variant)
                        bundle.write_text(bundles[variant])
                        environment |= {"AWS_ENDPOINT_URL": address, "AWS_CA_BUNDLE": str(bundle)}
                    if "rawPath" in firsts[name].event:
                        scene.platform.forget()
                    folder = scene.platform.built / scene.platform.logical(name)
                    took[variant].append(start(folder, layer, runtime, environment, firsts[name].event).answering)
            figures[name] = {variant: spread(times) for variant, times in took.items()}
    return figures


@contextmanager
def proxy(url: str) -> Iterator[tuple[str, Path]]:
    """Yield the address of a proxy that ends TLS before this URL, and the file with its authority."""
    target = urlsplit(url)
    with tempfile.TemporaryDirectory(prefix="tls-") as folder:
        certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-nodes")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
        command = ["openssl", "req", "-x509", *curve, *subject, "-out", str(certificate), "-keyout", str(key)]
        subprocess.run(command, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(
                target=_accept, args=(server, context, (str(target.hostname), int(target.port or 80))), daemon=True
            ).start()
            yield f"https://localhost:{server.getsockname()[1]}", certificate
            server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, context: ssl.SSLContext, target: tuple[str, int]) -> None:
    with suppress(OSError):
        while True:
            accepted, _ = server.accept()
            threading.Thread(target=_serve, args=(accepted, context, target), daemon=True).start()


def _serve(accepted: socket.socket, context: ssl.SSLContext, target: tuple[str, int]) -> None:
    with (
        suppress(OSError),
        context.wrap_socket(accepted, server_side=True) as near,
        socket.create_connection(target) as far,
    ):
        threading.Thread(target=_copy, args=(far, near), daemon=True).start()
        _copy(near, far)
        far.shutdown(socket.SHUT_RDWR)


def _copy(source: socket.socket, into: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(CHUNK):
            into.sendall(content)

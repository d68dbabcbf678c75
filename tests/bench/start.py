"""A cold start, as Lambda makes it: `python -I -S -B start.py FOLDER LAYER RUNTIME`, in the function's environment.

Only these paths and the standard library can be imported. It prints the time of import and clients, in milliseconds of
the clock and of the processor; then the runtime client runs.
"""

import json
import os
import sys
import time

FOLDER, LAYER, RUNTIME = sys.argv[1:4]
sys.path[:0] = [FOLDER, f"{LAYER}/python", RUNTIME]

from awslambdaric import bootstrap  # noqa: E402
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # noqa: E402

clock, processor = time.perf_counter(), time.process_time()

import app  # type: ignore[import-not-found]  # noqa: E402, F401

if wiring := sys.modules.get("meeting_agents.wiring"):
    for service in json.loads(os.environ["CLIENTS"]):
        wiring.client(service)  # made when first needed, or already there

took = [(time.perf_counter() - clock) * 1000, (time.process_time() - processor) * 1000, time.process_time() * 1000]
print(json.dumps(took), flush=True)

bootstrap.run("app.handler", LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"], False))

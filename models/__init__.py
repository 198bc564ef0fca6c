"""Arrays and files: read imagery, train, export, register and run models.

Knows nothing of HTTP, DuckDB, campaigns' rules or annotators.
"""

import os

# Set before torch loads OpenMP: threads that spin while they wait made training steps up to ten times slower as soon as
# anything else wanted the same cores, and a service that trains always has something else to do.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Set before ONNX Runtime is loaded, here and in every child: its packages from Microsoft report what they run to
# mobile.events.data.microsoft.com otherwise. Not a default that the environment may override: nothing calls home.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

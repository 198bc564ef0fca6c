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

# Imagery is data from outside: GDAL and PROJ neither use the network nor follow what an image names. It holds for this
# process and those that it starts, and must be set before rasterio registers GDAL's drivers.
if "HFA" not in os.environ.get("GDAL_SKIP", ""):  # the driver of `.aux` files, which name others
    os.environ["GDAL_SKIP"] = f"{os.environ.get('GDAL_SKIP', '')} HFA".strip()
os.environ["PROJ_NETWORK"] = "OFF"
os.environ["CPL_VSIL_CURL_ALLOWED_FILENAME"] = (
    "/vsicurl/none"  # all other names below /vsicurl and its like are refused
)
os.environ["GDAL_HTTP_PROXY"] = "127.0.0.1:9"  # the port for what is thrown away: nothing listens, so nothing goes out
os.environ["GDAL_HTTP_MAX_RETRY"] = "0"
os.environ.pop("GDAL_PAM_PROXY_DIR", None)

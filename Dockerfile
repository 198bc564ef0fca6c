# syntax=docker/dockerfile:1
# Two images from one file:
#   docker build --target serve -t al-loop:serve .   serves predictions and labels; no torch, so it cannot train
#   docker build --target full  -t al-loop:full  .   the whole loop, training included
# Run:  docker run -p 8090:8090 -v data:/data -v /imagery:/imagery:ro -e AL_LOOP_TOKENS=ops=<token> al-loop:full

FROM python:3.12.12-slim-bookworm AS builder
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /app
RUN python -m venv /app/.venv
COPY requirements-serve.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --python /app/.venv/bin/python --require-hashes -r requirements-serve.lock

FROM builder AS builder-full
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --python /app/.venv/bin/python --require-hashes -r requirements.lock

FROM python:3.12.12-slim-bookworm AS runtime
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin al-loop \
    && install -d -o 10001 -g 10001 /data /imagery
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    AL_LOOP_DATA=/data AL_LOOP_IMAGERY=/imagery AL_LOOP_HOST=0.0.0.0 AL_LOOP_PORT=8090
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY al_loop al_loop
COPY models models
COPY al_loop_app al_loop_app
COPY al_loop_records al_loop_records
RUN printf '#!/bin/sh\nPYTHONPATH=/app exec python -c "import sys; from al_loop_app import main; sys.exit(main())" "$@"\n' \
    > /usr/local/bin/al-loop && chmod 755 /usr/local/bin/al-loop
USER 10001
EXPOSE 8090
VOLUME /data
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8090/health/ready', timeout=2)"]
CMD ["python", "-m", "service"]

FROM runtime AS serve
COPY --from=builder /app/.venv /app/.venv

FROM runtime AS full
COPY --from=builder-full /app/.venv /app/.venv

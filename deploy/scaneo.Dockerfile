# SCANEO, as its users install it. It has no accounts: let Caddy, or nobody, publish it.
FROM python:3.12.12-slim-bookworm
RUN pip install --no-cache-dir scaneo==2025.12.10
EXPOSE 8000
# Not its own command, which leaves the server running when it is stopped.
CMD ["sh", "-c", "exec python -m uvicorn api:app --host 0.0.0.0 --port 8000 --app-dir \"$(python -c 'import scaneo; print(scaneo.__path__[0])')\""]

"""The same client for event loops; `http.py` and `operators.py` are written by `make async-client`."""

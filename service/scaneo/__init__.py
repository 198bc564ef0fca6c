"""HTTP client of a running SCANEO: the requests that `al_loop.scaneo` asks for, and nothing of what they mean."""

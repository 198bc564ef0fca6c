"""A service that answers predictions for another one: `al-loop serve --replica-of URL`."""

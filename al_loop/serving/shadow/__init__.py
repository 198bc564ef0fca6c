"""A challenger that answers what the serving version answers, unseen."""

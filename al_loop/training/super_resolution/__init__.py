"""Trainings of super-resolution: by a command on this machine, and by the service as jobs."""

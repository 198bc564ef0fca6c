"""The parts of `al_loop.simulation.run`: the simulated annotator, one run, its steps, what is remembered, the table."""

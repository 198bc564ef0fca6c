"""The parts of `al_loop.simulate`: the simulated annotator, one run, its steps, what is remembered, the table."""

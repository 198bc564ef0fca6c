"""SQL files that lead from one schema of the label store to the next, and a look into a store of any of them."""

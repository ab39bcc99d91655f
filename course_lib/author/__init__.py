"""What an author runs: `build` makes the notebooks from their sources, `release` the tree that students get."""

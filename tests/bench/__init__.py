"""Performance as ratios, beside bare mitmdump: `python tests/bench [--quick]`."""

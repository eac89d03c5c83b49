"""What is written of calls: a line each, and, for those who ask for it, their bodies."""

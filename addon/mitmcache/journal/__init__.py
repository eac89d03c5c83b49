"""What became of each LLM call, told once it is over: to the log, metrics, traces and history."""

"""Models as data: platforms, scenarios, workloads, published figures and their sources."""

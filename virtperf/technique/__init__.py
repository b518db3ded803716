"""How one thing is virtualized: each technique is a file that turns operations into paths."""

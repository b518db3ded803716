"""Files of other tools become scenarios; one module per tool."""

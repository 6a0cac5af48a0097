"""Text on a terminal: escaped, measured, coloured and written whole."""

"""Text for people: safe to print, measured, coloured, and written whole."""

"""A snapshot as text: for people, as JSON, CSV and HTML; nothing here writes."""

"""Where snapshots and rows are written to, one file each."""

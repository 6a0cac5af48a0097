"""Snapshots to what somebody reads, one file each."""

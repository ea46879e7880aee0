"""Streams: batches of exact ranges as partitions, dead letters, compaction."""

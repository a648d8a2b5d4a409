"""The fault proxy: a process of ours between the service and what it depends on over TCP."""

"""What one client, or a crowd of them, can take from the others: threads, queues, connections, time."""

"""The files of samples: one spelling for each, what changed since they were registered, which of them are copies."""

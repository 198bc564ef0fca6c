"""Care for a data directory as a whole: backups of a live one, restoring, looking for what is wrong with it."""

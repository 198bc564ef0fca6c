-- What was unusual about a round, versions that are kept for good, and versions whose files were pruned.
ALTER TABLE rounds ADD COLUMN notes VARCHAR;               -- in words; NULL: nothing
ALTER TABLE model_versions ADD COLUMN pinned_at TIMESTAMP; -- never pruned since then; NULL: not pinned
ALTER TABLE model_versions ADD COLUMN pruned_at TIMESTAMP; -- its files are gone since then; NULL: they are there

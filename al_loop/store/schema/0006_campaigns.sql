-- What a campaign can become: archived, renamed, deleted; what is known of its classes beside their names.

ALTER TABLE campaigns ADD COLUMN class_details JSON DEFAULT '[]';   -- description, colour, retired, examples, former names
ALTER TABLE campaigns ADD COLUMN guidelines VARCHAR DEFAULT '';     -- Markdown, shown to annotators
ALTER TABLE campaigns ADD COLUMN archived_at TIMESTAMP;             -- no rounds, no scoring, not offered since
ALTER TABLE campaigns ADD COLUMN directory VARCHAR;                 -- of its files, where that is not its name

-- Directories of deleted campaigns that may still be on the disk: removed after the commit, or at the next start.
CREATE TABLE deleted_directories (
    directory VARCHAR NOT NULL
);

-- Files that were taken out of a campaign on purpose: a scan leaves them out.
CREATE TABLE removed_samples (
    campaign_id BIGINT NOT NULL,
    path        VARCHAR NOT NULL,
    removed_at  TIMESTAMP NOT NULL
);

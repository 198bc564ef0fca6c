-- Files that the newest look at them could not use: a notice counts them until they are registered, gone or right.
CREATE TABLE skipped_files (
    campaign_id BIGINT NOT NULL,
    path        VARCHAR NOT NULL,   -- odd bytes of a name that is not UTF-8 are escaped
    reason      VARCHAR NOT NULL
);

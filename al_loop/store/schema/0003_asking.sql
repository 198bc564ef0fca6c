-- What a lease was granted for, how fresh the ranking of a query was, and self-supervised training runs.

ALTER TABLE leases ADD COLUMN arm VARCHAR DEFAULT 'strategy';       -- 'strategy', 'control', 'reserve', 'overlap', 'golden', 'relabel'
ALTER TABLE queries ADD COLUMN ranked_labels BIGINT;                -- labelled samples that the ranking knew of
ALTER TABLE queries ADD COLUMN ranked_at TIMESTAMP;                 -- when its scores were computed

-- Encoders trained on the campaign's own pool without labels, or taken from pretrained weights.
CREATE TABLE pretrainings (
    campaign_id  BIGINT NOT NULL,
    number       INTEGER NOT NULL,
    state        VARCHAR NOT NULL,      -- 'queued', 'training', 'exporting', 'embedding'; 'finished', 'failed', 'cancelled', 'interrupted'
    config       JSON NOT NULL,
    requested_at TIMESTAMP NOT NULL,
    started_at   TIMESTAMP,
    ended_at     TIMESTAMP,
    version      VARCHAR,               -- name of its embeddings, as in 'ssl-1'
    summary      JSON,                  -- what was measured
    error        VARCHAR
);

ALTER TABLE samples ADD COLUMN golden BOOLEAN DEFAULT false;        -- its answer is known: checks annotators, never trained on
